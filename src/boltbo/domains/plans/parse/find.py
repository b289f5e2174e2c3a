"""The SELECTs of a statement that may become blocks, and the statement's text with marks in their places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlglot import exp
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from boltbo.domains.plans.language.query import mark
from boltbo.domains.plans.parse.names import Scope, clause
from boltbo.domains.plans.parse.read import tree_of
from boltbo.domains.plans.parse.tokens import branches, clauses, closing, is_query, steps
from boltbo.errors import UnsupportedQuery


@dataclass(frozen=True)
class Candidate:
    """A SELECT of the statement itself, of a branch of UNION and the like, of WITH, or of a subquery in FROM.

    Attributes:
        tokens: From SELECT to the end of its tail.
        scope: What its names may mean.
        depth: The number of other candidates around it.
    """

    tokens: Sequence[Token]
    scope: Scope
    depth: int

    @property
    def span(self) -> tuple[int, int]:
        return self.tokens[0].start, self.tokens[-1].end + 1


class Text:
    """A statement's text. In what is read from it, a mark stands for each candidate within."""

    def __init__(self, sql: str) -> None:
        self.sql = sql
        self.spans: list[tuple[int, int]] = []

    def of(self, tokens: Sequence[Token]) -> str:
        return self.between(tokens[0].start, tokens[-1].end + 1) if tokens else ""

    def between(self, start: int, end: int, without: int | None = None) -> str:
        """A slice; `without`: the candidate that this slice is, and so not to be marked."""
        text, at = "", start
        for i, (first, last) in enumerate(self.spans):
            if at <= first and last <= end and i != without:
                text += self.sql[at:first] + mark(i)
                at = last
        return text + self.sql[at:end]


def candidates(tokens: Sequence[Token], sql: str, scope: Scope) -> list[Candidate]:
    """All candidates in the order of the text.

    Raises:
        UnsupportedQuery: A WITH clause is written in a way that is not understood.
    """
    return list(_expression(tokens, sql, scope, 0))


def _expression(tokens: Sequence[Token], sql: str, scope: Scope, depth: int) -> Iterator[Candidate]:
    """The candidates of a query, which may have a WITH, set operations, and parentheses around it or its parts."""
    if tokens[0].token_type == TokenType.WITH:
        node = tree_of(sql[tokens[0].start : tokens[-1].end + 1], exp.Query)
        bodies, tokens = _with(tokens)
        *tables, (_, inner) = scope.steps(node)
        if len(tables) != len(bodies):
            raise UnsupportedQuery("the WITH clause cannot be told apart")
        with_ = clause(node, "with")
        if with_ is not None and not with_.args.get("recursive"):
            for body, (_, seen) in zip(bodies, tables, strict=True):
                yield from _expression(body, sql, seen, depth + 1)
        scope = inner
    for branch in branches(tokens):
        if branch[0].token_type == TokenType.L_PAREN:
            yield from _expression(branch[1 : closing(branch)], sql, scope, depth)
        elif branch[0].token_type == TokenType.SELECT:
            yield Candidate(branch, scope, depth)
            for inside in _subqueries(clauses(branch).sources):
                yield from _expression(inside, sql, scope, depth + 1)


def main_part(tokens: Sequence[Token]) -> Sequence[Token]:
    """A statement without its WITH clause."""
    return _with(tokens)[1] if tokens[0].token_type == TokenType.WITH else tokens


def _with(tokens: Sequence[Token]) -> tuple[list[Sequence[Token]], Sequence[Token]]:
    """The bodies of a WITH clause, and the tokens after it."""
    bodies: list[Sequence[Token]] = []
    i = 1
    while True:
        while i < len(tokens) and tokens[i].token_type != TokenType.ALIAS:
            i = closing(tokens, i) + 1 if tokens[i].token_type == TokenType.L_PAREN else i + 1
        while i < len(tokens) and tokens[i].token_type != TokenType.L_PAREN:
            i += 1
        if i >= len(tokens):
            raise UnsupportedQuery("the WITH clause cannot be told apart")
        end = closing(tokens, i)
        bodies.append(tokens[i + 1 : end])
        i = end + 1
        if i < len(tokens) and tokens[i].token_type == TokenType.COMMA:
            i += 1
            continue
        return bodies, tokens[i:]


def _subqueries(sources: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """What stands in the parentheses of a FROM clause's subqueries, and of those in its joins in parentheses."""
    for step in steps(sources):
        item = step.item[1:] if step.item and step.item[0].token_type == TokenType.LATERAL else step.item
        if not item or item[0].token_type != TokenType.L_PAREN:
            continue
        inside = item[1 : closing(item)]
        yield from [inside] if is_query(inside) else _subqueries(inside)
