"""From SQL text to a `Query`.

The structure comes from sqlglot's syntax tree; every piece of SQL that goes into the `Query` is a slice of the original
text, found by its tokens: no piece is ever generated anew, so that none can change its meaning.

    ValueError
    ├── SqlSyntaxError     the text does not parse
    ├── NotASelect         it is no single, read-only SELECT
    └── UnsupportedQuery   it is one, but not of the kind that can be steered
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokens import Token, TokenType  # type: ignore[attr-defined]

from boltbo.domains.plans.query import Block, ColumnRef, Query, Relation, Residual

Columns = Mapping[str, Collection[str]]
"""table -> its columns"""

MAX_RELATIONS = 100
SYSTEM_COLUMNS = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})

_WRITES = (exp.Insert, exp.Update, exp.Delete, exp.Merge, exp.Into, exp.Lock)
_OPEN = frozenset({TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.CASE})
_CLOSE = frozenset({TokenType.R_PAREN, TokenType.R_BRACKET, TokenType.END})
_JOIN_WORDS = frozenset({TokenType.COMMA, TokenType.JOIN, TokenType.INNER, TokenType.CROSS})
_TAIL_WORDS = frozenset(
    {TokenType.GROUP_BY, TokenType.HAVING, TokenType.WINDOW, TokenType.ORDER_BY, TokenType.LIMIT, TokenType.OFFSET,
     TokenType.FETCH}
)  # fmt: skip


class SqlSyntaxError(ValueError):
    """The text is no SQL that the parser understands. The message says at which line and column."""


class NotASelect(ValueError):
    """The text is not one SELECT that only reads."""


class UnsupportedQuery(ValueError):
    """A SELECT that is not one block of inner joins over base tables. The message says what stands in the way."""


def parse_query(sql: str, columns: Columns | None = None) -> Query:
    """Parse one SELECT over inner joins of base tables.

    Args:
        sql: The statement, with or without a semicolon.
        columns: The columns of the tables, to resolve names that are written without their relation. Without it, such
            names are refused in WHERE and ON; elsewhere they make every relation keep all its columns.

    Raises:
        SqlSyntaxError, NotASelect, UnsupportedQuery: See this module's text.
    """
    tree, tokens = _read(sql)
    return _Parser(sql, tree, tokens, columns or {}).query()


def _read(sql: str) -> tuple[exp.Select, list[Token]]:
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
    if isinstance(tree, exp.SetOperation):
        raise UnsupportedQuery(f"{tree.key.upper()} is not supported")
    if not isinstance(tree, exp.Select):
        raise UnsupportedQuery(f"expected a plain SELECT, found {tree.key.upper()}")
    return tree, tokens


def _position(error: Exception) -> str:
    details = getattr(error, "errors", None)
    if not details:
        return str(error)
    first = details[0]
    near = str(first.get("highlight") or "").strip()
    where = f"line {first.get('line')}, column {first.get('col')}"
    return f"{where}{f', near {near!r}' if near else ''}: {first.get('description')}"


class _Parser:
    """Holds what all steps need: the text, its tokens, and what is learnt on the way about the relations."""

    def __init__(self, sql: str, tree: exp.Select, tokens: list[Token], known: Columns) -> None:
        self.sql, self.tree, self.tokens, self.known = sql, tree, tokens, known
        self.tables: dict[str, str] = {}
        self.joins: list[exp.Join] = list(tree.args.get("joins") or ())
        self.read: dict[str, set[str]] = {}
        self.filters: dict[str, list[str]] = {}
        self.residuals: list[Residual] = []
        self.classes = _Classes()
        self.merged: set[str] = set()

    def query(self) -> Query:
        self._relations()
        select, sources, where, tail = self._clauses()
        for join in self.joins:
            self._using(join)
        for piece, node in self._conditions(sources, where):
            for text, conjunct in self._conjuncts(piece, node):
                self._place(text, conjunct)
        self._outputs()
        self._grouped()
        classes = self.classes.kept()
        for members in classes:
            for alias, column in members:
                self._needs(alias, column)
        relations = tuple(
            Relation(alias, table, tuple(self.filters[alias]), _listed(self.read[alias]))
            for alias, table in self.tables.items()
        )
        sql = self.sql[: self.tokens[-1].end + 1]
        block = Block(relations, classes, tuple(self.residuals), self._select(select), self._text(tail))
        query = Query(sql, (block,))
        _check_connected(query)
        return query

    # -- FROM ---------------------------------------------------------------------------------------------------------

    def _relations(self) -> None:
        if self.tree.args.get("with_") or self.tree.args.get("with"):
            raise UnsupportedQuery("WITH (common table expressions) is not supported")
        source = self.tree.args.get("from_") or self.tree.args.get("from")
        if source is None:
            raise UnsupportedQuery("the SELECT has no FROM")
        if self.tree.args.get("laterals"):
            raise UnsupportedQuery("LATERAL is not supported")
        for item in [source.this, *(j.this for j in self.joins)]:
            self._relation(item)
        for join in self.joins:
            kind = " ".join(str(join.args.get(k) or "") for k in ("method", "side", "kind")).strip().upper()
            if kind not in ("", "INNER", "CROSS"):
                raise UnsupportedQuery(f"{kind} JOIN is not supported; only inner joins are")
        if len(self.tables) > MAX_RELATIONS:
            raise UnsupportedQuery(
                f"the query joins {len(self.tables)} relations; at most {MAX_RELATIONS} are supported"
            )

    def _relation(self, item: exp.Expr) -> None:
        if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier):
            what = "a subquery" if isinstance(item, exp.Subquery) else f"{item.sql('postgres')!r}"
            raise UnsupportedQuery(f"FROM has {what}; only base tables are supported")
        extra = [k for k, v in item.args.items() if v and k not in ("this", "db", "catalog", "alias")]
        alias = item.args.get("alias")
        if extra or (alias is not None and alias.args.get("columns")):
            raise UnsupportedQuery(f"FROM has {item.sql('postgres')!r}; only plain tables with an alias are supported")
        name = _fold(alias.this) if alias is not None else _fold(item.this)
        if name in self.tables:
            raise UnsupportedQuery(f"two relations are called {name!r}; give them different aliases")
        self.tables[name] = ".".join(
            quote(_fold(part)) if part.args.get("quoted") else _fold(part) for part in item.parts
        )
        self.read[name], self.filters[name] = set(), []

    def _using(self, join: exp.Join) -> None:
        names = join.args.get("using") or ()
        if not names:
            return
        if any(isinstance(e, exp.Star) for e in self.tree.expressions):
            raise UnsupportedQuery("SELECT * over JOIN … USING is not supported; write ON, or list the columns")
        right = _fold(join.this.args["alias"].this) if join.this.args.get("alias") else _fold(join.this.this)
        left = list(self.tables)[: list(self.tables).index(right)]
        for identifier in names:
            column = _fold(identifier if isinstance(identifier, exp.Identifier) else identifier.this)
            owners = [a for a in left if self._has(a, column)] if len(left) > 1 else left
            if len(owners) != 1:
                raise UnsupportedQuery(f"USING ({column}) could mean several relations; write ON {right}.{column} = …")
            self.classes.join((owners[0], column), (right, column))
            self.merged.add(column)

    # -- clauses ------------------------------------------------------------------------------------------------------

    def _clauses(self) -> tuple[list[Token], list[Token], list[Token], list[Token]]:
        """The tokens of the SELECT list, FROM, WHERE and everything after, without the clauses' own first word."""
        select: list[Token] = []
        sources: list[Token] = []
        where: list[Token] = []
        tail: list[Token] = []
        current = select
        previous: TokenType | None = None
        for depth, kind, token in _depths(self.tokens[1:]):
            if depth == 0 and current is not tail:
                if kind == TokenType.FROM and current is select and previous != TokenType.DISTINCT:
                    current, previous = sources, kind
                    continue
                if kind == TokenType.WHERE and current is sources:
                    current = where
                    continue
                if kind in _TAIL_WORDS and current is not select:
                    current = tail
            current.append(token)
            previous = kind
        return select, sources, where, tail

    def _select(self, tokens: list[Token]) -> str:
        """The SELECT list; a bare * is spelled out, for its order of columns is that of the FROM clause."""
        stars = [
            t
            for i, (depth, kind, t) in enumerate(_depths(tokens))
            if depth == 0
            and kind == TokenType.STAR
            and (i + 1 == len(tokens) or tokens[i + 1].token_type == TokenType.COMMA)
        ]
        if not tokens:
            raise UnsupportedQuery("the SELECT list is empty")
        text, at = "", tokens[0].start
        for star in stars:
            text += self.sql[at : star.start] + ", ".join(f"{quote(a)}.*" for a in self.tables)
            at = star.end + 1
        return text + self.sql[at : tokens[-1].end + 1]

    def _text(self, tokens: Sequence[Token]) -> str:
        return self.sql[tokens[0].start : tokens[-1].end + 1] if tokens else ""

    # -- conditions ---------------------------------------------------------------------------------------------------

    def _conditions(self, sources: list[Token], where: list[Token]) -> Iterator[tuple[list[Token], exp.Expr]]:
        pieces: list[list[Token]] = []
        inside = False
        for depth, kind, token in _depths(sources):
            if depth == 0 and kind == TokenType.ON:
                pieces.append([])
                inside = True
            elif depth == 0 and kind in _JOIN_WORDS:
                inside = False
            elif inside:
                pieces[-1].append(token)
        nodes = [j.args["on"] for j in self.joins if j.args.get("on")]
        if len(nodes) != len(pieces):
            raise UnsupportedQuery(
                "the joins of FROM cannot be told apart; write the tables as a list and conditions in WHERE"
            )
        yield from zip(pieces, nodes, strict=True)
        if where:
            yield where, self.tree.args["where"].this

    def _conjuncts(self, tokens: list[Token], node: exp.Expr) -> Iterator[tuple[str, exp.Expr]]:
        """The conjuncts with their text, in order; a parenthesised AND over one relation stays together."""
        if isinstance(node, exp.And):
            pieces, nodes = _split_and(tokens), list(node.flatten(unnest=False))
            if len(pieces) != len(nodes):
                raise UnsupportedQuery(
                    f"the conditions of {self._text(tokens)!r} cannot be told apart; add parentheses"
                )
            for piece, part in zip(pieces, nodes, strict=True):
                yield from self._conjuncts(piece, part)
        elif isinstance(node, exp.Paren) and isinstance(node.unnest(), exp.And) and len(self._reads(node)) > 1:
            yield from self._conjuncts(tokens[1:-1], node.this)
        else:
            yield self._text(tokens), node

    def _place(self, text: str, node: exp.Expr) -> None:
        bare = node.unnest()
        if isinstance(bare, exp.EQ):
            left, right = bare.left.unnest(), bare.right.unnest()
            if isinstance(left, exp.Column) and isinstance(right, exp.Column):
                a, b = self._resolve(left), self._resolve(right)
                self.classes.join(a, b)
                if a[0] != b[0]:
                    return
        reads = self._reads(node)
        aliases = frozenset(alias for alias, _ in reads)
        if len(aliases) == 1:
            self.filters[next(iter(aliases))].append(text)
            return
        if aliases and next(node.find_all(exp.Query), None) is not None:
            raise UnsupportedQuery(f"a subquery in a condition over several relations is not supported: {text!r}")
        self.residuals.append(Residual(text, aliases))
        for alias, column in reads:
            self._needs(alias, column)

    # -- columns ------------------------------------------------------------------------------------------------------

    def _reads(self, node: exp.Expr) -> set[ColumnRef]:
        return {self._resolve(column) for column in _outer_columns(node, frozenset(self.tables))}

    def _outputs(self) -> None:
        """Note the columns that the SELECT list and the tail read."""
        parts = [*self.tree.expressions]
        parts += [v for k in ("distinct", "group", "having", "windows", "order") for v in _nodes(self.tree.args.get(k))]
        named = {_fold(e.args["alias"]) for e in self.tree.expressions if isinstance(e, exp.Alias)}
        for part in parts:
            if isinstance(part, exp.Star):
                self._everything()
                continue
            for column in _outer_columns(part, frozenset(self.tables), inner_names=True):
                name = _fold(column.this) if isinstance(column.this, exp.Identifier) else "*"
                if column.table:
                    self._needs(*self._resolve(column))
                elif name in self.merged:
                    raise UnsupportedQuery(f"column {name!r} of USING is read without its relation; write ALIAS.{name}")
                elif len(owners := [a for a in self.tables if self._has(a, name)]) == 1:
                    self._needs(owners[0], name)
                elif name not in named or name in self.tables:
                    # a whole row, or a name whose owner only the server knows: with every column kept, the steered
                    # statement resolves it as the original does
                    self._everything()

    def _grouped(self) -> None:
        """Refuse a SELECT of a column that only depends on a grouped key: the server sees that in base tables alone."""
        group = self.tree.args.get("group")
        if group is None or len(self.tables) == 1 or any(v for k, v in group.args.items() if k != "expressions"):
            return
        ordinals = {int(e.name) for e in group.expressions if isinstance(e, exp.Literal) and not e.is_string}
        columns = {(c.table.lower(), c.name.lower()) for c in group.expressions if isinstance(c, exp.Column)}
        for position, item in enumerate(self.tree.expressions, 1):
            column = item.unalias()
            if not isinstance(column, exp.Column) or position in ordinals:
                continue
            table, output = column.table.lower(), item.alias_or_name.lower()
            fitting = {c for t, c in columns if t == table or not t or not table}
            if column.name.lower() not in fitting and ("", output) not in columns:
                raise UnsupportedQuery(
                    f"SELECT reads {column.sql('postgres')}, which GROUP BY does not name; add it there"
                )

    def _everything(self) -> None:
        for alias in self.tables:
            self._needs(alias, "*")

    def _needs(self, alias: str, column: str) -> None:
        self.read[alias].add(column)

    def _has(self, alias: str, column: str) -> bool:
        """Whether a name without a relation is known to be this relation's."""
        if len(self.tables) == 1:
            return True
        table = self.tables[alias]
        return column in (self.known.get(table) or self.known.get(table.rpartition(".")[2]) or ())

    def _resolve(self, column: exp.Column) -> ColumnRef:
        name = _fold(column.this) if isinstance(column.this, exp.Identifier) else "*"
        if column.args.get("db"):
            raise UnsupportedQuery(
                f"column {column.sql('postgres')} is written with its schema; give the table an alias"
            )
        if column.table:
            alias = _fold(column.args["table"])
            if alias not in self.tables:
                raise UnsupportedQuery(f"column {column.sql('postgres')}: FROM has no relation {alias!r}")
            return alias, name
        owners = [a for a in self.tables if self._has(a, name)]
        if len(owners) != 1:
            raise UnsupportedQuery(f"column {name!r} could belong to several relations; write it as ALIAS.{name}")
        return owners[0], name


