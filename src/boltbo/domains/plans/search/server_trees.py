"""The join trees that the server makes of a candidate which leaves them to it (`default -hash`)."""

from __future__ import annotations

from collections.abc import Callable

from boltbo.domains.plans.language.canonical import canonical_plan
from boltbo.domains.plans.language.plan import Abilities, Plan
from boltbo.domains.plans.language.query import Query
from boltbo.domains.plans.language.spelling import spell
from boltbo.errors import InvalidCandidate

ServerTrees = Callable[[str], Plan | None]
"""The text of a `default …` plan -> the trees that the server uses for it, None where nobody knows"""


def server_plan(plan: Plan, server_trees: ServerTrees, query: Query, abilities: Abilities) -> Plan:
    """The trees that the server uses for a plan that leaves them to it.

    Raises:
        InvalidCandidate: They are not known.
    """
    text = spell(plan)
    trees = server_trees(text)
    if trees is None:
        raise InvalidCandidate(f"{text!r} leaves the tree to the server, and which one it uses is not known here")
    return canonical_plan(trees, query, abilities)
