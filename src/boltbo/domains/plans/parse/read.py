"""Reading a text as sqlglot's tree and tokens, if it is one statement that only reads."""

from __future__ import annotations

from typing import TypeVar

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from boltbo.errors import NotASelect, SqlSyntaxError, UnsupportedQuery

T = TypeVar("T")

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Lock)


def read(sql: str) -> tuple[exp.Expr, list[Token]]:
    """A statement's tree, and its tokens without trailing semicolons.

    Raises:
        SqlSyntaxError, NotASelect: It is no SELECT that only reads.
    """
    if "\0" in sql:
        raise SqlSyntaxError("the SQL does not parse: it has a zero byte in it")
    try:
        tokens = sqlglot.tokenize(sql, read="postgres")
    except TokenError as error:
        raise SqlSyntaxError(f"the SQL does not parse: {error}") from error
    while tokens and tokens[-1].token_type == TokenType.SEMICOLON:
        tokens.pop()
    if not tokens:
        raise NotASelect("there is no statement")
    if tokens[0].token_type not in (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN):
        raise NotASelect(f"expected a SELECT, found {tokens[0].text.upper()}")
    try:
        trees = [t for t in sqlglot.parse(sql, read="postgres") if t is not None and not isinstance(t, exp.Semicolon)]
    except (ParseError, TokenError) as error:
        raise SqlSyntaxError(f"the SQL does not parse: {_position(error)}") from error
    if len(trees) != 1:
        raise NotASelect(f"expected one statement, found {len(trees)}")
    tree = trees[0]
    for node in tree.find_all(*_WRITES):
        word = "FOR UPDATE or FOR SHARE" if isinstance(node, exp.Lock) else node.key.upper()
        raise NotASelect(f"the statement does more than read: {word}")
    if not isinstance(tree, exp.Query):
        raise UnsupportedQuery(f"expected a SELECT, found {tree.key.upper()}")
    return tree, tokens


def tree_of(text: str, kind: type[T]) -> T:
    """The tree of a piece of a statement that parsed as a whole.

    Raises:
        UnsupportedQuery: By itself it is not of this kind to the parser.
    """
    try:
        tree = sqlglot.parse_one(text, read="postgres")
    except (ParseError, TokenError) as error:
        raise UnsupportedQuery(f"{text!r} cannot be told apart from what is around it") from error
    if not isinstance(tree, kind):
        raise UnsupportedQuery(f"{text!r} cannot be told apart from what is around it")
    return tree


def _position(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error)
    first = details[0]
    near = str(first.get("highlight") or "").strip()
    where = f"line {first.get('line')}, column {first.get('col')}"
    return f"{where}{f', near {near!r}' if near else ''}: {first.get('description')}"
