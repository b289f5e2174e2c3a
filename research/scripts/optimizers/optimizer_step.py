"""What one step of trust-region Bayesian optimization costs: tell a batch, ask for the next one.

    python research/scripts/optimizers/optimizer_step.py --quick     n = 300, under a minute
    python research/scripts/optimizers/optimizer_step.py --sizes     boltbo at n = 100, 300, 1000, 4000 and d = 20, 64, 256, two minutes
    python research/scripts/optimizers/optimizer_step.py             n = 100, 300, 1000 beside BoTorch, a quarter of an hour

CPU seconds (`process_time`) on one thread, d = 64 but for `--sizes`, batches of 10, as JSON. boltbo's steps are averaged over
ten, hence with their share of the scheduled refits. BoTorch's are written from its documentation: a `SingleTaskGP` fitted with
`fit_gpytorch_mll` at each step, `MaxPosteriorSampling` over as many points of a trust region as boltbo samples; once as it
comes, once with L-BFGS stopped after as many iterations as boltbo's refits. Each figure comes from a process of its own,
so that peak memory (with imports) can be told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from boltbo.optimizers import make_optimizer
from boltbo.optimizers.box.turbo import NEXT_ITERATIONS
from boltbo.problem import FloatArray, Observation, Status
from boltbo.system.files import write_whole
from boltbo_bench.problems.box import Numbers
from boltbo_bench.recorded import commit

D, BATCH, CANDIDATES = 64, 10, 1000
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SIZES = [100, 300, 1000, 4000]
BUDGET_S = 2.0  # no further step of one measurement begins after this


def objective(X: FloatArray) -> FloatArray:
    return np.asarray(((X - 0.3) ** 2 * np.linspace(0, 4, X.shape[1])).sum(axis=1) + np.sin(6 * X[:, 0] * X[:, 1]))


def start(n: int, d: int) -> FloatArray:
    return np.random.default_rng(0).random((n, d))


def mean_seconds(step: Callable[[], None], least: int, most: int) -> float:
    begin = time.process_time()
    for done in range(1, most + 1):
        step()
        if done >= least and time.process_time() - begin > BUDGET_S:
            break
    return (time.process_time() - begin) / done


def boltbo_turbo(n: int, d: int, name: str = "turbo") -> float:
    space = Numbers(d)
    optimizer = make_optimizer(name, space, seed=0, candidates=CANDIDATES)

    def tell(candidates: list[str]) -> None:
        values = objective(np.array([space.encode(c) for c in candidates]))
        optimizer.tell(
            [Observation(c, float(v), Status.COMPLETE, 0.0, "bo") for c, v in zip(candidates, values, strict=True)]
        )

    tell(space.decode(start(n, d)))
    asked = optimizer.ask(BATCH)  # the first fit, from the prior's mode, is paid once a run and not measured

    def step() -> None:
        nonlocal asked
        tell(asked)
        asked = optimizer.ask(BATCH)

    return mean_seconds(step, 10, 10)


def botorch_step(n: int, d: int, *, sample: bool, iterations: int | None = None) -> float:
    import torch
    from botorch.fit import fit_gpytorch_mll
    from botorch.generation import MaxPosteriorSampling
    from botorch.models import SingleTaskGP
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    torch.manual_seed(0)
    X = torch.tensor(start(n, d))
    Y = -torch.tensor(objective(X.numpy())).unsqueeze(-1)

    def step() -> None:
        nonlocal X, Y
        model = SingleTaskGP(X, Y)
        options = {} if iterations is None else {"optimizer_kwargs": {"options": {"maxiter": iterations}}}
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model), **options)
        if not sample:
            return
        centre = X[Y.argmax()]
        scales = model.covar_module.lengthscale.detach().squeeze()
        half = 0.4 * scales / scales.log().mean().exp()
        low, high = (centre - half).clamp(0, 1), (centre + half).clamp(0, 1)
        drawn = low + (high - low) * torch.rand(CANDIDATES, d, dtype=X.dtype)
        points = torch.where(torch.rand(CANDIDATES, d) < 20 / d, drawn, centre)
        with torch.no_grad():
            new = MaxPosteriorSampling(model, replacement=False)(points, num_samples=BATCH)
        X, Y = torch.cat([X, new]), torch.cat([Y, -torch.tensor(objective(new.numpy())).unsqueeze(-1)])

    return mean_seconds(step, 1, 5)


CAPPED = f"botorch turbo, {NEXT_ITERATIONS} L-BFGS iterations"
ARMS: dict[str, Callable[[int, int], float]] = {
    "boltbo turbo": boltbo_turbo,
    "boltbo turbo, deep kernel": lambda n, d: boltbo_turbo(n, d, "boltbo.latent.deep_turbo:DeepTurbo"),
    "botorch turbo": lambda n, d: botorch_step(n, d, sample=True),
    CAPPED: lambda n, d: botorch_step(n, d, sample=True, iterations=NEXT_ITERATIONS),
    "botorch default fit": lambda n, d: botorch_step(n, d, sample=False),
}


def measure(arm: str, n: int, d: int = D) -> dict[str, float]:
    """One arm in a process of its own."""
    child = [sys.executable, __file__, "--arm", arm, "--n", str(n), "--d", str(d)]
    done = subprocess.run(child, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **ONE_THREAD})
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="n = 300 only")
    parser.add_argument("--sizes", action="store_true", help="boltbo alone, for each n and d")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--arm", choices=ARMS, help=argparse.SUPPRESS)
    parser.add_argument("--n", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--d", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.arm:
        seconds = ARMS[args.arm](args.n, args.d)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps({"seconds": round(seconds, 4), "peak_mib": round(peak)}))
        return

    own = [arm for arm in ARMS if arm.startswith("boltbo")]
    if args.sizes:
        tell(
            args.out,
            [{"arm": a, "d": d, "n": n, **measure(a, n, d)} for a in own for d in (20, 64, 256) for n in SIZES],
        )
        return
    arms = [arm for arm in ARMS if arm != own[1]]
    if find_spec("botorch") is None:
        print("BoTorch is not installed (pip install botorch): boltbo alone", file=sys.stderr)
        arms = own[:1]
    sizes = [300] if args.quick else SIZES[:3]
    results = {n: {arm: measure(arm, n) for arm in arms} for n in sizes}

    def table(key: str) -> dict[str, object]:
        by_n = {str(n): {arm: r[key] for arm, r in by_arm.items()} for n, by_arm in results.items()}
        return by_n["300"] if args.quick else by_n

    tell(args.out, {"d": D, "batch": BATCH, "seconds_per_step": table("seconds"), "peak_mib": table("peak_mib")})


def tell(out: Path | None, found: object) -> None:
    print(json.dumps(found))
    if out:
        command = f"python research/scripts/optimizers/optimizer_step.py {' '.join(a for a in sys.argv[1:] if a in ('--quick', '--sizes'))}"
        write_whole(
            out, json.dumps({"command": command.strip(), "commit": commit(), "seed": 0, "found": found}, indent=1)
        )


if __name__ == "__main__":
    main()
