from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from boltbo import Slots
from boltbo.errors import CorruptModel
from boltbo.llm.backend import Example, Prompt
from boltbo.llm.compact import decoder
from boltbo.llm.compact.decoder import Memory
from boltbo.llm.compact.loss import loss
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.compact.reading import CompactReader
from boltbo.llm.contract import EXAMPLES, Brackets, check_language_model
from boltbo.llm.tuning.packing import Row

Damage = Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]


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
    model.pretrain(pairs, epochs=60, seed=0)
    assert right() > 0.8


def test_solutions_of_one_row_do_not_see_each_other() -> None:
    """The loss of a row with several solutions is that of one row for each."""
    model = small()
    tokenizer = model.tokenizer
    context = tokenizer.context("first")
    solutions = [tokenizer.solution(text) for text in ("mi ( t )", "t", "mi12 [ t mi ]")]
    with torch.no_grad():
        together, count = loss(model.decoder, [Row(context, solutions)])
        apart = [loss(model.decoder, [Row(context, [s])]) for s in solutions]
        padded, _ = loss(model.decoder, [Row(context, [s]) for s in solutions])
    assert count == sum(n for _, n in apart)
    assert together.item() == pytest.approx(sum(total.item() for total, _ in apart), rel=1e-5)
    assert padded.item() == pytest.approx(together.item(), rel=1e-5)


def logits_of(model: CompactModel, context: str, written: list[int]) -> torch.Tensor:
    """What may follow the context, and each of the ids written behind it."""
    before = model.tokenizer.context(context)
    start = len(before) - 1
    ids, places = torch.tensor([[*before, *written]]), torch.tensor([[*range(start), *range(1 + len(written))]])
    return model.decoder.logits(model.decoder(ids, torch.arange(ids.shape[1])[None], places))[0, start:]


