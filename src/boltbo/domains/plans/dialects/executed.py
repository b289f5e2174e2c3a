"""What a server executed, written down: as hints for the untouched statement, and as one line to compare plans by."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from boltbo.domains.plans.dialects.hints import METHOD_HINTS, OPERATOR_HINTS, hint_name
from boltbo.domains.plans.language.explain import JOINS, SCANS, SUFFIX, Node, is_input

_PASSING = frozenset({"Hash", "Subquery Scan", "Materialize", "Sort", "Incremental Sort"})
"""Nodes that add nothing to what the joins around them say"""


def hints_of_explain(top: Node, aliases: Collection[str]) -> list[str]:
    """Leading, operator and scan hints that make pg_hint_plan do to the query's own text what the server did.

    Args:
        top: The top plan node of EXPLAIN (FORMAT JSON), of any statement of the query.
        aliases: Aliases of the query.
    """
    searched = frozenset(aliases)
    exact = {node["Alias"] for node in _nodes(top) if "Alias" in node}
    hints: list[str] = []

    def name(node: Node) -> str:
        base = SUFFIX.sub("", node["Alias"])
        inside_lateral = base in searched and node["Alias"] not in searched and base not in exact
        return hint_name(base if inside_lateral else node["Alias"])

    def visit(node: Node) -> tuple[str, list[str]] | None:
        """The nested pairs and the names below a node, where it is one join tree or one scan."""
        kind = node["Node Type"]
        if kind in SCANS:
            hints.append(f"{METHOD_HINTS[SCANS[kind]]}({name(node)})")
            return name(node), [name(node)]
        children = [visit(child) for child in node.get("Plans", ())]
        inputs = [c for c, n in zip(children, node.get("Plans", ()), strict=True) if c and is_input(n)]
        if kind in JOINS and len(inputs) == 2:
            (left, ours), (right, theirs) = inputs
            hints.append(f"{OPERATOR_HINTS[JOINS[kind]]}({' '.join([*ours, *theirs])})")
            return f"({left} {right})", [*ours, *theirs]
        if kind == "Subquery Scan" and inputs and node["Alias"] not in searched:
            return inputs[0]
        if len(inputs) == 1 and kind != "Subquery Scan":
            return inputs[0]
        for pairs, names in inputs:
            if len(names) > 1:
                hints.append(f"Leading({pairs})")
        return None

    whole = visit(top)
    if whole is not None and len(whole[1]) > 1:
        hints.append(f"Leading({whole[0]})")
    return hints


def shape_of(top: Node, aliases: Collection[str]) -> str:
    """A plan's operators, sides and scans in one line, without its estimates.

    The names that a lateral subquery gets are those of its relation, so that one plan in two dialects has one shape.
    """
    searched = frozenset(aliases)

    def write(node: Node) -> str:
        parts = [write(child) for child in node.get("Plans", ()) if is_input(child)]
        kind = node["Node Type"]
        alias = node.get("Alias")
        if alias is not None and kind != "Subquery Scan":
            base = SUFFIX.sub("", alias)
            index = f" {node['Index Name']}" if "Index Name" in node else ""
            return f"{kind} {base if base in searched else alias}{index}"
        if len(parts) == 1 and kind in _PASSING:
            return parts[0]
        return f"{kind}({', '.join(parts)})"

    return write(top)


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.get("Plans", ()):
        yield from _nodes(child)
