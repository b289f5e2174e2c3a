"""Queries by their text, so that each is parsed once however many ask for it: its task, its context, its grammar, its space."""

from __future__ import annotations

from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.server.connection import Server

KEPT = 8192
"""Texts whose queries are remembered; then the one that was asked for longest ago is forgotten"""


class QueryCache:
    """The queries of one server's statements. Picklable: a copy begins empty.

    Args:
        server: The columns of its tables tell whose a name is.
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self._queries: dict[str, Query] = {}

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_queries": {}}

    def query(self, sql: str) -> Query:
        """The query of a text, with or without its semicolon.

        Raises:
            SqlSyntaxError, NotASelect, UnsupportedQuery: See `parse.parse_query`.
            OracleUnavailable: The server does not answer.
        """
        query = self._queries.get(sql) or parse_query(sql, self.server.columns)
        for text in (sql, query.sql):
            self._queries.pop(text, None)
            self._queries[text] = query
        while len(self._queries) > KEPT:
            del self._queries[next(iter(self._queries))]
        return query
