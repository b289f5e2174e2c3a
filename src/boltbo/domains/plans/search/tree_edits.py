"""Trees with something changed. What is taken out or replaced is a subtree by identity, not by equality."""

from __future__ import annotations

from boltbo.domains.plans.language.plan import Join, Operator, Plan, Scan, Tree, aliases_of


def with_tree(plan: Plan, i: int, tree: Tree) -> Plan:
    """The plan with another tree for one of its blocks."""
    return Plan((*plan.trees[:i], tree, *plan.trees[i + 1 :]))


def subtrees(tree: Tree) -> list[Tree]:
    """All subtrees, leaves too, inner ones first and the whole tree last."""
    collected: list[Tree] = []
    _collect(tree, collected)
    return collected


def _collect(tree: Tree, collected: list[Tree]) -> None:
    if isinstance(tree, Join):
        _collect(tree.left, collected)
        _collect(tree.right, collected)
    collected.append(tree)


def joins_of(tree: Tree) -> list[Join]:
    """The tree's joins, inner ones first."""
    return [subtree for subtree in subtrees(tree) if isinstance(subtree, Join)]


def replaced(tree: Tree, old: Tree, new: Tree) -> Tree:
    """The tree with another subtree in the place of one."""
    if tree is old:
        return new
    if isinstance(tree, Scan):
        return tree
    return Join(tree.operator, replaced(tree.left, old, new), replaced(tree.right, old, new))


def without(tree: Tree, piece: Tree) -> tuple[Tree, Operator]:
    """The tree without one of its subtrees, and the operator of the join that is gone with it."""
    join = next(j for j in joins_of(tree) if j.left is piece or j.right is piece)
    return replaced(tree, join, join.right if join.left is piece else join.left), join.operator


def grafted(tree: Tree, piece: Tree) -> Tree:
    """The tree without the relations of `piece`, which stands where the first of them stood."""
    inside, placed = set(aliases_of(piece)), False

    def visit(tree: Tree) -> Tree | None:
        nonlocal placed
        if isinstance(tree, Scan):
            if tree.alias not in inside:
                return tree
            first, placed = not placed, True
            return piece if first else None
        left, right = visit(tree.left), visit(tree.right)
        return Join(tree.operator, left, right) if left and right else left or right

    whole = visit(tree)
    assert whole is not None
    return whole