@pytest.mark.parametrize(("products", "within"), [(torch.float32, 1e-4), (decoder.PRODUCTS, 0.03)])
def test_reading_step_by_step_is_reading_at_once(
    products: torch.dtype, within: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Padded, behind a shared prompt, and after others were dropped, the logits are those of the whole text."""
    monkeypatch.setattr(decoder, "PRODUCTS", products)
    model = small()
    contexts = ["first", "a longer context of words", "forgotten", "x"]
    first, second = (model.tokenizer.solution(text)[:-1] for text in ("mi ( t )", "t ( mi ]"))
    kept = torch.tensor([[2, 0], [4, 5], [10, 9]])  # of three rows a prompt
    with torch.inference_mode():
        reader = model.reader()
        _, memory = reader.read(contexts, 3)
        written: list[list[int]] = [[] for _ in range(12)]

        def step(rows: list[int], at: int) -> torch.Tensor:
            for row in rows:
                written[row].append((first if row % 2 else second)[at])
            return reader.step(torch.tensor([written[row][-1] for row in rows]), memory)

        step(list(range(12)), 0)
        step(list(range(12)), 1)
        reader.keep(kept, memory)
        step(kept.flatten().tolist(), 2)
        logits = step(kept.flatten().tolist(), 3)
        for place, row in enumerate(kept.flatten().tolist()):
            whole = logits_of(model, contexts[row // 3], written[row])[-1]
            assert torch.allclose(logits[place], whole, atol=within)


def test_valid_mass_estimates_the_share_of_valid_raw_samples() -> None:
    model = small()
    grammar = Slots([["mi", "t"], ["mi", "t"]])
    [samples] = model.sample([Prompt("first", grammar)], 200, temperature=1.0, unique=False)
    mean = float(np.mean([s.valid_mass for s in samples]))
    tokenizer = model.tokenizer
    exact = 0.0
    with torch.inference_mode():
        for text in ("mi mi", "mi t", "t mi", "t t"):
            ids = tokenizer.solution(text)
            log_p = logits_of(model, "first", ids[:-1]).log_softmax(-1)
            exact += float(log_p[torch.arange(len(ids)), torch.tensor(ids)].sum().exp())
    assert mean == pytest.approx(exact, rel=0.1)


def test_a_low_temperature_narrows_the_choice() -> None:
    model = small()
    model.fit(EXAMPLES, epochs=20, seed=0)
    prompt = Prompt("first", Slots([["mi", "t", "(", ")"]] * 3))
    distinct = [len({s.text for s in model.sample([prompt], 60, temperature=t, unique=False)[0]}) for t in (1.5, 0.1)]
    assert distinct[0] > distinct[1] >= 1


@pytest.mark.parametrize("wrong", [{"n": -1}, {"temperature": 0.0}, {"temperature": -1.0}])
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected n >= 0 and a positive temperature"):
        small().sample([Prompt("first", Brackets())], **{"n": 2, **wrong})  # type: ignore[arg-type]


def test_no_samples_of_no_prompts_is_nothing() -> None:
    assert small().sample([], 3) == []
    assert small().sample([Prompt("first", Brackets())] * 2, 0) == [[], []]


@pytest.mark.parametrize("unique", [False, True])
def test_samples_are_drawn_in_batches_that_do_not_change_them(monkeypatch: pytest.MonkeyPatch, unique: bool) -> None:
    """Many samples of one prompt, or many prompts, never make more rows than memory was planned for."""
    model = small()
    prompts = [Prompt(f"context {i}", Brackets()) for i in range(5)]
    sizes = []
    step = CompactReader.step

    def watched(self: CompactReader, tokens: torch.Tensor, memory: Memory) -> object:
        sizes.append(len(tokens))
        return step(self, tokens, memory)

    def sampled(n: int) -> list[list[str]]:
        lists = model.sample(prompts, n, temperature=1.0, unique=unique, progress=lambda *done: seen.append(done))
        return [[s.text for s in samples] for samples in lists]

    seen: list[tuple[int, int]] = []
    at_once = sampled(30)
    monkeypatch.setattr(CompactReader, "step", watched)
    monkeypatch.setattr("boltbo.llm.sampling.sample.PROMPTS", 2)
    assert sampled(30) == at_once
    assert max(sizes) <= 60
    sizes.clear()
    seen.clear()
    monkeypatch.setattr(CompactReader, "rows", 16)
    in_parts = sampled(30)
    assert max(sizes) <= 16
    assert seen[-1] == (5, 5)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    if unique:  # parts do not know of each other: what is distinct depends on them
        assert [[t for t in texts if texts.count(t) > 1] for texts in in_parts] == [[]] * 5
    else:
        assert in_parts == at_once


def test_of_few_candidates_each_comes_once() -> None:
    [samples] = small().sample([Prompt("first", Slots([["mi", "t"], ["mi", "t", "("]]))], 10)
    assert sorted(s.text for s in samples) == ["mi (", "mi mi", "mi t", "t (", "t mi", "t t"]


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
@pytest.mark.parametrize("damage", [b"", b"{", b"{}", b"[]", b"null", b"\xff\xfe", None])
def test_files_that_do_not_parse_are_refused(tmp_path: Path, name: str, damage: bytes | None) -> None:
    small().save(tmp_path)
    (tmp_path / name).unlink()
    if damage is not None:
        (tmp_path / name).write_bytes(damage)
    with pytest.raises(CorruptModel, match=re.escape(str(tmp_path / name))):
        CompactModel.load(tmp_path)


@pytest.mark.parametrize(
    "wrong", [{"heads": 0}, {"heads": 3}, {"width": 64.0}, {"layers": -1}, {"heads": "2"}, {"depth": 1}]
)
def test_shapes_that_cannot_be_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    small().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["shape"].update(wrong)
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CorruptModel, match=r"config\.json"):
        CompactModel.load(tmp_path)


def test_another_format_is_refused(tmp_path: Path) -> None:
    small().save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(CorruptModel, match="format 99, this version reads 2"):
        CompactModel.load(tmp_path)


def test_words_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    model = small()
    model.save(tmp_path)
    known = list(model.tokenizer.words)
    for words in (known[:-1], [*known[:-1], known[0]], [*known[:-1], 1], "x" * len(known), None):
        (tmp_path / "tokenizer.json").write_text(json.dumps({"separator": " ", "words": words}))
        with pytest.raises(CorruptModel, match=r"tokenizer\.json"):
            CompactModel.load(tmp_path)


def _half(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: w.half() for name, w in weights.items()}


def _not_finite(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**weights, "norm.weight": weights["norm.weight"] * torch.nan}


def _narrow(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: w[..., :-1].contiguous() for name, w in weights.items()}


def _without_one(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: w for name, w in weights.items() if name != "norm.weight"}


def _with_one_more(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {**weights, "extra": torch.zeros(1)}


@pytest.mark.parametrize("damage", [_half, _not_finite, _narrow, _without_one, _with_one_more])
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, damage: Damage) -> None:
    small().save(tmp_path)
    file = tmp_path / "model.safetensors"
    safetensors.torch.save_file(damage(safetensors.torch.load_file(file)), file)
    with pytest.raises(CorruptModel, match=r"model\.safetensors"):
        CompactModel.load(tmp_path)


def test_loading_leaves_the_global_generator_alone_and_the_model_can_learn_on(tmp_path: Path) -> None:
    small().save(tmp_path)
    state = torch.random.get_rng_state()
    models = [CompactModel.load(tmp_path) for _ in range(2)]
    assert torch.equal(state, torch.random.get_rng_state())
    reports = [m.fit(EXAMPLES, epochs=10, seed=0) for m in [*models, small()]]
    assert reports[0].losses == reports[1].losses == reports[2].losses
    assert reports[0].losses[-1][1] < reports[0].losses[0][1]


def test_a_width_that_the_heads_do_not_divide_is_refused() -> None:
    with pytest.raises(ValueError, match="3 heads do not divide a width of 64"):
        small(heads=3)


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no example"):
        small().fit([], epochs=1, seed=0)


def test_samples_do_not_depend_on_the_number_of_threads() -> None:
    """One prompt is cut over two threads, which share its grammar; then four prompts in two batches."""
    model = small()
    model.fit(EXAMPLES, epochs=20, seed=0)
    before, found = torch.get_num_threads(), []
    try:
        for threads in (1, 2, 3):
            torch.set_num_threads(threads)
            prompts = [Prompt(text, Brackets()) for text in ("first", "second", "third", "fourth")]
            lists = [*model.sample(prompts[:1], 60, temperature=1.0), *model.sample(prompts, 40, temperature=1.0)]
            found.append([[s.text for s in samples] for samples in lists])
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1] == found[2]
