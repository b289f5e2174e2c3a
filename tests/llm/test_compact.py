from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from boltbo import Slots
from boltbo.llm.backend import CorruptModel, Example, Prompt
from boltbo.llm.compact import CompactModel, _Reader, _Row
from boltbo.llm.contract import EXAMPLES, check_language_model
from boltbo.llm.tokenizer import ANSWER


def small(**changes: object) -> CompactModel:
    return CompactModel.create(EXAMPLES, **{"width": 64, "layers": 2, "heads": 2, **changes})  # type: ignore[arg-type]


def test_the_compact_model_keeps_the_contract(tmp_path: Path) -> None:
    check_language_model(small, tmp_path, epochs=30)


def test_it_learns_a_rule_and_applies_it_to_new_contexts() -> None:
    """The answer copies the context's three letters, each moved on by one: 40 tasks of 216, the rest are new."""
    letters = "abcdef"
    grammar = Slots([letters] * 3)
    tasks = [(x, y, z) for x in letters for y in letters for z in letters]
    order = np.random.default_rng(0).permutation(len(tasks))

    def moved(task: tuple[str, ...]) -> str:
        return " ".join(letters[(letters.index(c) + 1) % 6] for c in task)

    seen, new = [tasks[i] for i in order[:150]], [tasks[i] for i in order[150:180]]
    pairs = [Example(" ".join(t), moved(t)) for t in seen]
    model = CompactModel.create(pairs, width=64, layers=2, heads=2)

    def right() -> float:
        lists = model.sample([Prompt(" ".join(t), grammar) for t in new], 1, temperature=0.1)
        return float(np.mean([samples[0].text == moved(t) for t, samples in zip(new, lists, strict=True)]))

    assert right() < 0.2
    model.warm_up(pairs, epochs=60, seed=0)
    assert right() > 0.8


def test_solutions_of_one_row_do_not_see_each_other() -> None:
    """The loss of a row with several solutions is that of one row for each."""
    model = small()
    tokenizer = model.tokenizer
    context = tokenizer.context("first")[:-1]
    assert context[-1] != ANSWER
    solutions = [(tokenizer.solution(text), 1.0) for text in ("mi ( t )", "t", "mi12 [ t mi ]")]
    with torch.no_grad():
        together, weight = model._loss([_Row(context, solutions)])
        apart = [model._loss([_Row(context, [s])]) for s in solutions]
        padded, _ = model._loss([_Row(context, [s]) for s in solutions])
    assert weight == sum(w for _, w in apart)
    assert together.item() == pytest.approx(sum(total.item() for total, _ in apart), rel=1e-5)
    assert padded.item() == pytest.approx(together.item(), rel=1e-5)


def test_reading_step_by_step_is_reading_at_once() -> None:
    """Padded, side by side with others and behind a shared prompt, the logits are those of the whole text."""
    model = small()
    contexts = ["first", "a longer context of words", "x"]
    solution = model.tokenizer.solution("mi ( t )")[:-1]
    with torch.inference_mode():
        reader = _Reader(model)
        _, memory = reader.read([*contexts, "forgotten"], 2)
        reader.keep(torch.tensor([0, 1, 2]), memory)
        other = model.tokenizer.solution("t t t t t t t t t t")
        for mine, theirs in zip(solution, other, strict=False):
            logits = reader.step(torch.tensor([mine, theirs] * 3), memory)
        for row, context in enumerate(contexts):
            ids = torch.tensor([[*model.tokenizer.context(context), *solution]])
            whole = model.decoder.logits(model.decoder(ids, torch.arange(ids.shape[1])[None]))[0, -1]
            assert torch.allclose(logits[2 * row], whole, atol=1e-4)


def test_valid_mass_estimates_the_share_of_valid_raw_samples() -> None:
    model = small()
    grammar = Slots([["mi", "t"], ["mi", "t"]])
    [samples] = model.sample([Prompt("first", grammar)], 200, temperature=1.0, unique=False)
    mean = float(np.mean([s.valid_mass for s in samples]))
    tokenizer = model.tokenizer
    exact = 0.0
    with torch.inference_mode():
        for text in ("mi mi", "mi t", "t mi", "t t"):
            ids = torch.tensor([[*tokenizer.context("first"), *tokenizer.solution(text)]])
            log_p = model.decoder.logits(model.decoder(ids, torch.arange(ids.shape[1])[None]))[0].log_softmax(-1)
            start = len(tokenizer.context("first"))
            exact += float(torch.stack([log_p[i - 1, ids[0, i]] for i in range(start, ids.shape[1])]).sum().exp())
    assert mean == pytest.approx(exact, rel=0.1)


def test_temperature_and_nucleus_narrow_the_choice() -> None:
    model = small()
    model.fit(EXAMPLES, epochs=20, seed=0)
    prompt = Prompt("first", Slots([["mi", "t", "(", ")"]] * 3))
    distinct = [
        len({s.text for s in model.sample([prompt], 60, temperature=t, top_p=p, unique=False)[0]})
        for t, p in ((1.5, 1.0), (0.1, 1.0), (1.5, 0.01))
    ]
    assert distinct[0] > distinct[1] >= 1
    assert distinct[2] == 1


def test_few_distinct_candidates_give_a_short_list() -> None:
    [samples] = small().sample([Prompt("first", Slots([["mi", "t"]]))], 10)
    assert sorted(s.text for s in samples) in (["mi"], ["mi", "t"], ["t"])


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_files_that_do_not_fit_are_refused(tmp_path: Path, name: str) -> None:
    small().save(tmp_path)
    for damage in ("{", "{}", json.dumps({"format": 99, "words": [1], "separator": " "})):
        (tmp_path / name).write_text(damage)
        with pytest.raises(CorruptModel, match=name):
            CompactModel.load(tmp_path)


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    small().save(tmp_path / "a")
    small(width=32).save(tmp_path / "b")
    (tmp_path / "b" / "model.safetensors").rename(tmp_path / "a" / "model.safetensors")
    with pytest.raises(CorruptModel, match=r"model\.safetensors"):
        CompactModel.load(tmp_path / "a")


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no example"):
        small().fit([], epochs=1, seed=0)
