"""Join trees as strings that change by moves, for search without a box (see `problem.StringSpace`).

The neighbours of a tree in randomized join ordering (Ioannidis & Kang, "Randomized algorithms for optimizing large join
queries", SIGMOD 1990; Swami, SIGMOD 1989), and one more:

    operator    one join gets another operator
    turn        the sides of one nested loop change places
    rotate      (a b) c becomes (a c) b: the associative and exchange moves
    regraft     a subtree is taken out and joined to another place: what rotations do in many steps
    mode        every `hash` becomes `join`, or back, where the two exclude each other

A query of a dozen relations has 50 to 100 plans one move away. What is not a plan of the query, for a cross product mostly,
is drawn again. The server's own plans change from the trees that the server uses.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from itertools import accumulate
from typing import Any

import numpy as np

from boltbo.domains.plans.language.canonical import around, canonical_plan
from boltbo.domains.plans.language.grammar import PlanGrammar
from boltbo.domains.plans.language.plan import (
    EXCLUSIVE,
    PLAIN_SQL,
    Abilities,
    Join,
    Operator,
    Plan,
    Scan,
    Tree,
)
from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.language.spelling import spell
from boltbo.domains.plans.search.server_trees import ServerTrees, server_plan
from boltbo.domains.plans.search.tree_edits import grafted, joins_of, replaced, subtrees, with_tree, without
from boltbo.errors import InvalidCandidate

TRIES = 20
"""Moves drawn at most for one that gives another plan of the query"""

REMEMBERED = 4096
"""Plans whose trees are kept, so that they need not be read again"""

Move = Callable[[Plan, np.random.Generator], Plan | None]
"""A plan and a source of randomness -> the changed plan, valid or not; None where this one cannot change so"""

Change = Callable[[Tree, np.random.Generator], Tree | None]
"""A move within one tree that has a join at least"""

OUTER = 0.7
"""How often what is joined to another place is its right side, the inner one of a nested loop"""


class PlanMoves:
    """The join trees of one query and their neighbours (see `problem.StringSpace`); an edit is a move.

    Args:
        query: The query.
        server_trees: What the server makes of `default …` candidates: they change from their trees.
        abilities: What may be written; at least one operator.
    """

    optimizer = "screened"

    def __init__(self, query: Query, server_trees: ServerTrees | None = None, abilities: Abilities = PLAIN_SQL) -> None:
        self.query, self.abilities = query, abilities
        self._grammar = PlanGrammar(query, abilities)
        self._server_trees = server_trees or (lambda _: None)
        self._plans: dict[str, Plan] = {}
        moves: list[tuple[float, Move]] = [
            (0.35, self._operator),
            (0.25, partial(_in_one_tree, _rotated)),
            (0.27, partial(_in_one_tree, self._regrafted)),
        ]
        if abilities.sided and Operator.NEST in abilities.operators:
            moves.append((0.1, partial(_in_one_tree, _turned)))
        if abilities.exclusive:
            moves.append((0.03, _in_other_mode))
        self._moves = [move for _, move in moves]
        self._ends = list(accumulate(share for share, _ in moves))

    def symbols(self, candidate: str) -> Sequence[str]:
        return spell(self._plan(candidate)).split()

    def mutants(self, candidate: str, edits: int, n: int, rng: np.random.Generator) -> list[str]:
        plan = self._plan(candidate)
        mutants = []
        for count in rng.integers(1, edits + 1, size=n).tolist():
            mutant = plan
            for _ in range(count):
                mutant = self._moved(mutant, rng)
            if mutant != plan:
                mutants.append(self._spelled(mutant))
        return mutants

    def crossed(self, one: str, other: str, n: int, rng: np.random.Generator) -> list[str]:
        """See `StringSpace`. A subtree of `one` stands in `other` where the first of its relations stood."""
        ours, theirs = self._plan(one), self._plan(other)
        pieces = [(i, piece) for i, tree in enumerate(ours.trees) for piece in joins_of(tree)[:-1]]
        children = []
        for at in rng.integers(len(pieces), size=n).tolist() if pieces else []:
            i, piece = pieces[at]
            trees = list(theirs.trees)
            trees[i] = grafted(trees[i], piece)
            try:
                child = canonical_plan(_in_one_mode(Plan(tuple(trees)), self.abilities), self.query, self.abilities)
            except InvalidCandidate:
                continue
            if child not in (ours, theirs):
                children.append(self._spelled(child))
        return children

    def _plan(self, candidate: str) -> Plan:
        """The candidate's trees.

        Raises:
            InvalidCandidate: It is no plan of this query, or nobody knows what the server makes of it.
        """
        if candidate not in self._plans:
            plan = self._grammar.parse(candidate)
            if not plan.trees:
                plan = server_plan(plan, self._server_trees, self.query, self.abilities)
            self._plans[candidate] = plan
        return self._plans[candidate]

    def _spelled(self, plan: Plan) -> str:
        """The text of a canonical plan, which is soon asked about."""
        text = spell(plan)
        if len(self._plans) > REMEMBERED:
            self._plans.clear()
        self._plans[text] = plan
        return text

    def _moved(self, plan: Plan, rng: np.random.Generator) -> Plan:
        """A plan one move away; the plan itself where none was found."""
        for _ in range(TRIES):
            move = self._moves[bisect_right(self._ends, rng.random() * self._ends[-1])]
            changed = move(plan, rng)
            if changed is None:
                continue
            try:
                canonical = canonical_plan(changed, self.query, self.abilities)
            except InvalidCandidate:
                continue
            if canonical != plan:
                return canonical
        return plan

    # --- the moves that the abilities and the query have a say in ---------------------------------------------------------

    def _operator(self, plan: Plan, rng: np.random.Generator) -> Plan | None:
        """One join gets another operator; the sides of a new nested loop are either way round."""
        joins = [(i, join) for i, tree in enumerate(plan.trees) for join in joins_of(tree)]
        if not joins:
            return None
        i, join = _one_of(joins, rng)
        others = [o for o in self.abilities.operators if o != join.operator]
        if self.abilities.exclusive and (written := _forced(plan)):
            others = [o for o in others if o == Operator.NEST or o in written]
        if not others:
            return None
        sides = (join.right, join.left) if rng.random() < 0.5 else (join.left, join.right)
        return with_tree(plan, i, replaced(plan.trees[i], join, Join(_one_of(others, rng), *sides)))

    def _regrafted(self, tree: Tree, rng: np.random.Generator) -> Tree | None:
        """A subtree is joined to another place that it shares a column with."""
        piece = _one_of(subtrees(tree)[:-1], rng)
        rest, operator = without(tree, piece)
        near = around(self.query.neighbours, self._masked(piece, []))
        reachable: list[tuple[Tree, int]] = []
        self._masked(rest, reachable)
        places = [place for place, mask in reachable if near & mask]
        if not places:
            return None
        place = _one_of(places, rng)
        sides = (place, piece) if rng.random() < OUTER else (piece, place)
        return replaced(rest, place, Join(operator, *sides))

    def _masked(self, tree: Tree, subtrees: list[tuple[Tree, int]]) -> int:
        """The tree's relations as a bit mask; appends all subtrees with theirs, in the order of `tree_edits.subtrees`."""
        if isinstance(tree, Scan):
            mask = 1 << self.query.index[tree.alias]
        else:
            mask = self._masked(tree.left, subtrees) | self._masked(tree.right, subtrees)
        subtrees.append((tree, mask))
        return mask


