"""From SQL text to a `Query`.

The structure comes from tokens and from sqlglot's syntax trees; every piece of SQL that goes into the `Query` is a slice of
the original text: no piece is ever generated anew, so that none can change its meaning.

    read.py      text to tree and tokens                 names.py    whose a name is
    tokens.py    where clauses and joins begin           outside.py  what an expression reads from around it
    find.py      the SELECTs that may become blocks      sources.py  the FROM clause of one
    owners.py    which relation a column belongs to      classes.py  columns that equalities make equal
    grouped.py   what GROUP BY allows                    block.py    from one SELECT to a block
"""

from __future__ import annotations

from dataclasses import replace

from boltbo.domains.plans.language.query import Block, Query, mark, rewritten
from boltbo.domains.plans.parse.block import BlockParser
from boltbo.domains.plans.parse.find import Candidate, Text, candidates, main_part
from boltbo.domains.plans.parse.names import Columns, Scope, quote
from boltbo.domains.plans.parse.read import read
from boltbo.errors import UnsupportedQuery

__all__ = ["Columns", "parse_query", "quote"]


def parse_query(sql: str, columns: Columns | None = None) -> Query:
    """Parse one statement, and find its blocks of inner joins.

    No two relations of the blocks have the same alias: of SELECTs that share one, the largest is a block, and the others stay
    as they are written. What stays may use the same aliases again; EXPLAIN then calls one of them `alias_1`.

    Args:
        sql: The statement, with or without a semicolon.
        columns: The columns of the tables, to resolve names that are written without their relation. Without it, such
            names are refused in WHERE and ON; elsewhere they make every relation keep all its columns.

    Raises:
        SqlSyntaxError, NotASelect: See `boltbo.errors`.
        UnsupportedQuery: The statement has no block. The message says why its largest SELECT is none.
    """
    _, tokens = read(sql)
    text = Text(sql)
    selects = candidates(tokens, sql, Scope(columns or {}))
    text.spans = [candidate.span for candidate in selects]
    blocks: dict[int, Block] = {}
    reasons: dict[int, tuple[int, str]] = {}
    for i, candidate in enumerate(selects):
        parser = BlockParser(candidate, text)
        try:
            blocks[i] = parser.block()
        except UnsupportedQuery as error:
            reasons[i] = parser.size, str(error)
    chosen = _choose(blocks, selects, reasons)
    ranked = sorted(reasons, key=lambda i: (-reasons[i][0], selects[i].depth, i))
    if not chosen:
        raise UnsupportedQuery(reasons[ranked[0]][1] if ranked else "the statement has no SELECT")
    number = {i: n for n, i in enumerate(chosen)}

    def rewrite(i: int) -> str:
        return mark(number[i]) if i in number else rewritten(text.between(*selects[i].span, without=i), rewrite)

    def final(i: int) -> Block:
        relations = tuple(replace(r, table=rewritten(r.table, rewrite)) for r in blocks[i].relations)
        written = rewritten(text.between(*selects[i].span, without=i), rewrite)
        return replace(blocks[i], relations=relations, outer=rewritten(blocks[i].outer, rewrite), written=written)

    start, end = main_part(tokens)[0].start, tokens[-1].end + 1
    frame, common = (rewritten(text.between(0, last), rewrite) for last in (end, start))
    kept = tuple(reasons[i][1] for i in ranked if reasons[i][0] > 1)
    return Query(sql[:end], tuple(final(i) for i in chosen), frame, kept, common)


def _choose(blocks: dict[int, Block], selects: list[Candidate], reasons: dict[int, tuple[int, str]]) -> list[int]:
    """The blocks that stay, in the order of the text; why another does not is added to `reasons`."""
    taken: set[str] = set()
    chosen = []
    for i in sorted(blocks, key=lambda i: (-len(blocks[i].relations), selects[i].depth, i)):
        twice = sorted(taken.intersection(blocks[i].aliases))
        if twice:
            reasons[i] = len(blocks[i].relations), f"its relation {twice[0]!r} is called like one of a larger block"
            continue
        taken.update(blocks[i].aliases)
        chosen.append(i)
    return sorted(chosen)
