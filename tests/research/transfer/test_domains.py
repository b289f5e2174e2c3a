"""Shared surrogates where tasks have spaces of their own: plans of queries of different sizes, relatives of peptides."""

import numpy as np
import pytest

from boltbo import Observation, Task, Trajectory
from boltbo.domains.peptides.space import Relatives
from boltbo.domains.plans.language.query import Block, Query, Relation
from boltbo.domains.plans.search.box import PlanSpace
from boltbo.problem import Status
from boltbo_bench.transfer import make, random_search
from boltbo_bench.transfer.features import BoxFeatures, HashedNgrams, StringFeatures, with_context
from boltbo_bench.transfer.optimizer import optimizer_for

pytest.importorskip("torch")
METHODS = ["icm", "fsbo", "sgpe", "rgpe", "ablr"]


def plans(n):
    """The plans of a chain of n tables."""
    relations = tuple(Relation(f"r{i}", f"table_{i}") for i in range(n))
    return PlanSpace(Query("", (Block(relations, tuple(((f"r{i}", "c"), (f"r{i + 1}", "c")) for i in range(n - 1))),)))


def nested(plan):
    """Seconds of an imagined server to which nested loops are dear, one more so."""
    return 1.0 + plan.split().count("nest") + 3.0 * ("nest r0" in plan)


def observed(value, texts):
    return [Observation(t, value(t), Status.COMPLETE, 0.0, "bo") for t in texts]


def play(optimizer, first, value, calls):
    told = list(first)
    optimizer.tell(told)
    for _ in range(calls):
        told += observed(value, optimizer.ask(1))
        optimizer.tell(told[-1:])
    return float(np.mean([o.value for o in told[len(first) :]]))


@pytest.mark.parametrize("name", METHODS)
def test_plans_of_small_queries_tell_of_those_of_a_larger_one(name):
    runs = [
        Trajectory(
            Task(f"q{n}", f"a chain of {n} tables"),
            tuple(observed(nested, plans(n).decode(np.random.default_rng(n).random((20, plans(n).dim))))),
        )
        for n in (4, 5, 6)
    ]
    assert len({plans(n).dim for n in (4, 5, 6, 9)}) == 4
    surrogate = make(name, runs, with_context(HashedNgrams(48), 8))
    space, large = plans(9), Task("q9", "a chain of 9 tables")
    values, by_chance = [], []
    for seed in range(3):
        first = observed(nested, space.decode(np.random.default_rng(seed).random((5, space.dim))))
        values.append(play(optimizer_for(surrogate, large, space, seed=seed, pool=100), first, nested, 8))
        by_chance.append(play(random_search(space, seed=seed), first, nested, 8))
    assert np.mean(values) < np.mean(by_chance) - 1.0, f"{values} on average, random search {by_chance}"


def test_box_features_refuse_plans_of_different_queries():
    rng = np.random.default_rng(0)
    runs = [
        Trajectory(Task(str(n), ""), tuple(observed(nested, plans(n).decode(rng.random((3, plans(n).dim))))))
        for n in (4, 5)
    ]
    with pytest.raises(ValueError, match="HashedNgrams"):
        make("rgpe", runs, BoxFeatures(lambda task: plans(int(task.id))))


TEMPLATES = ["GIGAVLKVLTTGLPALISWIK", "FLPLIGRVLSGILEELAAW", "ILGEDWKSTAVRDLAGPWQNE"]


def charge(peptide):
    """Few positive residues are bad."""
    return -float(sum(peptide.count(letter) for letter in "KR"))


@pytest.mark.parametrize("name", METHODS)
def test_relatives_of_one_peptide_tell_of_those_of_another(name):
    rng = np.random.default_rng(0)
    runs = []
    for template in TEMPLATES[:2]:
        texts = [template, *Relatives(template, 0.7).mutants(template, 5, 25, rng)]
        runs.append(Trajectory(Task(template, template), tuple(observed(charge, dict.fromkeys(texts)))))
    surrogate = make(name, runs, StringFeatures(32))
    template = TEMPLATES[2]
    space = Relatives(template, 0.7)
    first = observed(charge, [template, *space.mutants(template, 5, 5, rng)])
    found = play(optimizer_for(surrogate, Task("new", template), space, seed=0, pool=200), first, charge, 8)
    by_chance = play(random_search(space, seed=0), first, charge, 8)
    assert found < by_chance - 0.5, f"{found} on average, random edits {by_chance}"
