from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from boltbo import Slots
from boltbo.llm.backend import Example, Guidable, Prompt
from boltbo.llm.compact.guidance import Guided
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.contract import EXAMPLES

LETTERS = "abcd"
PROMPT = Prompt("any", Slots([LETTERS] * 6))


def tuned() -> tuple[CompactModel, CompactModel]:
    """A base of random words and what it became on words with more of the letter a."""
    rng = np.random.default_rng(0)

    def words(n: int, p: list[float]) -> list[Example]:
        return [Example("any", " ".join(rng.choice(list(LETTERS), size=6, p=p))) for _ in range(n)]

    usual, good = words(200, [0.25] * 4), words(100, [0.55, 0.15, 0.15, 0.15])
    base = CompactModel.create(usual, width=32, layers=1, heads=2)
    base.pretrain(usual, epochs=3, seed=0)
    model = CompactModel(base.tokenizer, CompactModel.create(usual, width=32, layers=1, heads=2).decoder)
    model.decoder.load_state_dict(base.decoder.state_dict())
    model.fit(good, epochs=60, seed=0, rate=3e-3)
    return base, model


def share_of_a(model: CompactModel) -> float:
    [samples] = model.sample([PROMPT], 200, temperature=1.0, unique=False)
    return float(np.mean([s.text.count("a") / 6 for s in samples]))


def test_guided_samples_have_more_of_what_was_learnt() -> None:
    base, model = tuned()
    plain, guided, further = share_of_a(model), share_of_a(model.guided(base, 1.0)), share_of_a(model.guided(base, 3.0))
    assert share_of_a(base) < plain - 0.1
    assert plain + 0.1 < guided < further
    assert share_of_a(model) == plain, "the model itself stays as it was"


def test_ratios_tell_what_fine_tuning_raised() -> None:
    base, model = tuned()
    words = ["a a a a a b", "a b", "c d c d c d", "b", *["d c b a"] * 12]
    ratios = model.guided(base, 0.0).log_ratios("any", words)
    assert ratios[0] > ratios[2] + 3
    with torch.inference_mode():
        for text, ratio in zip(words, ratios, strict=True):
            ids, written = model.tokenizer.solution(text), text.split()
            own, usual = (
                sum(logits(m, written[:at])[token].item() for at, token in enumerate(ids)) for m in (model, base)
            )
            assert ratio == pytest.approx(own - usual, abs=0.2)  # products may be in bfloat16
    assert model.guided(base, 1.0).log_ratios("any", []) == []
    with pytest.raises(ValueError, match="does not know what it was fine-tuned from"):
        model.log_ratios("any", words)


def test_no_strength_changes_nothing_and_logits_are_the_formula_s() -> None:
    base, model = tuned()
    lists = [[s.text for s in m.sample([PROMPT], 20)[0]] for m in (model, model.guided(base, 0.0))]
    assert lists[0] == lists[1]
    with torch.inference_mode():
        reader = Guided(model.reader(), base.reader(), 0.5)
        first, memory = reader.read(["any", "any a"], 2)
        second = reader.step(torch.tensor([model.tokenizer.symbol("a")[0]] * 4), memory)
        for at, text in ((first, []), (second, ["a"])):
            own, usual = (logits(m, text) for m in (model, base))
            assert torch.allclose(at[0], own + 0.5 * (own - usual), atol=0.1)  # products may be in bfloat16


def logits(model: CompactModel, written: list[str]) -> torch.Tensor:
    reader = model.reader()
    found, memory = reader.read(["any"], 1)
    for symbol in written:
        found = reader.step(torch.tensor([model.tokenizer.symbol(symbol)[0]]), memory)
    return found[0].float().log_softmax(-1)


def test_guidance_is_not_saved(tmp_path: Path) -> None:
    base, model = tuned()
    model.guided(base, 1.0).save(tmp_path / "model")
    assert CompactModel.load(tmp_path / "model").sample([PROMPT], 20) == model.sample([PROMPT], 20)


def test_another_model_s_base_is_refused() -> None:
    _, model = tuned()
    assert isinstance(model, Guidable)
    with pytest.raises(ValueError, match="fine-tuned from"):
        model.guided(CompactModel.create(EXAMPLES, width=32, layers=1, heads=2), 1.0)
