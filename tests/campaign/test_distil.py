from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from boltbo.campaign.distil import top_k
from boltbo.problem import Observation, Status, Task, Trajectory


def trajectory(*pairs: tuple[str, float], status: Status = Status.COMPLETE) -> Trajectory:
    return Trajectory(Task("t", "c"), tuple(Observation(c, v, status, 0.0, "bo") for c, v in pairs))


def test_the_best_come_first_and_near_duplicates_stay_out() -> None:
    t = trajectory(("a b c d", 3.0), ("a b c x", 1.0), ("p q r s", 2.0), ("a b y x", 1.5))
    assert [o.candidate for o in top_k(t, 2)] == ["a b c x", "a b y x"]
    assert [o.candidate for o in top_k(t, 3, diversity=0.6)] == ["a b c x", "p q r s"]


def test_only_complete_values_teach() -> None:
    assert top_k(trajectory(("a", 1.0), status=Status.CENSORED), 5) == []
    assert top_k(trajectory(("a", 1.0), status=Status.FAILED), 5) == []


def test_a_solution_that_gained_little_is_no_example() -> None:
    values = [("d", 10.0, "default"), ("a", 2.0, "bo"), ("b", 5.0, "bo"), ("c", 7.0, "bo")]
    found = [Observation(c, v, Status.COMPLETE, 0.0, source) for c, v, source in values]
    t = Trajectory(Task("t", "c"), tuple(found))
    assert [o.candidate for o in top_k(t, 9)] == ["a", "b", "c", "d"]
    assert [o.candidate for o in top_k(t, 9, gap=0.5)] == ["a", "b"]
    assert [o.candidate for o in top_k(t, 9, gap=1.0)] == ["a", "b", "c", "d"]
    assert [o.candidate for o in top_k(t, 9, gap=0.0)] == ["a"]
    alone = Trajectory(Task("t", "c"), tuple(found[1:]))
    assert len(top_k(alone, 9, gap=0.1)) == 3


@given(
    st.lists(st.tuples(st.text("abc ", min_size=1, max_size=6), st.floats(-10, 10)), max_size=20),
    st.integers(1, 8),
    st.floats(0, 1),
)
def test_top_k_is_sorted_distinct_and_bounded(pairs: list[tuple[str, float]], k: int, diversity: float) -> None:
    chosen = top_k(trajectory(*pairs), k, diversity, separator="")
    assert len(chosen) <= k
    assert [o.value for o in chosen] == sorted(o.value for o in chosen)
    assert len({o.candidate for o in chosen}) == len(chosen)
    if pairs:
        assert chosen[0].value == min(v for _, v in pairs)