def _one_of(choices: Sequence[Any], rng: np.random.Generator) -> Any:
    return choices[int(rng.integers(len(choices)))]


# --- the other moves ----------------------------------------------------------------------------------------------------


def _in_one_tree(change: Change, plan: Plan, rng: np.random.Generator) -> Plan | None:
    trees = [i for i, tree in enumerate(plan.trees) if isinstance(tree, Join)]
    if not trees:
        return None
    i = _one_of(trees, rng)
    changed = change(plan.trees[i], rng)
    return None if changed is None else with_tree(plan, i, changed)


def _turned(tree: Tree, rng: np.random.Generator) -> Tree | None:
    """The sides of a nested loop change places."""
    nests = [join for join in joins_of(tree) if join.operator == Operator.NEST]
    if not nests:
        return None
    join = _one_of(nests, rng)
    return replaced(tree, join, Join(join.operator, join.right, join.left))


def _rotated(tree: Tree, rng: np.random.Generator) -> Tree | None:
    """(a b) c becomes (a c) b; the operators stay where they are, or change places, too."""
    below = [(join, side) for join in joins_of(tree) for side in (join.left, join.right) if isinstance(side, Join)]
    if not below:
        return None
    join, inner = _one_of(below, rng)
    c = join.right if inner is join.left else join.left
    a, b = (inner.left, inner.right) if rng.random() < 0.5 else (inner.right, inner.left)
    first, last = (inner, join) if rng.random() < 0.5 else (join, inner)
    return replaced(tree, join, Join(last.operator, Join(first.operator, a, c), b))


def _in_other_mode(plan: Plan, rng: np.random.Generator) -> Plan | None:
    """Every `hash` becomes `join`, or every `join` a `hash`."""
    written = _forced(plan)
    return _all_forced(plan, *(set(EXCLUSIVE) - written)) if len(written) == 1 else None


def _in_one_mode(plan: Plan, abilities: Abilities) -> Plan:
    """Where `hash` and `join` exclude each other and both are written: all are what the first tree has first."""
    written = _forced(plan)
    if not abilities.exclusive or len(written) < 2:
        return plan
    first = next(j.operator for tree in plan.trees for j in joins_of(tree) if j.operator in EXCLUSIVE)
    return _all_forced(plan, first)


def _all_forced(plan: Plan, operator: Operator) -> Plan:
    def changed(tree: Tree) -> Tree:
        if isinstance(tree, Scan):
            return tree
        return Join(operator if tree.operator in EXCLUSIVE else tree.operator, changed(tree.left), changed(tree.right))

    return Plan(tuple(changed(tree) for tree in plan.trees))


def _forced(plan: Plan) -> set[Operator]:
    """Which of the operators that exclude each other the plan has."""
    return {join.operator for tree in plan.trees for join in joins_of(tree)} & set(EXCLUSIVE)
