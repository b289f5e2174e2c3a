"""The built-in optimizers through the same door as a user's own."""

import pytest

from boltbo.domain import SearchSpace, StringSpace
from boltbo.optimizers import CLASSES, NAMES, Optimizer, make_optimizer
from boltbo.optimizers.box.random_search import RandomSearch
from boltbo.optimizers.contract import check_optimizer
from boltbo.spaces import Slots, Strings

BOX = [name for name in NAMES if name != "lolbo"]  # that one's contract stands in test_lolbo.py


@pytest.mark.parametrize("name", BOX)
def test_contract(name):
    options = {"turbo": {"initial": 8}, "edits": {"initial": 8, "candidates": 100}}.get(name, {})
    check_optimizer(lambda space, seed: make_optimizer(name, space, seed=seed, **options), over=CLASSES[name][1])


@pytest.mark.slow
def test_edits_contract_across_restarts():
    options = {"initial": 4, "failure_tolerance": 1, "radius": (1.0, 2.0), "candidates": 60, "max_points": 12}
    check_optimizer(lambda space, seed: make_optimizer("edits", space, seed=seed, **options), over=StringSpace)


@pytest.mark.slow
def test_turbo_contract_across_restarts():
    options = {"initial": 4, "failure_tolerance": 1, "length": (0.8, 0.3, 1.6)}
    check_optimizer(lambda space, seed: make_optimizer("turbo", space, seed=seed, **options))


@pytest.mark.parametrize("name", BOX)
def test_satisfies_the_protocol(name):
    space = Slots([["a", "b"]]) if CLASSES[name][1] is SearchSpace else Strings("ab", (1, 2))
    assert isinstance(make_optimizer(name, space, seed=0), Optimizer)


@pytest.mark.parametrize(
    ("name", "space", "fitting"),
    [
        ("turbo", Strings("ab", (1, 2)), "'edits' and 'screened' and 'evolution' search it"),
        ("edits", Slots([["a", "b"]]), "'turbo' and 'local' and 'random' search it"),
        ("edits", object(), "nor does any other"),
    ],
)
def test_the_wrong_kind_of_space_is_refused_and_the_fitting_optimizers_are_named(name, space, fitting):
    with pytest.raises(ValueError, match=fitting):
        make_optimizer(name, space, seed=0)


def test_unknown_name_lists_the_known():
    with pytest.raises(ValueError, match="turbo, lolbo, local, random"):
        make_optimizer("bayes", Slots([["a", "b"]]), seed=0)


def test_unknown_option_is_named():
    with pytest.raises(ValueError, match="parents"):
        make_optimizer("random", Slots([["a", "b"]]), seed=0, parents=3)


@pytest.mark.parametrize(
    "options", [{"initial": 0}, {"max_points": 0}, {"length": (0.1, 0.5, 1.6)}, {"failure_tolerance": 0}]
)
def test_turbo_rejects_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_optimizer("turbo", Slots([["a", "b"]]), seed=0, **options)


@pytest.mark.parametrize("options", [{"initial": 0}, {"candidates": 0}, {"radius": (0.5, 4.0)}, {"radius": (8.0, 4.0)}])
def test_edits_rejects_options_out_of_range(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        make_optimizer("edits", Strings("ab", (1, 2)), seed=0, **options)


class Forgetful(RandomSearch):
    def _is_new(self, candidate):
        return True


class Unseeded(RandomSearch):
    def __init__(self, space, *, seed):
        super().__init__(space, seed=5)


class Amnesiac(RandomSearch):
    def restore(self, state, observations):
        self.tell(observations)


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Forgetful, "told or asked before|came twice"),
        (Unseeded, "seed makes no difference"),
        (Amnesiac, "uninterrupted"),
    ],
)
def test_contract_catches(broken, message):
    with pytest.raises(AssertionError, match=message):
        check_optimizer(lambda space, seed: broken(space, seed=seed))