class _Classes:
    """Union-find over columns."""

    def __init__(self) -> None:
        self._class: dict[ColumnRef, list[ColumnRef]] = {}

    def join(self, a: ColumnRef, b: ColumnRef) -> None:
        into, other = self._class.setdefault(a, [a]), self._class.setdefault(b, [b])
        if into is not other:
            into.extend(other)
            for member in other:
                self._class[member] = into

    def kept(self) -> tuple[tuple[ColumnRef, ...], ...]:
        """The classes over at least two relations, everything in the order in which the query names it."""
        groups: dict[int, list[ColumnRef]] = {}
        for member, members in self._class.items():
            groups.setdefault(id(members), []).append(member)
        return tuple(tuple(m) for m in groups.values() if len({alias for alias, _ in m}) > 1)


def _outer_columns(node: exp.Expr, outer: frozenset[str], inner_names: bool = False) -> Iterator[exp.Column]:
    """The columns below `node` that belong to the query itself, not to a subquery within it.

    A name without a relation inside a subquery is taken as the subquery's own, unless `inner_names` asks for it too.
    """

    def walk(node: exp.Expr, hidden: frozenset[str], inside: bool) -> Iterator[exp.Column]:
        if isinstance(node, exp.Column):
            own = _fold(node.args["table"]) in hidden if node.table else inside and not inner_names
            if not own:
                yield node
        if isinstance(node, exp.Query):
            hidden, inside = hidden | _own_names(node), True
        for child in node.iter_expressions():
            yield from walk(child, hidden, inside)

    yield from walk(node, frozenset(), False)


