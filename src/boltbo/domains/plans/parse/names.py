"""Whose a name is: what relations and their columns are called, in a SELECT and in the subqueries within it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from sqlglot import exp

Columns = Mapping[str, Collection[str]]
"""table -> its columns"""

SYSTEM_COLUMNS = frozenset({"ctid", "tableoid", "xmin", "xmax", "cmin", "cmax"})


def fold(identifier: exp.Expr) -> str:
    """An identifier's true name: PostgreSQL folds the ones without quotes to lower case."""
    name = str(identifier.this)
    return name if identifier.args.get("quoted") else "".join(c.lower() if c.isascii() else c for c in name)


def quote(name: str) -> str:
    """A true name as SQL that is read as exactly this name."""
    return '"' + name.replace('"', '""') + '"'


def name_of(column: exp.Column) -> str:
    """A column's own name."""
    return fold(column.this) if isinstance(column.this, exp.Identifier) else "*"


def listed(columns: set[str]) -> tuple[str, ...]:
    """Column names in order; all there are but the system's are a star."""
    return ("*", *sorted(columns & SYSTEM_COLUMNS)) if "*" in columns else tuple(sorted(columns))


def clause(node: exp.Expr, name: str) -> exp.Expr | None:
    """FROM or WITH of a query; releases of sqlglot differ in the key."""
    child = node.args.get(f"{name}_") or node.args.get(name)
    return child if isinstance(child, exp.Expression) else None


def items(query: exp.Expr) -> list[exp.Expr]:
    """The items of a SELECT's FROM, or of a join in parentheses."""
    source = clause(query, "from")
    first = [source.this] if source is not None else [query] if isinstance(query, exp.Table | exp.Subquery) else []
    joined = [join.this for join in query.args.get("joins") or ()]
    return [*first, *joined, *(query.args.get("laterals") or ())]


def alias_of(item: exp.Expr) -> str | None:
    """What a FROM item is called; None: it has no one name."""
    alias = item.args.get("alias")
    identifier = alias.this if isinstance(alias, exp.TableAlias) else item.this if isinstance(item, exp.Table) else None
    return fold(identifier) if isinstance(identifier, exp.Identifier) else None


def join_in(item: exp.Expr) -> exp.Expr | None:
    """The join that stands in parentheses as an item of FROM, if it is one: its first item, which has the others."""
    inner = item.this if isinstance(item, exp.Subquery) and not item.args.get("alias") else None
    if isinstance(inner, exp.Subquery):
        return inner if inner.args.get("joins") or join_in(inner) is not None else None
    return inner if isinstance(inner, exp.Table) else None


@dataclass(frozen=True)
class Names:
    """Column names; not `complete`: there may be others."""

    known: tuple[str, ...] = ()
    complete: bool = False

    def __add__(self, other: Names) -> Names:
        return Names(self.known + other.known, self.complete and other.complete)

    def renamed(self, item: exp.Expr) -> Names:
        """The names as `AS alias (…)` leaves them."""
        alias = item.args.get("alias")
        listed = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        if not listed:
            return self
        new = tuple(fold(c.this if isinstance(c, exp.ColumnDef) else c) for c in listed)
        return Names(new + self.known[len(new) :], self.complete)


NOTHING = Names((), True)


@dataclass(frozen=True)
class CommonTable:
    """A common table expression: its columns, and the relations within it (see `query.Relation.inside`)."""

    names: Names
    inside: tuple[str, ...]


