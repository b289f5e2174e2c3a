"""The FROM clause of one SELECT: the relations that its inner joins connect, and what floats on top of them.

Outer joins can be done after all inner ones: (a LEFT JOIN c ON p) JOIN d ON q is (a JOIN d ON q) LEFT JOIN c ON p where q
does not read c. The same goes for LATERAL items and functions of other relations' columns. They keep their text and order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from sqlglot import exp
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from boltbo.domains.plans.parse.find import Text
from boltbo.domains.plans.parse.names import Names, Scope, alias_of, clause, fold, items, join_in, quote
from boltbo.domains.plans.parse.outside import children, names_of, outside
from boltbo.domains.plans.parse.read import tree_of
from boltbo.domains.plans.parse.tokens import Step, closing, steps
from boltbo.errors import UnsupportedQuery

INNER = frozenset({"", ",", "JOIN", "INNER JOIN", "CROSS JOIN"})
OUTER = frozenset({"LEFT JOIN", "LEFT OUTER JOIN"})


@dataclass(frozen=True)
class Source:
    """A relation of the inner joins; see `query.Relation`."""

    alias: str
    table: str
    names: Names
    derived: bool = False
    renamed: str = ""
    inside: tuple[str, ...] = ()


@dataclass(frozen=True)
class Floating:
    """What is joined onto the inner joins.

    Attributes:
        text: The SQL of it.
        names: The columns of each alias that it brings.
        reads: The parts that may read other relations.
        before: The number of relations that stand before it.
        sees: Whether all of those could be read where it stood.
        starred: Why `*` cannot be spelled out, if it cannot.
    """

    text: str
    names: dict[str, Names]
    reads: tuple[exp.Expr, ...]
    before: int
    sees: bool
    starred: str = ""


@dataclass(frozen=True)
class Using:
    """JOIN right USING (columns), after these relations of the same chain of joins."""

    left: tuple[str, ...]
    right: str
    columns: tuple[str, ...]


@dataclass
class Sources:
    """A FROM clause.

    Attributes:
        relations: The relations by alias, in order.
        floating: What is joined onto them; see this module's text.
        order: All aliases in the order of `*`.
        conditions: The conditions after ON of the inner joins.
        using: The joins with USING.
    """

    text: Text
    scope: Scope
    relations: dict[str, Source] = field(default_factory=dict)
    floating: list[Floating] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    conditions: list[tuple[Sequence[Token], exp.Expr]] = field(default_factory=list)
    using: list[Using] = field(default_factory=list)

    def read(self, tokens: Sequence[Token], within: bool = False) -> Sources:
        """Add a FROM clause's items, or those of a join in parentheses `within` it.

        Raises:
            UnsupportedQuery: Some item is of another kind.
        """
        chain, commas = len(self.order), False
        for step in steps(tokens):
            if step.words == ",":
                chain, commas = len(self.order), True
            if not step.item or (step.words not in INNER | OUTER):
                raise UnsupportedQuery(
                    f"{step.words} is not supported; only inner and left joins are"
                    if step.item
                    else "the joins of FROM cannot be told apart; write the tables as a list and conditions in WHERE"
                )
            if step.words in ("JOIN", "INNER JOIN", *OUTER) and not step.on and not step.using:
                raise UnsupportedQuery(
                    "the joins of FROM cannot be told apart; write the tables as a list and conditions in WHERE"
                )
            self._add(step, tuple(self.order[chain:]), sees=not (commas or within))
        return self

    def _add(self, step: Step, left: tuple[str, ...], sees: bool) -> None:
        item = _item(self.text.sql, step.item)
        lateral = isinstance(item, exp.Lateral) or (_is_function(item) and any(True for _ in outside(item, self.scope)))
        if step.words in OUTER or lateral:
            self._float(step, item, sees or (lateral and step.words not in OUTER))
            return
        if join_in(item) is not None:
            if step.using:
                raise UnsupportedQuery("USING after a join in parentheses is not supported; write ON")
            self.read(step.item[1 : closing(step.item)], within=True)
        else:
            self._relation(step, item)
            if step.using:
                columns = tuple(_name(t) for t in step.using if t.text not in "(),")
                self.using.append(Using(left, self.order[-1], columns))
        if step.on:
            self.conditions.append((step.on, _condition(self.text.sql, step.on)))

    def _float(self, step: Step, item: exp.Expr, sees: bool) -> None:
        if step.using:
            raise UnsupportedQuery(f"{step.words} … USING is not supported; write ON")
        reads = [_condition(self.text.sql, step.on)] if step.on else []
        names: dict[str, Names] = {}
        for part in _parts(item):
            names |= dict.fromkeys(names_of(part), self.scope.columns(part))
            if isinstance(part, exp.Lateral):
                reads.append(part)
            elif _is_function(part):
                reads += [n for key, n in children(part) if key not in ("alias", "joins")]
        if not names:
            raise UnsupportedQuery(f"FROM has {item.sql('postgres')!r} without an alias; give it one")
        for alias in names:
            self._new(alias)
        text = self.text.of(step.tokens)
        merged = any(j.args.get("using") or j.args.get("method") for j in item.find_all(exp.Join))
        self.floating.append(
            Floating(
                f"CROSS JOIN {text}" if step.words in ("", ",") else text,
                names,
                tuple(reads),
                len(self.relations),
                sees,
                "USING or NATURAL" if merged and join_in(item) is not None else "",
            )
        )

    def _relation(self, step: Step, item: exp.Expr) -> None:
        alias = alias_of(item)
        plain = isinstance(item, exp.Table) and isinstance(item.this, exp.Identifier)
        usual = {"this", "db", "catalog", "alias"} | (set() if plain else {"ordinality"})
        if isinstance(item, exp.Table | exp.Subquery) and any(v for k, v in item.args.items() if k not in usual):
            raise UnsupportedQuery(f"FROM has {item.sql('postgres')!r}; only plain tables with an alias are supported")
        if alias is None or (not plain and not item.args.get("alias")):
            raise UnsupportedQuery(f"FROM has {item.sql('postgres')!r} without an alias; give it one")
        self._new(alias)
        common = self.scope.common_table(item)
        body, renamed = _split_alias(step.item, alias, bool(item.args.get("alias")))
        if plain and isinstance(item, exp.Table):
            table = ".".join(quote(fold(part)) if part.args.get("quoted") else fold(part) for part in item.parts)
        else:
            table = self.text.of(body)
        self.relations[alias] = Source(
            alias,
            table,
            self.scope.columns(item),
            not plain or common is not None,
            self.text.of(renamed),
            common.inside if common is not None else () if plain else self.scope.inside(_content(item)),
        )

    def _new(self, alias: str) -> None:
        if alias in self.order:
            raise UnsupportedQuery(f"two relations are called {alias!r}; give them different aliases")
        self.order.append(alias)


def _item(sql: str, tokens: Sequence[Token]) -> exp.Expr:
    tree = tree_of("SELECT 1 FROM " + sql[tokens[0].start : tokens[-1].end + 1], exp.Select)
    source = clause(tree, "from")
    if source is None or len(items(tree)) != 1:
        raise UnsupportedQuery(
            "the joins of FROM cannot be told apart; write the tables as a list and conditions in WHERE"
        )
    item: exp.Expr = source.this
    return item


def _condition(sql: str, tokens: Sequence[Token]) -> exp.Expr:
    tree = tree_of("SELECT 1 WHERE " + sql[tokens[0].start : tokens[-1].end + 1], exp.Select)
    condition: exp.Expr = tree.args["where"].this
    return condition


def _parts(item: exp.Expr) -> Iterator[exp.Expr]:
    """The items of a join in parentheses, or the one that there is."""
    join = join_in(item)
    if join is None:
        yield item
        return
    for part in items(join):
        yield from _parts(part)


def _is_function(item: exp.Expr) -> bool:
    return isinstance(item, exp.Unnest) or (isinstance(item, exp.Table) and not isinstance(item.this, exp.Identifier))


def _content(item: exp.Expr) -> exp.Expr:
    inner = item.this if isinstance(item, exp.Subquery | exp.Table) else None
    if isinstance(inner, exp.Expression):
        return inner
    bare = item.copy()
    bare.set("alias", None)
    return bare


def _split_alias(tokens: Sequence[Token], alias: str, given: bool) -> tuple[Sequence[Token], Sequence[Token]]:
    """What an alias is given to, and the column aliases after it in their parentheses."""
    if not given:
        return tokens, ()
    end = len(tokens)
    if tokens[-1].token_type == TokenType.R_PAREN:
        opened = [
            i for i, t in enumerate(tokens) if t.token_type == TokenType.L_PAREN and closing(tokens, i) == end - 1
        ]
        end = opened[0]
    name, rest = tokens[end - 1], tokens[end:]
    body = tokens[: end - 1]
    if body and body[-1].token_type == TokenType.ALIAS:
        body = body[:-1]
    if not body or _name(name) != alias:
        raise UnsupportedQuery(f"the alias {alias!r} cannot be told apart from what it is given to; write AS before it")
    return body, rest


def _name(token: Token) -> str:
    """A token's true name."""
    if token.token_type == TokenType.IDENTIFIER:
        return str(token.text)
    return "".join(c.lower() if c.isascii() else c for c in token.text)
