"""How fast the local backends learn and sample, beside transformers' own `generate` and training step on the same weights.

    python research/scripts/language_models/llm_speed.py --out llm-speed.json      some minutes
    python research/scripts/language_models/llm_speed.py --quick                   the compact model alone, fewer sizes

The compact model is turned into a `LlamaForCausalLM` of the same weights, whose logits are checked to agree. Ten solutions
of each context; every prompt has a grammar of its own that allows 24 symbols in each place. `generate`
draws samples that may repeat, and so are those timed beside it; distinct ones are timed too. The
floor is the time that the multiplications of a forward pass (training: of three) would take at the speed of a large
matrix product, measured in the same run.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as the command line sets them, before torch is loaded
os.environ.setdefault("GOMP_SPINCOUNT", "100000")

import numpy as np
import torch

from boltbo import Slots
from boltbo.llm.backend import Example, Prompt
from boltbo.llm.compact import decoder
from boltbo.llm.compact.model import CompactModel
from boltbo.llm.pretrained import model as pretrained
from boltbo.llm.sampling.sample import sample
from boltbo.llm.tuning.precision import PRODUCTS
from boltbo.system.files import write_whole
from boltbo.system.threads import one_torch_thread
from boltbo_bench.recorded import commit, cpu

SHAPES = {"plans": (150, 16), "long": (100, 48)}
"""Tokens of a context and of a solution: as CEB's plans have on average, and longer ones"""

