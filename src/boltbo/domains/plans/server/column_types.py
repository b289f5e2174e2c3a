"""Whether columns that a query makes equal through a third one are equal themselves: only where their types allow it."""

from __future__ import annotations

import psycopg

from boltbo.domains.plans.dialects.sql import written_out
from boltbo.domains.plans.language.query import ColumnRef, Query
from boltbo.domains.plans.parse import quote
from boltbo.domains.plans.server.connection import Server
from boltbo.errors import UnsupportedQuery

_FAMILIES = (
    frozenset({"smallint", "integer", "bigint"}),
    frozenset({"text", "character varying", "character", "name"}),
)
"""Types whose mixed equalities are transitive; any other type is so only with itself"""


def check_types(query: Query, server: Server) -> None:
    """Make sure that columns that are equal through a third one are equal: `bigint` and `numeric` may both equal a
    `double precision` and not each other, and then the rows would depend on the order of the joins.

    Raises:
        UnsupportedQuery: A class of three or more columns mixes such types, or holds one whose type cannot be found out.
        psycopg.OperationalError: The server was lost.
    """
    classes = [members for members in query.classes if len(members) > 2]
    if not classes:
        return
    columns = [member for members in classes for member in members]
    try:
        types = dict(zip(columns, server.query(_types_sql(query, columns))[0], strict=True))
    except psycopg.OperationalError:
        raise
    except psycopg.Error as error:
        reason = str(error).strip().splitlines()[0]
        raise UnsupportedQuery(f"the types of its joined columns cannot be found out: {reason}") from error
    for members in classes:
        member_of_type = {types[member]: member for member in members}
        if len(member_of_type) > 1 and not any(family.issuperset(member_of_type) for family in _FAMILIES):
            named = ", ".join(f"{alias}.{column} {name}" for name, (alias, column) in member_of_type.items())
            raise UnsupportedQuery(f"the query makes columns of different types equal: {named}; cast them to one type")


def _types_sql(query: Query, columns: list[ColumnRef]) -> str:
    """A statement that answers one row: the types of some columns."""
    asked = ", ".join(f"pg_typeof({quote(alias)}.{quote(column)})::text" for alias, column in columns)
    named = {alias for alias, _ in columns}
    relations = " ".join(
        f"LEFT JOIN {r.table} AS {quote(r.alias)}{r.renamed} ON false" for r in query.relations if r.alias in named
    )
    select = f"SELECT {asked} FROM (SELECT 1) AS {quote('boltbo one row')} {relations}"
    return written_out(query, f"{query.common}{select}")
