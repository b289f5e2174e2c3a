from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rapidfuzz.distance import Levenshtein

from boltbo.errors import ConfigError
from boltbo.llm.backend import Prompt, Sample
from boltbo.problem import Task
from boltbo.proposers import InitialDesign, ModelProposer, Proposal, seed_of
from boltbo.proposers.order import First, remoteness, spread
from support.quadratic import Quadratic, make_tasks

TASKS = make_tasks(2)


class Fixed:
    """A model whose samples are known: what a proposer makes of them is what is tested."""

    def __init__(self, *samples: tuple[str, float]) -> None:
        self.samples = [Sample(text, logprob, 1.0) for text, logprob in samples]

    def sample(self, prompts: Sequence[Prompt], n: int, **_: object) -> list[list[Sample]]:
        return [self.samples[:n] for _ in prompts]


class Knowing(Fixed):
    """One that says that each solution was raised by its log-probability."""

    def log_ratios(self, context: str, solutions: Sequence[str]) -> list[float]:
        raised = {s.text: s.logprob for s in self.samples}
        return [raised[text] for text in solutions]


def test_the_design_begins_with_the_default_and_repeats_nothing() -> None:
    lists = InitialDesign(Quadratic()).propose(TASKS, 6, 0)
    for proposals in lists:
        assert proposals[0] == ("0 0 0", "default")
        assert {source for _, source in proposals[1:]} == {"design"}
        assert len({c for c, _ in proposals}) == len(proposals) == 6
    assert lists == InitialDesign(Quadratic()).propose(TASKS, 6, 0)
    assert lists[0] != lists[1]


def test_a_bad_model_never_crowds_out_the_default_and_the_design() -> None:
    model = Fixed(*((f"1 1 {i}", 0.0) for i in range(10)))
    proposer = ModelProposer(Quadratic(), model, design_share=0.4)  # type: ignore[arg-type]
    [proposals, _] = proposer.propose(TASKS, 10, 0)
    assert [source for _, source in proposals] == ["default", *["llm"] * 6, *["design"] * 3]
    alone = ModelProposer(Quadratic(), model).propose(TASKS, 10, 0)[0]  # type: ignore[arg-type]
    assert [c for c, _ in alone] == [f"1 1 {i}" for i in range(10)]


def test_what_the_design_has_is_not_proposed_twice() -> None:
    model = Fixed(("0 0 0", 0.0), ("1 1 1", 0.0))
    [proposals, _] = ModelProposer(Quadratic(), model, design_share=0.1).propose(TASKS, 10, 0)  # type: ignore[arg-type]
    assert proposals == [("0 0 0", "default"), ("1 1 1", "llm")]


