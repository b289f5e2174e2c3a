"""From one SELECT to a `Block`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlglot import exp
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from boltbo.domains.plans.language.query import Block, ColumnRef, Relation, Residual
from boltbo.domains.plans.parse.classes import Classes, check_connected
from boltbo.domains.plans.parse.find import Candidate, Text
from boltbo.domains.plans.parse.grouped import check_grouped
from boltbo.domains.plans.parse.names import fold, listed, name_of, quote
from boltbo.domains.plans.parse.outside import outside
from boltbo.domains.plans.parse.owners import Owners
from boltbo.domains.plans.parse.read import tree_of
from boltbo.domains.plans.parse.sources import Sources, Using
from boltbo.domains.plans.parse.tokens import clauses, depths, split_and, steps
from boltbo.errors import UnsupportedQuery

MAX_RELATIONS = 100


class BlockParser:
    """The steps from a SELECT to a block, with what all need: the text, its tokens, what was learnt about the relations."""

    def __init__(self, candidate: Candidate, text: Text) -> None:
        self.text, self.clauses = text, clauses(candidate.tokens)
        self.scope = candidate.scope
        start, end = candidate.span
        self.tree = tree_of(text.sql[start:end], exp.Select)
        self.sources = Sources(text, candidate.scope)
        self.read: dict[str, set[str]] = {}
        self.filters: dict[str, list[str]] = {}
        self.residuals: list[Residual] = []
        self.classes = Classes()

    @property
    def size(self) -> int:
        """The number of relations, as far as it is known when something is refused."""
        return max(len(self.sources.order), len(steps(self.clauses.sources)) if self.clauses.sources else 0)

    def block(self) -> Block:
        """The block.

        Raises:
            UnsupportedQuery: The SELECT is none.
        """
        self._relations()
        for using in self.sources.using:
            self._using(using)
        for tokens, condition in self.sources.conditions:
            for text, conjunct in self._conjuncts(tokens, condition):
                self._place(text, conjunct, inner=True)
        if self.clauses.where:
            for text, conjunct in self._conjuncts(self.clauses.where, self.tree.args["where"].this):
                self._place(text, conjunct)
        self._outputs()
        self._float()
        if len(self.relations) > 1:
            check_grouped(self.tree)
        classes = self.classes.kept()
        for members in classes:
            for alias, column in members:
                self._needs(alias, column)
        relations = tuple(
            Relation(a, s.table, tuple(self.filters[a]), listed(self.read[a]), s.derived, s.renamed, s.inside)
            for a, s in self.relations.items()
        )
        select, tail = self._select(), self.text.of(self.clauses.tail)
        outer = "\n".join(floating.text for floating in self.sources.floating)
        block = Block(relations, classes, tuple(self.residuals), select, tail, outer)
        check_connected(block)
        if len(relations) < 2:
            raise UnsupportedQuery("one relation: there is no join to plan")
        return block

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _relations(self) -> None:
        if not self.clauses.sources:
            raise UnsupportedQuery("the SELECT has no FROM")
        self.relations = self.sources.read(self.clauses.sources).relations
        self.floats = {a: names for floating in self.sources.floating for a, names in floating.names.items()}
        names = {**{a: s.names for a, s in self.relations.items()}, **self.floats}
        self.owners = Owners(self.sources.order, names)
        self.read = {alias: set() for alias in self.relations}
        self.filters = {alias: [] for alias in self.relations}
        if not self.relations:
            raise UnsupportedQuery("no relation is there that does not depend on others")
        if len(self.relations) > MAX_RELATIONS:
            raise UnsupportedQuery(
                f"the query joins {len(self.relations)} relations; at most {MAX_RELATIONS} are supported"
            )

    def _using(self, using: Using) -> None:
        if any(isinstance(e, exp.Star) for e in self.tree.expressions):
            raise UnsupportedQuery("SELECT * over JOIN … USING is not supported; write ON, or list the columns")
        if self.floats:
            raise UnsupportedQuery("JOIN … USING beside an outer or a lateral join is not supported; write ON")
        complete = all(self.relations[a].names.complete for a in using.left)
        for column in using.columns:
            merged = self.owners.merged.get(column)
            owners = [a for a in using.left if self.owners.has(a, column)] if len(using.left) > 1 else using.left
            if merged is not None and merged[0] in using.left:
                owners = [merged[0]]
            elif len(using.left) > 1 and not complete:
                owners = []
            if len(owners) != 1:
                raise UnsupportedQuery(
                    f"USING ({column}) could mean several relations; write ON {using.right}.{column} = …"
                )
            self.classes.join((owners[0], column), (using.right, column))
            self.owners.merged[column] = owners[0], column

    def _float(self) -> None:
        """Note what the joins on top read."""
        for floating in self.sources.floating:
            sees_all = floating.sees and floating.before == len(self.relations)
            for part in floating.reads:
                for column, certain in outside(part, self.scope):
                    name = name_of(column)
                    owner = None if column.table else self.owners.owner(name)
                    if column.table:
                        self._needs(*self.owners.resolve(column))
                    elif owner is not None:
                        self._needs(owner, name)
                    elif sees_all:
                        self._everything()
                    elif certain or not self.owners.is_nowhere(name):
                        raise UnsupportedQuery(
                            f"column {name!r} of an outer or a lateral join could belong to several relations; "
                            f"write it as ALIAS.{name}"
                        )

    # -- text ---------------------------------------------------------------------------------------------------------

    def _select(self) -> str:
        """The SELECT list; a bare * is spelled out, for its order of columns is that of the FROM clause."""
        tokens = self.clauses.select
        if not tokens:
            raise UnsupportedQuery("the SELECT list is empty")
        stars = [
            t
            for i, (depth, kind, t) in enumerate(depths(tokens))
            if depth == 0
            and kind == TokenType.STAR
            and (i + 1 == len(tokens) or tokens[i + 1].token_type == TokenType.COMMA)
        ]
        merging = [floating.starred for floating in self.sources.floating if floating.starred]
        if stars and merging:
            raise UnsupportedQuery(f"SELECT * over a join with {merging[0]} is not supported; list the columns")
        text, at = "", tokens[0].start
        for star in stars:
            text += self.text.sql[at : star.start] + ", ".join(f"{quote(a)}.*" for a in self.sources.order)
            at = star.end + 1
        return text + self.text.sql[at : tokens[-1].end + 1]

    # -- conditions ---------------------------------------------------------------------------------------------------

    def _conjuncts(self, tokens: Sequence[Token], node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
        """The conjuncts with their text, in order; a parenthesised AND over one relation stays together."""
        if isinstance(node, exp.And):
            pieces, nodes = split_and(tokens), list(node.flatten(unnest=False))
            if len(pieces) != len(nodes):
                raise UnsupportedQuery(
                    f"the conditions of {self.text.of(tokens)!r} cannot be told apart; add parentheses"
                )
            for piece, part in zip(pieces, nodes, strict=True):
                yield from self._conjuncts(piece, part)
        elif isinstance(node, exp.Paren) and isinstance(node.unnest(), exp.And) and len(self._reads(node)[0]) > 1:
            yield from self._conjuncts(tokens[1:-1], node.this)
        else:
            yield self.text.of(tokens), node

    def _place(self, text: str, node: exp.Expr, inner: bool = False) -> None:
        """Put a conjunct where it belongs; `inner`: it is one of an inner join's ON."""
        bare = node.unnest()
        reads, vague = self._reads(node)
        aliases = frozenset(alias for alias, _ in reads)
        floating = sorted(aliases & self.floats.keys())
        if inner and floating:
            raise UnsupportedQuery(
                f"the inner join on {text!r} reads {floating[0]!r}, which an outer or a lateral join brings; "
                "such an order is not searched"
            )
        for a, b in self._equal(bare):
            self.classes.join(a, b)
            if isinstance(bare, exp.EQ) and a[0] != b[0]:
                return
        if len(aliases) == 1 and not floating:
            self.filters[next(iter(aliases))].append(text)
            return
        self.residuals.append(Residual(text, aliases))
        for alias, column in reads:
            self._needs(alias, column)
        if vague:
            self._everything()

    def _equal(self, node: exp.Expr) -> list[tuple[ColumnRef, ColumnRef]]:
        """The pairs of inner relations' columns that a condition makes equal: by itself, or in each branch of an OR."""
        if isinstance(node, exp.EQ):
            left, right = node.left.unnest(), node.right.unnest()
            if not (isinstance(left, exp.Column) and isinstance(right, exp.Column)):
                return []
            a, b = self.owners.resolve(left), self.owners.resolve(right)
            return [] if self.floats.keys() & {a[0], b[0]} else [(a, b)]
        if isinstance(node, exp.And):
            return [pair for part in node.flatten() for pair in self._equal(part.unnest())]
        if isinstance(node, exp.Or):
            first, *others = ([*self._equal(part.unnest())] for part in node.flatten())
            common = [{frozenset(pair) for pair in pairs} for pairs in others]
            return [pair for pair in first if pair[0][0] != pair[1][0] and all(frozenset(pair) in c for c in common)]
        return []

    # -- columns ------------------------------------------------------------------------------------------------------

    def _reads(self, node: exp.Expr) -> tuple[set[ColumnRef], bool]:
        """The columns that a condition reads, and whether a name in a subquery could be one too."""
        columns, vague = set(), False
        for column, certain in outside(node, self.scope):
            owner = None if certain else self.owners.owner(name_of(column))
            if certain:
                columns.add(self.owners.resolve(column))
            elif owner is not None:
                columns.add((owner, name_of(column)))
            elif not self.owners.is_nowhere(name_of(column)):
                vague = True
        return columns, vague

    def _outputs(self) -> None:
        """Note the columns that the SELECT list and the tail read."""
        parts = [*self.tree.expressions]
        parts += [v for k in ("distinct", "group", "having", "windows", "order") for v in _nodes(self.tree.args.get(k))]
        named = {fold(e.args["alias"]) for e in self.tree.expressions if isinstance(e, exp.Alias)}
        for part in parts:
            if isinstance(part, exp.Star):
                self._everything()
                continue
            for column, _ in outside(part, self.scope):
                name = name_of(column)
                if column.table:
                    self._needs(*self.owners.resolve(column))
                elif name in self.owners.merged:
                    raise UnsupportedQuery(f"column {name!r} of USING is read without its relation; write ALIAS.{name}")
                elif (owner := self.owners.owner(name)) is not None:
                    self._needs(owner, name)
                elif name not in named or name in self.relations:
                    # a whole row, or a name whose owner only the server knows: with every column kept, the steered
                    # statement resolves it as the original does
                    self._everything()

    def _everything(self) -> None:
        for alias in self.relations:
            self._needs(alias, "*")

    def _needs(self, alias: str, column: str) -> None:
        if alias in self.relations:
            self.read[alias].add(column)


def _nodes(value: object) -> list[exp.Expr]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, exp.Expression)]
