"""Plans for pg_hint_plan: hints in a comment before the statement.

`Hints` nests explicit joins, whose order the server keeps with the collapse limits at 1, and hints the operator of each
join, as BayesQO does: planning takes a few milliseconds, the sides of a join are the server's choice. `Leading` leaves the
query's own text as it is and hints order, sides and operators, so that its hints can stand in the table `hint_plan.hints`;
the server then searches all orders first, which takes longer the more relations there are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from boltbo.domains.plans.dialects.sql import ORDER_KEPT, Switches, joined
from boltbo.domains.plans.dialects.statement import Statement
from boltbo.domains.plans.language.plan import Abilities, Join, Method, Operator, Plan, Scan, Tree, aliases_of
from boltbo.domains.plans.language.query import Query
from boltbo.errors import InvalidCandidate

OPERATOR_HINTS = {Operator.HASH: "HashJoin", Operator.MERGE: "MergeJoin", Operator.NEST: "NestLoop"}
METHOD_HINTS = {
    Method.SEQ: "SeqScan",
    Method.INDEX: "IndexScan",
    Method.ONLY: "IndexOnlyScan",
    Method.BITMAP: "BitmapScan",
}
_ALL = (Operator.HASH, Operator.MERGE, Operator.NEST, Operator.JOIN)
_HINTED = Abilities(_ALL)
_LED = replace(_HINTED, sided=True)

SEARCHED = (("join_collapse_limit", "1000"), ("from_collapse_limit", "1000"), ("geqo", "off"))
"""A Leading hint picks from the orders that the server looks at: it must look at all."""


@dataclass(frozen=True, slots=True)
class Hints(Switches):
    """Hints say the operators, nested joins the order."""

    abilities: Abilities = _HINTED
    name: ClassVar[str] = "hints"

    def _forced(self, query: Query, plan: Plan) -> Statement:
        return Statement(comment(operator_hints(plan)) + joined(query, _order(plan), semi_joins_last=True), ORDER_KEPT)


@dataclass(frozen=True, slots=True)
class Leading(Switches):
    """Hints say everything, and the text is untouched. Of a `hash` or `merge` the side with more relations is the outer one."""

    abilities: Abilities = _LED
    name: ClassVar[str] = "leading"

    def _forced(self, query: Query, plan: Plan) -> Statement:
        leading = [f"Leading({_pairs(tree)})" for tree in plan.trees]
        return Statement(comment([*leading, *operator_hints(plan)]) + query.sql, SEARCHED)


def comment(hints: list[str]) -> str:
    """Hints as the comment that pg_hint_plan reads.

    Raises:
        InvalidCandidate: An alias would end the comment.
    """
    text = " ".join(hints)
    if "*/" in text or "/*" in text:
        raise InvalidCandidate("an alias of this query has '/*' or '*/' in it: it cannot be written in a hint")
    return f"/*+ {text} */\n" if hints else ""


def operator_hints(plan: Plan) -> list[str]:
    """A hint for each join with an operator, inner ones first."""
    return [hint for tree in plan.trees for hint in _joins(tree)]


def _joins(tree: Tree) -> Iterator[str]:
    if isinstance(tree, Scan):
        return
    yield from _joins(tree.left)
    yield from _joins(tree.right)
    if tree.operator in OPERATOR_HINTS:
        yield f"{OPERATOR_HINTS[tree.operator]}({' '.join(hint_name(a) for a in aliases_of(tree))})"


def _pairs(tree: Tree) -> str:
    if isinstance(tree, Scan):
        return hint_name(tree.alias)
    return f"({_pairs(tree.left)} {_pairs(tree.right)})"


def hint_name(alias: str) -> str:
    """An alias as a hint writes it."""
    return alias if re.fullmatch(r'[^\s()"]+', alias) else '"' + alias.replace('"', '""') + '"'


def _order(plan: Plan) -> Plan:
    def bare(tree: Tree) -> Tree:
        return Scan(tree.alias) if isinstance(tree, Scan) else Join(Operator.JOIN, bare(tree.left), bare(tree.right))

    return Plan(tuple(bare(tree) for tree in plan.trees))
