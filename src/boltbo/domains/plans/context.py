"""What the language model reads about a query, by policy.

`plan`: compact, structured text of words that recur from query to query.

    t title 2^14 / 2^17 production_year <= 1970 production_year > 1950
    mi1 movie_info 2^12 / 2^19 info in 5 Adventure Crime ..
    joins t.id ci.movie_id mi1.movie_id ; ci.person_id n.id
    server t nest ci hash mi1 ...

One line a relation (its alias, its table, the server's estimate of the rows that pass its filters and of all its rows, as
powers of two, and the filters), one line of columns made equal, and the server's own plan.

`structure`: the same without the server's plan. `sql`, the default: the statement alone, as in the paper.

    SELECT COUNT ( * ) FROM title AS t , movie_info AS mi1 WHERE mi1.movie_id = t.id AND t.production_year <= 1970

Its text is the one that `dialects.sql.written_out` makes of the parsed query, for all queries alike (those of pretraining
have no other), with a blank between any two symbols: the compact model's tokenizer takes what stands between blanks for a
word, and spells in bytes only words that are rare. A statement of more than `WORDS` symbols ends there.
"""

from __future__ import annotations

import math
import re
from typing import Literal

from boltbo.domains.plans.dialects.sql import written_out
from boltbo.domains.plans.language.explain import plan_from_explain
from boltbo.domains.plans.language.grammar import format_plan
from boltbo.domains.plans.language.plan import PLAIN_SQL, Abilities
from boltbo.domains.plans.language.query import Query, Relation
from boltbo.domains.plans.server.connection import Server

Policy = Literal["sql", "structure", "plan"]

READS: dict[Policy, str] = {
    "sql": "a query as SQL",
    "structure": "a query: its relations with the estimated rows that pass their filters and of the whole table, the filters, "
    "and the columns made equal",
    "plan": "a query: its relations with the estimated rows that pass their filters and of the whole table, the filters, the "
    "columns made equal, and the server's own plan",
}
"""What a model is given, as its instruction says it"""

WORDS = 600
"""Symbols of a statement that are written out"""

LITERALS = 2
"""How many constants of a filter are written out; the estimate speaks for the rest."""


class ContextWriter:
    """Writer of contexts. It remembers the server's row estimates: queries of one workload share most of their filters."""

    def __init__(self, server: Server, abilities: Abilities = PLAIN_SQL, policy: Policy = "sql") -> None:
        self.server, self.abilities, self.policy = server, abilities, policy
        self._rows: dict[tuple[str, tuple[str, ...]], float] = {}

    def another(self) -> ContextWriter:
        """Return a writer that writes the same over another connection."""
        return ContextWriter(self.server.another(), self.abilities, self.policy)

    def write(self, query: Query) -> str:
        """The context of a query.

        Raises:
            psycopg.Error: The server refuses the query (`sql` does not ask it).
        """
        if self.policy == "sql":
            return sql_words(written_out(query))
        lines = [self._relation(r) for r in query.relations]
        joins = " ; ".join(" ".join(f"{a}.{c}" for a, c in members) for members in query.classes)
        structure = "\n".join([*lines, f"joins {joins}"])
        if self.policy == "structure":
            return structure
        return f"{structure}\nserver {server_plan_text(self.server, query, (), self.abilities)}"

    def _relation(self, relation: Relation) -> str:
        words = [relation.alias]
        if relation.derived:
            words.append("subquery" if relation.table.startswith("(") else relation.table)
        else:
            some, every = self._estimate(relation, relation.filters), self._estimate(relation, ())
            words += [relation.table, power(some), "/", power(every)]
        for condition in relation.filters:
            words += condition_words(condition, relation.alias)
        return " ".join(words)

    def _estimate(self, relation: Relation, filters: tuple[str, ...]) -> float:
        key = (f"{relation.table} {relation.alias}", filters)
        if key not in self._rows:
            where = f" WHERE {' AND '.join(f'({f})' for f in filters)}" if filters else ""
            plan = self.server.explain(f'SELECT 1 FROM {relation.table} AS "{relation.alias}"{where}')
            self._rows[key] = float(plan["Plan Rows"])
        return self._rows[key]


def power(rows: float) -> str:
    """The nearest power of two, as one word."""
    return f"2^{round(math.log2(max(rows, 1.0)))}"


_SYMBOL = re.compile(
    r"""'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/|(?:(?:"(?:[^"]|"")*"|[^\W\d]\w*)(?:\s*\.\s*)?)+|[\d.]+|[<>=!~*+/%^|&@#-]+|::|\S""",
    re.DOTALL,
)
_PLAIN_NAME = re.compile(r'"([a-z_][a-z0-9_]*)"', re.ASCII)


def sql_words(statement: str) -> str:
    """A statement as one line of symbols parted by blanks, without comments and without quotes that names do not need.

    >>> sql_words('SELECT COUNT(*) FROM title AS "t"\\nWHERE "t"."id"=7 -- why')
    'SELECT COUNT ( * ) FROM title AS t WHERE t.id = 7'
    """
    symbols = [s for s in _SYMBOL.findall(statement) if not s.startswith(("--", "/*"))]
    words = [s if s.startswith("'") else _PLAIN_NAME.sub(r"\1", s.strip()) for s in symbols]
    shown = words if len(words) <= WORDS else [*words[:WORDS], ".."]
    return " ".join(" ".join(shown).split())


_LITERAL = re.compile(r"'(?:[^']|'')*'")


def condition_words(condition: str, alias: str) -> list[str]:
    """A filter as words: columns without their alias, operators, few and short constants.

    >>> condition_words("mi1.info IN ('Black and White', 'Color', 'Sepia')", "mi1")
    ['info', 'in', '3', 'Black_and_Whi', 'Color', '..']
    """
    literals = _LITERAL.findall(condition)
    rest = _LITERAL.sub(" ' ", condition).replace(f"{alias}.", "").replace(f'"{alias}".', "").lower()
    words: list[str] = []
    shown = 0
    for word in re.findall(r"'|[\w.]+|[<>=!~*]+|::", rest):
        if word == "'":
            shown += 1
            if shown <= LITERALS:
                words.append(_short(literals[shown - 1]))
        elif word == "in":
            words += ["in", str(len(literals))] if len(literals) > 1 else ["in"]
        else:
            words.append(word)
    return [*words, ".."] if shown > LITERALS else words


def _short(literal: str) -> str:
    return re.sub(r"\s+", "_", literal[1:-1])[:13] or "''"


def server_plan_text(
    server: Server, query: Query, settings: tuple[tuple[str, str], ...], abilities: Abilities = PLAIN_SQL
) -> str:
    """The server's plan for a query under `settings`, as trees.

    Raises:
        psycopg.Error: The server refuses the query.
    """
    said = abilities if abilities.operators else PLAIN_SQL
    return format_plan(plan_from_explain(server.explain(query.sql, settings), query, said), query, said)