@dataclass(frozen=True)
class Scope:
    """The tables and common table expressions that a query sees."""

    tables: Columns = field(default_factory=dict)
    common: Mapping[str, CommonTable] = field(default_factory=dict)

    def steps(self, query: exp.Expr) -> Iterator[tuple[exp.Expr, Scope]]:
        """Each common table expression of a query's WITH with the scope that it sees; at last the query with its scope."""
        scope, with_ = self, clause(query, "with")
        tables = list(with_.expressions) if with_ is not None else []
        if with_ is not None and with_.args.get("recursive"):
            for table in tables:
                scope = scope._and(table, CommonTable(Names(), ()))
            inner = {alias_of(t) or "": tuple(_named(t.this)) for t in tables}
            everyone = tuple(dict.fromkeys(name for names in inner.values() for name in names))
            for table in tables:
                scope = scope._and(table, CommonTable(scope.outputs(table.this), everyone))
        for table in tables:
            yield table, scope
            scope = scope._and(table, CommonTable(scope.outputs(table.this), scope.inside(table.this)))
        yield query, scope

    def within(self, query: exp.Expr) -> Scope:
        """What the query itself sees, its WITH included."""
        *_, (_, scope) = self.steps(query)
        return scope

    def _and(self, table: exp.Expr, common: CommonTable) -> Scope:
        name = alias_of(table) or ""
        return replace(self, common={**self.common, name: replace(common, names=common.names.renamed(table))})

    def common_table(self, item: exp.Expr) -> CommonTable | None:
        """The common table expression that a FROM item names."""
        if not isinstance(item, exp.Table) or not isinstance(item.this, exp.Identifier) or item.args.get("db"):
            return None
        return self.common.get(fold(item.this))

    def columns(self, item: exp.Expr) -> Names:
        """The columns of a FROM item."""
        join = join_in(item)
        if join is not None:
            return sum((self.columns(part) for part in items(join)), NOTHING)
        return self._own_columns(item).renamed(item)

    def _own_columns(self, item: exp.Expr) -> Names:
        if isinstance(item, exp.Subquery | exp.Lateral):
            return self.outputs(item.this) if isinstance(item.this, exp.Query) else Names()
        if not isinstance(item, exp.Table):
            return Names()
        if not isinstance(item.this, exp.Identifier):
            alias = alias_of(item)  # a function: one column of its name, unless it returns rows
            return Names((alias,) if alias else ())
        common = self.common_table(item)
        if common is not None:
            return common.names
        full = ".".join(fold(part) for part in item.parts)
        columns = self.tables.get(full) or self.tables.get(fold(item.this))
        return Names(tuple(columns), True) if columns else Names()

    def outputs(self, query: exp.Expr) -> Names:
        """The columns that a query returns."""
        scope = self.within(query)
        if isinstance(query, exp.Subquery):
            return scope.outputs(query.this) if isinstance(query.this, exp.Query) else Names()
        if isinstance(query, exp.SetOperation):
            return scope.outputs(query.left)
        if not isinstance(query, exp.Select):
            return Names()
        merging = any(join.args.get("using") or join.args.get("method") for join in query.args.get("joins") or ())
        return sum((scope._outputs_of(item, items(query)) for item in query.expressions), Names((), not merging))

    def _outputs_of(self, output: exp.Expr, sources: list[exp.Expr]) -> Names:
        if isinstance(output, exp.Star):
            return sum((self.columns(source) for source in sources), NOTHING)
        if isinstance(output, exp.Column) and isinstance(output.this, exp.Star):
            named = [s for s in sources if alias_of(s) == fold(output.args["table"])]
            return self.columns(named[0]) if named else Names()
        identifier = output.args.get("alias") or (output.this if isinstance(output, exp.Column) else None)
        return Names((fold(identifier),), True) if isinstance(identifier, exp.Identifier) else Names()

    def inside(self, node: exp.Expr) -> tuple[str, ...]:
        """The aliases of all relations in a piece of SQL, those of the common table expressions that it names too."""
        aliases = list(_named(node))
        for table in node.find_all(exp.Table):
            common = self.common_table(table)
            aliases += common.inside if common is not None else ()
        return tuple(dict.fromkeys(aliases))


def _named(node: exp.Expr) -> Iterator[str]:
    for item in node.find_all(exp.Table, exp.Subquery, exp.Lateral, exp.Unnest, exp.Values):
        alias = alias_of(item)
        if alias is not None:
            yield alias
