"""Rows of several solutions: nothing is lost, nobody sees what they must not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from boltbo.llm.backend import Example
from boltbo.llm.tuning.packing import pack, stack

texts = st.text("abc", min_size=1, max_size=4)
STOP = 9


def ids(text: str) -> list[int]:
    return [ord(c) for c in text]


@given(
    st.lists(st.builds(Example, texts, texts), min_size=1, max_size=20),
    st.integers(1, 4),
)
def test_every_solution_is_read_once_behind_its_context_alone(examples: list[Example], most: int) -> None:
    rows = pack(examples, ids, lambda text: [*ids(text), STOP], most)
    assert all(len(row.solutions) <= most for row in rows)
    batch = stack(rows)
    assert batch.ids.shape[1] == max(row.length for row in rows)
    found = []
    for row in range(len(rows)):
        for end in (batch.targets[row] == STOP).nonzero().flatten().tolist():
            seen = batch.mask[row, 0, end].nonzero().flatten().tolist()
            assert batch.positions[row, seen].tolist() == list(range(len(seen)))
            counted = [i for i in seen if batch.written[row, i]]
            read = "".join(chr(i) for i in batch.ids[row, seen])
            written = "".join(chr(i) for i in batch.targets[row, counted[:-1]])
            assert read.endswith(written)
            found.append((read.removesuffix(written), written))
    assert sorted(found) == sorted((e.context, e.solution) for e in examples)


def test_padding_is_seen_by_none_and_has_something_to_see() -> None:
    """A softmax over nothing would be NaN."""
    batch = stack(pack([Example("ab", "c"), Example("abcd", "abc")], ids, ids))
    short = batch.mask[0, 0]
    assert not short[:2, 2:].any()
    assert batch.mask.any(-1).all()
