"""Why SQL is not searched.

    ValueError
    ├── SqlSyntaxError     the text does not parse
    ├── NotASelect         it is no single, read-only SELECT
    └── UnsupportedQuery   it is one, but nothing in it is of the kind that can be steered

The first two are the writer's to mend, the last is the statement's nature.
"""


class SqlSyntaxError(ValueError):
    """The text is no SQL that the parser understands. The message says at which line and column."""


class NotASelect(ValueError):
    """The text is not one SELECT that only reads."""


class UnsupportedQuery(ValueError):
    """A SELECT without a block of inner joins. The message says what stands in the way."""
