"""How well a sequence VAE learns peptides: held-out sequences that come back, random points that are peptides.

    python research/scripts/peptides/latent.py --sequences amp_sequences.txt --vae FOLDER --out research/results/latent.json

Learns from all but 500 of the sequences of a file (one a line) and from two random relatives of each, within a quarter of its
length; one thread, CPU seconds. Prints JSON: `exact`, the share of the held-out sequences that come back from the mean of
their code letter by letter; `exact_relatives`, the same of random relatives of these; `valid`, the share of random points
that decode, without any mask, to a sequence whose length the corpus has; `distinct`, how many of these are different.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from boltbo.latent.vae import SequenceVAE
from boltbo.spaces import Strings
from boltbo.system.files import write_whole
from boltbo_bench.recorded import commit

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
LONGEST = 40
HELD_OUT, POINTS = 500, 1000
RELATIVES = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sequences", type=Path, required=True)
    parser.add_argument("--vae", type=Path, help="keep the model in this folder")
    parser.add_argument("--out", type=Path, help="append the numbers to a JSON list")
    parser.add_argument("--latent", type=int, default=128)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--kl-weight", type=float, default=0.1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--epochs", type=float, default=8.0)
    parser.add_argument("--tokens", type=int, default=1024, help="of a batch")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)

    rng = np.random.default_rng(args.seed)
    known = sorted({line.strip() for line in args.sequences.read_text().splitlines() if line.strip()})
    known = [known[i] for i in rng.permutation(len(known))]
    held_out, learnt = known[:HELD_OUT], known[HELD_OUT:]
    corpus = [list(s) for s in [*learnt, *relatives(learnt, RELATIVES, rng)]]
    vae = SequenceVAE.create(
        list(LETTERS), LONGEST, latent=args.latent, width=args.width, layers=args.layers, seed=args.seed
    )
    start = time.process_time()
    report = vae.fit(
        corpus, seed=args.seed, epochs=args.epochs, kl_weight=args.kl_weight, rate=args.rate, tokens=args.tokens
    )
    seconds = time.process_time() - start
    least, most = min(map(len, known)), max(map(len, known))
    found = vae.decode(vae.random_points(POINTS, args.seed))
    options = {
        k: getattr(args, k) for k in ("latent", "width", "layers", "kl_weight", "rate", "epochs", "tokens", "seed")
    }
    result = {
        "command": " ".join(["python", "research/scripts/peptides/latent.py", *(Path(a).name for a in sys.argv[1:])]),
        "commit": commit(),
        **options,
        "parameters": sum(p.numel() for p in vae.network.parameters()),
        "learnt": len(corpus),
        "cpu_s": round(seconds, 1),
        "loss": report.losses[-1][1],
        "exact": vae.reconstruction([list(s) for s in held_out]).exact,
        "exact_relatives": vae.reconstruction([list(s) for s in relatives(held_out, 1, rng)]).exact,
        "valid": float(np.mean([least <= len(s) <= most for s in found])),
        "distinct": len({tuple(s) for s in found}),
    }
    print(json.dumps(result), flush=True)
    if args.vae:
        vae.save(args.vae)
    if args.out:
        before = json.loads(args.out.read_text()) if args.out.exists() else []
        write_whole(args.out, json.dumps([*before, result], indent=1) + "\n")


def relatives(sequences: Sequence[str], n: int, rng: np.random.Generator) -> list[str]:
    """`n` random relatives of each, within a quarter of its length."""
    found = []
    for s in sequences:
        edits = max(1, len(s) // 4)
        found += Strings(LETTERS, (1, LONGEST), template=s, edits=edits).mutants(s, edits, n, rng)
    return found


if __name__ == "__main__":
    main()