CHOICES, EACH = 24, 10
WORDS = [f"{a}{b}" for a in "abcdefghij" for b in "klmnopqrstuvwxyzabcdefghij"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []

    def tell(**row: Any) -> None:
        rows.append({k: round(v, 5) if isinstance(v, float) else v for k, v in row.items()})
        print(json.dumps(rows[-1]), flush=True)

    flops = gemm()
    tell(what="matrix product", gflops=flops / 1e9, threads=torch.get_num_threads())
    sizes = [(1, 16), (16, 16)] if args.quick else [(1, 1), (1, 16), (4, 16), (16, 16), (8, 50)]
    for shape in SHAPES:
        compact_speed(tell, flops, sizes, shape)
    if not args.quick:
        smollm2_speed(tell, flops)
    tell(what="peak memory", mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
    if args.out:
        about = {
            "command": "python research/scripts/language_models/llm_speed.py",
            "commit": commit(),
            "seed": 0,
            "machine": cpu(),
        }
        write_whole(args.out, json.dumps({**about, "rows": rows}, indent=1))


def gemm(n: int = 2048) -> float:
    """Floating-point operations a second of a large matrix product, in what this CPU is best at."""
    a = torch.randn(n, n).to(PRODUCTS)
    return 2 * n**3 / best(lambda: a @ a, 5)


def best(work: Callable[[], Any], times: int = 3) -> float:
    """The least of some wall times."""
    took = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def tasks(n: int, shape: str) -> tuple[list[Prompt], list[Example]]:
    """Prompts with grammars of their own, and ten solutions for each."""
    rng, (length, solution) = np.random.default_rng(0), SHAPES[shape]
    prompts, examples = [], []
    for _ in range(n):
        context = " ".join(rng.choice(WORDS, size=length))
        space = Slots([sorted(rng.choice(WORDS, size=CHOICES, replace=False)) for _ in range(solution)])
        prompts.append(Prompt(context, space))
        examples += [Example(context, text) for text in space.decode(rng.random((EACH, solution)))]
    return prompts, examples


# -- the compact model --------------------------------------------------------------------------------------------------


def compact_speed(tell: Callable[..., None], flops: float, sizes: Sequence[tuple[int, int]], shape: str) -> None:
    (length, solution), (prompts, examples) = SHAPES[shape], tasks(64, shape)
    model = CompactModel.create([*examples, Example(" ".join(WORDS), "")])
    llama = as_llama(model)
    rounded = copy.deepcopy(llama).bfloat16()
    size = sum(p.numel() for p in model.decoder.parameters())
    for p, n in sizes:
        reader = Timed(model.reader())
        ours = best(lambda reader=reader, p=p, n=n: sampled(reader, prompts[:p], n))
        theirs = best(lambda p=p, n=n: generated(llama, ids_of(model, prompts[:p]), n, solution + 1))
        halves = best(lambda p=p, n=n: generated(rounded, ids_of(model, prompts[:p]), n, solution + 1))
        tell(
            what="sampling", backend="compact", shape=shape, parameters=size, prompts=p, rows=p * n,
            samples_per_second=p * n / ours, generate_samples_per_second=p * n / theirs, times_generate=theirs / ours,
            times_generate_in_bfloat16=halves / ours,
            mask_and_choice_us_per_token=beside(model, prompts[:p], n),
            distinct_samples_per_second=p * n / distinct(model, prompts[:p], n),
            share_of_floor=2 * size * p * (n * (solution + 1) + length) / flops / ours,
        )  # fmt: skip
    short = examples[: 32 * EACH]
    ours_s = best(lambda: model.fit(short, epochs=1, seed=0), 2)
    report = model.fit(short, epochs=1, seed=0)
    model.fit(short, epochs=20, seed=0)  # now it is sure of itself: it knows ten solutions of each context
    tell(
        what="distinct samples after training", backend="compact", shape=shape, prompts=8, rows=400,
        samples_per_second=400 / distinct(model, prompts[:8], 50), independent_samples_per_second=400
        / best(lambda: sampled(Timed(model.reader()), prompts[:8], 50)),
    )  # fmt: skip
    theirs_s = best(lambda: trained(llama, [ids(model, e) for e in short]), 2)
    tell(
        what="training", backend="compact", shape=shape, pairs_per_second=len(short) / ours_s,
        tokens_per_second=report.tokens / ours_s,
        transformers_pairs_per_second=len(short) / theirs_s, times_transformers=theirs_s / ours_s,
        share_of_floor=6 * size * report.tokens / flops / ours_s,
    )  # fmt: skip


def distinct(model: CompactModel, prompts: Sequence[Prompt], n: int) -> float:
    """Seconds for `n` samples each that all differ."""
    return best(lambda: model.sample(prompts, n, temperature=1.0, seed=0))


def beside(model: CompactModel, prompts: Sequence[Prompt], n: int) -> float:
    """Microseconds a token of all that is not the model's own work, on one thread."""
    reader = Timed(model.reader())
    with one_torch_thread():
        sampled(reader, prompts, n)
    return 1e6 * reader.beside / reader.steps_tokens


class Timed:
    """A reader that adds up the seconds spent in it and those spent beside it."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.stop, self.side_by_side, self.rows = reader.stop, reader.side_by_side, reader.rows
        self.spell, self.text, self.keep = reader.spell, reader.text, reader.keep
        self.inside = self.beside = 0.0
        self.steps_tokens = 0

    def read(self, contexts: Sequence[str], n: int) -> Any:
        return self._inside(lambda: self._reader.read(contexts, n), 0)

    def step(self, tokens: Any, memory: Any) -> Any:
        return self._inside(lambda: self._reader.step(tokens, memory), len(tokens))

    def _inside(self, work: Callable[[], Any], tokens: int) -> Any:
        began = time.perf_counter()
        answer = work()
        self.inside += time.perf_counter() - began
        self.steps_tokens += tokens
        return answer


def sampled(reader: Timed, prompts: Sequence[Prompt], n: int) -> None:
    before, began = reader.inside, time.perf_counter()
    lists = sample(reader, prompts, n, temperature=1.0, unique=False, seed=0)
    reader.beside += time.perf_counter() - began - (reader.inside - before)
    assert all(len(samples) == n for samples in lists)


@torch.inference_mode()
def generated(model: Any, ids: torch.Tensor, n: int, tokens: int) -> None:
    """So many tokens a row by `generate`, without any constraint."""
    out = model.generate(
        ids, attention_mask=torch.ones_like(ids), do_sample=True, temperature=1.0, top_k=0, num_return_sequences=n,
        min_new_tokens=tokens, max_new_tokens=tokens, pad_token_id=0,
    )  # fmt: skip
    assert out.shape == (len(ids) * n, ids.shape[1] + tokens)


def trained(model: Any, rows: Sequence[tuple[list[int], list[int]]], batch: int = 16) -> None:
    """One epoch of the same pairs in rows of their own, completion tokens only."""
    optimizer = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=1e-6, fused=True)
    model.train()
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        width = max(len(c) + len(s) for c, s in part)
        ids, labels = torch.zeros(len(part), width, dtype=torch.long), torch.full((len(part), width), -100)
        seen = torch.zeros(len(part), width, dtype=torch.long)
        for i, (c, s) in enumerate(part):
            ids[i, : len(c) + len(s)] = torch.tensor([*c, *s])
            labels[i, len(c) : len(c) + len(s)] = torch.tensor(s)
            seen[i, : len(c) + len(s)] = 1
        model(input_ids=ids, attention_mask=seen, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()


def ids_of(model: CompactModel, prompts: Sequence[Prompt]) -> torch.Tensor:
    return torch.tensor([model.tokenizer.context(p.context) for p in prompts])


def ids(model: CompactModel, e: Example) -> tuple[list[int], list[int]]:
    return list(model.tokenizer.context(e.context)), list(model.tokenizer.solution(e.solution))


def as_llama(model: CompactModel) -> Any:
    """A `LlamaForCausalLM` of the same weights.

    Raises:
        AssertionError: Its logits differ.
    """
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = model.decoder.shape
    config = LlamaConfig(
        vocab_size=shape.vocabulary, hidden_size=shape.width, intermediate_size=shape.hidden,
        num_hidden_layers=shape.layers, num_attention_heads=shape.heads, tie_word_embeddings=True,
        rms_norm_eps=float(torch.finfo(torch.float32).eps), max_position_embeddings=2048, bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    llama = LlamaForCausalLM(config).eval()
    own, theirs = model.decoder.state_dict(), {}
    theirs["model.embed_tokens.weight"] = theirs["lm_head.weight"] = own["embedding.weight"]
    theirs["model.norm.weight"] = own["norm.weight"]
    for i in range(shape.layers):
        a, b = f"blocks.{i}", f"model.layers.{i}"
        for name, part in zip("qkv", own[f"{a}.qkv.weight"].chunk(3), strict=True):
            theirs[f"{b}.self_attn.{name}_proj.weight"] = part
        gate, up = own[f"{a}.gate_up.weight"].chunk(2)
        theirs |= {
            f"{b}.self_attn.o_proj.weight": own[f"{a}.out.weight"], f"{b}.mlp.gate_proj.weight": gate,
            f"{b}.mlp.up_proj.weight": up, f"{b}.mlp.down_proj.weight": own[f"{a}.down.weight"],
            f"{b}.input_layernorm.weight": own[f"{a}.before_attention.weight"],
            f"{b}.post_attention_layernorm.weight": own[f"{a}.before_feed.weight"],
        }  # fmt: skip
    llama.load_state_dict(theirs)
    some = torch.arange(3 * 40).view(3, 40) % shape.vocabulary
    positions = torch.arange(40).expand(3, 40)
    decoder.PRODUCTS = torch.float32  # exactly; and all heads count as theirs do
    with torch.inference_mode():
        ours = model.decoder.logits(model.decoder(some, positions, positions))
        decoder.PRODUCTS = PRODUCTS
        assert torch.allclose(ours, llama(some).logits, atol=1e-4), "the converted weights give other logits"
    return llama


# -- a pretrained model -------------------------------------------------------------------------------------------------


def smollm2_speed(tell: Callable[..., None], flops: float) -> None:
    prompts, examples = tasks(2, "plans")
    model = pretrained.PretrainedModel.open("smollm2", instruction="Write words.")
    size = sum(p.numel() for p in model.model.parameters())
    rows, contexts = [], []
    for e in examples:
        rows.append((model.context(e.context), model._solution(e.solution)))
    for p in prompts:
        contexts.append(model.context(p.context))
    for n in (1, 16):
        reader = Timed(model.reader())
        ours = best(lambda reader=reader, n=n: sampled(reader, prompts[:1], n), 2)
        tokens = reader.steps_tokens / n / 2
        ids = torch.tensor(contexts[:1])
        steps = round(tokens)
        theirs = best(lambda ids=ids, n=n, k=steps: generated(model.model, ids, n, k), 2)
        tell(
            what="sampling", backend="smollm2", parameters=size, prompts=1, rows=n, samples_per_second=n / ours,
            generate_samples_per_second=n / theirs, times_generate=theirs / ours,
            mask_and_choice_us_per_token=1e6 * reader.beside / reader.steps_tokens,
            share_of_floor=2 * size * (n * tokens + len(contexts[0])) / flops / ours,
        )  # fmt: skip
    # the floor of LoRA: forward, and backward to the inputs; the base's own gradients are not computed
    began = time.perf_counter()
    report = model.fit(examples, epochs=1, seed=0)
    ours_s = time.perf_counter() - began
    theirs_s = best(lambda: trained(model.model, rows, 4), 1)
    tell(
        what="training", backend="smollm2", pairs_per_second=len(examples) / ours_s,
        tokens_per_second=report.tokens / ours_s, transformers_pairs_per_second=len(examples) / theirs_s,
        times_transformers=theirs_s / ours_s, share_of_floor=4 * size * report.tokens / flops / ours_s,
    )  # fmt: skip


if __name__ == "__main__":
    main()
