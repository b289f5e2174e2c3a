"""Where clauses, joins and conjuncts begin and end, by tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END})
_SET_WORDS = frozenset({TokenType.UNION, TokenType.INTERSECT, TokenType.EXCEPT})
_RESULT_WORDS = frozenset({TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET, TokenType.FETCH})
"""What after a set operation belongs to its result, not to its last branch"""
_TAIL_WORDS = frozenset({TokenType.GROUP_BY, TokenType.HAVING, TokenType.WINDOW}) | _RESULT_WORDS
_JOIN_WORDS = frozenset(
    {TokenType.NATURAL, TokenType.INNER, TokenType.LEFT, TokenType.RIGHT, TokenType.FULL, TokenType.OUTER,
     TokenType.CROSS, TokenType.JOIN}
)  # fmt: skip
_QUERY_WORDS = frozenset({TokenType.SELECT, TokenType.WITH, TokenType.VALUES, TokenType.TABLE})


def depths(tokens: Sequence[Token]) -> Iterator[tuple[int, TokenType, Token]]:
    """Every token with its kind and the number of parentheses, brackets and CASEs around it (0 for the outermost).

    A keyword after a dot or AS is a name, and its kind says so.
    """
    depth, named = 0, False
    for token in tokens:
        kind = token.token_type
        if named and kind not in (TokenType.L_PAREN, TokenType.L_BRACKET):
            kind = TokenType.VAR
        named = kind in (TokenType.DOT, TokenType.ALIAS)
        if kind in _CLOSE:
            depth -= 1
        yield depth, kind, token
        if kind in _OPEN:
            depth += 1


def closing(tokens: Sequence[Token], start: int = 0) -> int:
    """The position of the parenthesis that closes the one at `start`."""
    for i, (depth, _, _) in enumerate(depths(tokens[start:])):
        if i and depth == 0:
            return start + i
    raise AssertionError("the statement parsed, so its parentheses close")


# -- query expressions ----------------------------------------------------------------------------------------------------


def branches(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """The operands of a chain of set operations (one where there is none), without ORDER BY and LIMIT of their result."""
    cuts = [i for i, (depth, kind, _) in enumerate(depths(tokens)) if depth == 0 and kind in _SET_WORDS]
    if not cuts:
        return [tokens]
    parts = []
    for start, end in zip([0, *(c + 1 for c in cuts)], [*cuts, len(tokens)], strict=True):
        piece = tokens[start:end]
        if start and piece[0].token_type in (TokenType.ALL, TokenType.DISTINCT):
            piece = piece[1:]
        parts.append(piece)
    ends = [i for i, (depth, kind, _) in enumerate(depths(parts[-1])) if depth == 0 and kind in _RESULT_WORDS]
    parts[-1] = parts[-1][: ends[0]] if ends else parts[-1]
    return parts


def is_query(tokens: Sequence[Token]) -> bool:
    """Whether what stands in parentheses is a query, and not a join."""
    if tokens[0].token_type != TokenType.L_PAREN:
        return tokens[0].token_type in _QUERY_WORDS
    end = closing(tokens)
    after = tokens[end + 1].token_type if end + 1 < len(tokens) else None
    return is_query(tokens[1:end]) and (after is None or after in _SET_WORDS or after in _RESULT_WORDS)


@dataclass
class Clauses:
    """The tokens of a SELECT, without the clauses' own first word; `tail` has everything after WHERE."""

    select: list[Token] = field(default_factory=list)
    sources: list[Token] = field(default_factory=list)
    where: list[Token] = field(default_factory=list)
    tail: list[Token] = field(default_factory=list)


def clauses(tokens: Sequence[Token]) -> Clauses:
    parts = Clauses()
    current = parts.select
    previous: TokenType | None = None
    for depth, kind, token in depths(tokens[1:]):
        if depth == 0 and current is not parts.tail:
            if kind == TokenType.FROM and current is parts.select and previous != TokenType.DISTINCT:
                current, previous = parts.sources, kind
                continue
            if kind == TokenType.WHERE and current is parts.sources:
                current = parts.where
                continue
            if kind in _TAIL_WORDS and current is not parts.select:
                current = parts.tail
        current.append(token)
        previous = kind
    return parts


# -- FROM -----------------------------------------------------------------------------------------------------------------


@dataclass
class Step:
    """One item of FROM and how it is joined.

    Attributes:
        words: `LEFT OUTER JOIN` and the like in capitals; a comma; empty for the first.
        tokens: All tokens of it, the words (not a comma) included.
        item: What is joined.
        on: The condition after ON.
        using: The names after USING, in their parentheses.
    """

    words: str
    tokens: list[Token] = field(default_factory=list)
    item: list[Token] = field(default_factory=list)
    on: list[Token] = field(default_factory=list)
    using: list[Token] = field(default_factory=list)


def steps(tokens: Sequence[Token]) -> list[Step]:
    """The items of a FROM clause, or of a join in parentheses. A join within a join that has no parentheses shows as one
    without a condition."""
    result = [Step("")]
    current = result[-1].item
    words: list[str] = []
    for i, (depth, kind, token) in enumerate(depths(tokens)):
        step = result[-1]
        if depth == 0 and kind == TokenType.COMMA and current is not step.using:
            result.append(Step(","))
            current = result[-1].item
            continue
        if depth == 0 and kind in _JOIN_WORDS and (words or _begins_join(tokens, i)):
            if not words:
                result.append(Step(""))
            words.append(token.text.upper())
            result[-1].tokens.append(token)
            if kind == TokenType.JOIN:
                result[-1].words, words = " ".join(words), []
                current = result[-1].item
            continue
        step.tokens.append(token)
        if depth == 0 and current is step.item and kind in (TokenType.ON, TokenType.USING):
            current = step.on if kind == TokenType.ON else step.using
            continue
        current.append(token)
    return result


def _begins_join(tokens: Sequence[Token], i: int) -> bool:
    """Whether these words lead to JOIN: `left` may be a function too."""
    for token in tokens[i:]:
        if token.token_type not in _JOIN_WORDS:
            return False
        if token.token_type == TokenType.JOIN:
            return True
    return False


# -- conditions -----------------------------------------------------------------------------------------------------------


def split_and(tokens: Sequence[Token]) -> list[list[Token]]:
    """Split at the outermost ANDs, but not at the AND of a BETWEEN."""
    pieces: list[list[Token]] = [[]]
    between = 0
    for depth, kind, token in depths(tokens):
        if depth == 0 and kind == TokenType.BETWEEN:
            between += 1
        if depth == 0 and kind == TokenType.AND:
            if between == 0:
                pieces.append([])
                continue
            between -= 1
        pieces[-1].append(token)
    return pieces
