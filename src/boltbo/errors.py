"""Every exception of boltbo, as one tree.

    BoltboError
    ├── ConfigError              settings that cannot be used                                   (ValueError)
    ├── InvalidCandidate         a text that is no candidate of its task                        (ValueError)
    ├── InvalidRuns              runs from elsewhere that cannot be imported                    (ValueError)
    ├── OracleUnavailable        no candidate can be scored now                                 (RuntimeError)
    ├── CorruptModel             a model folder that cannot be loaded                           (RuntimeError)
    ├── ModelUnavailable         a model's service does not answer or refuses                   (RuntimeError)
    ├── StorageError             a storage that cannot be opened, read or written               (RuntimeError)
    │   ├── CampaignMismatch     the storage holds a campaign of this name with other settings
    │   └── CampaignBusy         another process runs this campaign
    └── query plans
        ├── SqlSyntaxError       a text that does not parse                                     (ValueError)
        ├── NotASelect           a statement that is no single, read-only SELECT                (ValueError)
        ├── UnsupportedQuery     a SELECT in which nothing can be steered                       (ValueError)
        ├── CannotFill           a parameter for which no constant can be drawn                 (ValueError)
        ├── TooSlow              a default plan that does not end in the time it was given      (RuntimeError)
        └── ConnectionLost       a statement that cost the connection twice                     (RuntimeError)

Each also derives from the built-in exception in brackets, so that code which knows nothing of boltbo may catch it. The
command line prints the message of a `BoltboError` without a traceback: a message says what was wrong, where, and what to do.
Any other exception that reaches the user is a bug.
"""

from __future__ import annotations


class BoltboError(Exception):
    """The root of the tree."""


class ConfigError(BoltboError, ValueError):
    """A configuration that cannot be used. The message names each wrong key, what was expected and what came."""


class InvalidCandidate(BoltboError, ValueError):
    """A text that is no candidate of its task. The message says what was wrong and where."""


class InvalidRuns(BoltboError, ValueError):
    """A file of runs, or trajectories, that cannot be imported. The message names each place and what was wrong there."""


class OracleUnavailable(BoltboError, RuntimeError):
    """The oracle itself is out of order (a dead server, a lost licence): the run stops, nothing is recorded.

    Raise it from `Domain.evaluate` when another candidate would fare no better. Any other exception is taken as this
    candidate's own fault and recorded as a `failed` observation.
    """


class CorruptModel(BoltboError, RuntimeError):
    """A model directory that cannot be loaded. The message names the file, what is wrong with it, and what to do."""


class ModelUnavailable(BoltboError, RuntimeError):
    """A model that cannot be used now: its service does not answer or refuses. What was paid for is not lost."""


class StorageError(BoltboError, RuntimeError):
    """The storage cannot be opened, read or written. The message says which, why, and what to do."""


class CampaignMismatch(StorageError):
    """A campaign of this name was begun with other settings."""


class CampaignBusy(StorageError):
    """Another process is running this campaign now."""


class SqlSyntaxError(BoltboError, ValueError):
    """The text is no SQL that the parser understands. The message says at which line and column."""


class NotASelect(BoltboError, ValueError):
    """The text is not one SELECT that only reads."""


class UnsupportedQuery(BoltboError, ValueError):
    """A SELECT without a block of inner joins. The message says what stands in the way."""


class CannotFill(BoltboError, ValueError):
    """A parameter for which no constant can be drawn. The message says which and why."""


class TooSlow(BoltboError, RuntimeError):
    """The default plan itself does not end in the time it was given."""


class ConnectionLost(BoltboError, RuntimeError):
    """A statement that twice cost the connection to a server that is there: the statement's own fault."""
