"""Which relation of a FROM clause a column belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp

from boltbo.domains.plans.language.query import ColumnRef
from boltbo.domains.plans.parse.names import Names, fold, name_of
from boltbo.errors import UnsupportedQuery


class Owners:
    """The relations of one FROM clause, and whose a column's name is.

    Attributes:
        order: All aliases in the order of `*`.
        names: The columns of each alias, as far as they are known.
        merged: The columns that USING made one of two, each with the column that stands for it.
    """

    def __init__(self, order: Sequence[str], names: Mapping[str, Names]) -> None:
        self.order, self.names = order, names
        self.merged: dict[str, ColumnRef] = {}

    def has(self, alias: str, column: str) -> bool:
        """Whether a name without a relation is certainly this relation's."""
        return len(self.order) == 1 or column in self.names[alias].known

    def owner(self, name: str) -> str | None:
        """The one relation that certainly has a column of this name, None where there is none or several.

        Raises:
            UnsupportedQuery: USING merged columns of this name.
        """
        if name in self.merged:
            raise UnsupportedQuery(f"column {name!r} of USING is read without its relation; write ALIAS.{name}")
        aliases = [alias for alias in self.order if self.has(alias, name)]
        return aliases[0] if len(aliases) == 1 else None

    def is_nowhere(self, name: str) -> bool:
        """Whether a name is certainly no column of any relation here."""
        return all(names.complete and name not in names.known for names in self.names.values())

    def resolve(self, column: exp.Column) -> ColumnRef:
        """The alias and the name of a column.

        Raises:
            UnsupportedQuery: It cannot be told whose it is.
        """
        name = name_of(column)
        if column.args.get("db"):
            raise UnsupportedQuery(
                f"column {column.sql('postgres')} is written with its schema; give the table an alias"
            )
        if column.table:
            alias = fold(column.args["table"])
            if alias not in self.order:
                raise UnsupportedQuery(f"column {column.sql('postgres')}: FROM has no relation {alias!r}")
            return alias, name
        owner = self.owner(name)
        if owner is None:
            raise UnsupportedQuery(f"column {name!r} could belong to several relations; write it as ALIAS.{name}")
        return owner, name