def _own_names(query: exp.Query) -> frozenset[str]:
    """What a subquery calls the relations of its own FROM."""
    source = query.args.get("from_") or query.args.get("from")
    items = [source.this] if source is not None else []
    items += [join.this for join in query.args.get("joins") or ()]
    items += query.args.get("laterals") or ()
    names = set()
    for item in items:
        alias = item.args.get("alias")
        identifier = alias.this if alias is not None else item.this
        if isinstance(identifier, exp.Identifier):
            names.add(_fold(identifier))
    return frozenset(names)


def _nodes(value: object) -> list[exp.Expr]:
    values = value if isinstance(value, list) else [value]
    return [v for v in values if isinstance(v, exp.Expression)]


def _depths(tokens: Sequence[Token]) -> Iterator[tuple[int, TokenType, Token]]:
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


def _split_and(tokens: list[Token]) -> list[list[Token]]:
    """Split at the outermost ANDs, but not at the AND of a BETWEEN."""
    pieces: list[list[Token]] = [[]]
    between = 0
    for depth, kind, token in _depths(tokens):
        if depth == 0 and kind == TokenType.BETWEEN:
            between += 1
        if depth == 0 and kind == TokenType.AND:
            if between == 0:
                pieces.append([])
                continue
            between -= 1
        pieces[-1].append(token)
    return pieces


def _fold(identifier: exp.Expr) -> str:
    """An identifier's true name: PostgreSQL folds the ones without quotes to lower case."""
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else "".join(c.lower() if c.isascii() else c for c in name)


def quote(name: str) -> str:
    """A true name as SQL that is read as exactly this name."""
    return '"' + name.replace('"', '""') + '"'


def _listed(columns: set[str]) -> tuple[str, ...]:
    if "*" in columns:
        return ("*", *sorted(columns & SYSTEM_COLUMNS))
    return tuple(sorted(columns))


def _check_connected(query: Query) -> None:
    reached, frontier = 1, 1
    while frontier:
        i = frontier.bit_length() - 1
        frontier &= ~(1 << i)
        new = query.neighbours[i] & ~reached
        reached, frontier = reached | new, frontier | new
    apart = [r.alias for i, r in enumerate(query.relations) if not reached >> i & 1]
    if apart:
        raise UnsupportedQuery(
            f"{', '.join(apart)}: no equality of columns joins this to {query.aliases[0]}; cross products are not supported"
        )