@pytest.mark.parametrize(("first", "pool"), [("raised", 1), ("raised", 2), (None, 2)])
@pytest.mark.parametrize("shaken", [(0.0, 1e-7, -1e-7), (1e-7, -1e-7, 0.0), (-1e-7, 0.0, 1e-7)])
def test_the_last_bits_of_likelihoods_put_nothing_in_order(
    first: First | None, pool: int, shaken: tuple[float, ...]
) -> None:
    samples = [(text, -2.0 + by) for text, by in zip(("1 1 1", "1 1 2", "1 1 3"), shaken, strict=True)]
    model = Knowing(*samples, ("9 9 9", -5.0))
    proposer = ModelProposer(Quadratic(), model, first=first, pool=pool)  # type: ignore[arg-type]
    [texts, _] = [[s.text for s in own] for own in proposer.sample(TASKS, 4 // pool, 0)]
    assert texts[0] == "1 1 1"


@given(
    st.lists(st.tuples(st.text("abc", max_size=6), st.floats(-9, 9)), max_size=9, unique_by=lambda x: x[0]),
    st.integers(0, 9),
)
def test_an_order_has_the_best_first_and_each_once(scored: list[tuple[str, float]], n: int) -> None:
    texts, scores = [t for t, _ in scored], np.array([s for _, s in scored])
    if not texts:
        return
    order = spread(scores, texts, "", n)
    assert len(order) == len(set(order)) == min(n, len(texts))
    assert not order or scores[order[0]] == pytest.approx(max(scores))
    assert spread(scores, texts, "", len(texts))[:n] == order


def test_what_is_like_the_best_waits() -> None:
    texts = ["aaaaaa", "aaaaab", "bbbbbb", "cccccc"]
    assert spread(np.array([3.0, 2.9, 2.8, -9.0]), texts, "", 2) == [0, 2]
    assert spread(np.ones(4), texts, "", 4)[0] == 0


def test_what_fine_tuning_raised_most_goes_first() -> None:
    samples = [("1 1 1", 1.0), ("2 2 2", 3.0), ("3 3 3", 2.0)]
    proposer = ModelProposer(Quadratic(), Knowing(*samples), first="raised")  # type: ignore[arg-type]
    assert proposer.propose(TASKS, 3, 0)[0][0] == ("2 2 2", "llm")
    few = ModelProposer(Quadratic(), Knowing(*samples), first="raised", pool=3)  # type: ignore[arg-type]
    assert few.propose(TASKS, 1, 0) == [[("2 2 2", "llm")]] * 2
    with pytest.raises(ConfigError, match="take 'consensus'"):
        ModelProposer(Quadratic(), Fixed(*samples), first="raised").propose(TASKS, 3, 0)  # type: ignore[arg-type]


def test_the_sample_nearest_to_the_others_goes_first_and_the_rest_as_drawn() -> None:
    model = Fixed(("9 9 9", -1.0), ("1 2 3", -3.0), ("1 2 4", -2.0), ("1 7 3", -2.0))
    proposer = ModelProposer(Quadratic(), model, first="consensus")  # type: ignore[arg-type]
    assert [c for c, _ in proposer.propose(TASKS, 4, 0)[0]] == ["1 2 3", "9 9 9", "1 2 4", "1 7 3"]


@given(st.lists(st.text("abc", max_size=6), min_size=1, max_size=8))
def test_the_remoteness_is_the_mean_of_edits_away_from_all(texts: list[str]) -> None:
    def distance(text: str) -> float:
        return sum(Levenshtein.normalized_distance(text, other) for other in texts)

    assert remoteness(texts, "") * len(texts) == pytest.approx([distance(text) for text in texts], abs=1e-5)
    apart = [" ".join(t) for t in texts if t]
    assert not apart or (remoteness(apart, " ") == remoteness([t for t in texts if t], "")).all()


def test_what_is_retrieved_takes_turns_with_the_samples() -> None:
    class Recalling:
        def propose(self, tasks: Sequence[Task], n: int, seed: int, progress: object = None) -> list[list[Proposal]]:
            return [[(c, "retrieval") for c in ("7 7 7", "1 1 1", "8 8 8")][:n] for _ in tasks]

    model = Fixed(*((f"{i} {i} {i}", 0.0) for i in range(4)))
    half = ModelProposer(Quadratic(), model, retrieval=Recalling(), retrieval_share=0.5)  # type: ignore[arg-type]
    # 1 1 1 was retrieved, too, before its turn as a sample; where nothing more is retrieved the samples go on
    assert [c for c, _ in half.propose(TASKS, 6, 0)[0]] == ["0 0 0", "7 7 7", "1 1 1", "8 8 8", "2 2 2", "3 3 3"]
    assert [s for _, s in half.propose(TASKS, 4, 0)[0]] == ["llm", "retrieval", "llm", "retrieval"]
    tenth = ModelProposer(Quadratic(), model, retrieval=Recalling(), retrieval_share=0.25)  # type: ignore[arg-type]
    assert [s for _, s in tenth.propose(TASKS, 4, 0)[0]] == ["llm", "llm", "llm", "retrieval"]
    alone = ModelProposer(Quadratic(), model, retrieval=Recalling(), retrieval_share=1.0)  # type: ignore[arg-type]
    assert [c for c, _ in alone.propose(TASKS, 3, 0)[0]] == ["7 7 7", "1 1 1", "8 8 8"]
    design = ModelProposer(Quadratic(), model, retrieval=Recalling(), retrieval_share=0.5, design_share=0.5)  # type: ignore[arg-type]
    assert [s for _, s in design.propose(TASKS, 4, 0)[0]] == ["default", "retrieval", "llm", "design"]


def test_the_domains_guess_and_the_consensus_together_say_what_goes_first() -> None:
    class Guessing(Quadratic):
        def estimates(self, task: Task, candidates: Sequence[str]) -> list[float]:
            return [{"9 9 9": 1.0, "1 2 4": 2.0, "1 2 3": 3.0, "1 7 3": float("inf")}[c] for c in candidates]

    # remoteness ranks 1 2 3 first, 9 9 9 last; the guess the other way round
    samples = [("9 9 9", -1.0), ("1 2 3", -3.0), ("1 7 3", -2.0), ("1 2 4", -2.0)]
    proposer = ModelProposer(Guessing(), Fixed(*samples), first="estimated")  # type: ignore[arg-type]
    proposals = proposer.propose(TASKS, 4, 0)
    assert [c for c, _ in proposals[0]] == ["1 2 3", "9 9 9", "1 7 3", "1 2 4"]
    with pytest.raises(ConfigError, match="has no estimates"):
        ModelProposer(Quadratic(), Fixed(*samples), first="estimated")  # type: ignore[arg-type]


def test_seeds_of_different_purposes_are_unrelated() -> None:
    seeds = [seed_of(s, name, i) for s in range(3) for name in ("a", "b") for i in range(50)]
    assert len(set(seeds)) == len(seeds)
    assert abs(np.mean(seeds) / 2**30 - 1) < 0.15
    assert seed_of(0, "a", 1) == seed_of(0, "a", 1)


def test_of_a_pool_the_likeliest_are_kept() -> None:
    model = Fixed(("1 1 1", -3.0), ("2 2 2", -1.0), ("3 3 3", -2.0), ("4 4 4", -4.0))
    proposer = ModelProposer(Quadratic(), model, pool=2)  # type: ignore[arg-type]
    assert [c for c, _ in proposer.propose(TASKS, 2, 0)[0]] == ["2 2 2", "3 3 3"]


def test_where_all_are_scored_none_is_chosen_to_be_the_first() -> None:
    model = Knowing(("0 0 1", -3.0), ("0 0 2", -1.0), ("0 0 3", -2.0))
    unordered = ModelProposer(Quadratic(), model, first="consensus", in_order=False)
    assert unordered.sample(TASKS, 3, 0) == [model.samples, model.samples]
    some = ModelProposer(Quadratic(), model, first="raised", in_order=False).sample(TASKS, 3, 0)
    assert some[0][0] == model.samples[1]  # this order says which are far from each other, too
