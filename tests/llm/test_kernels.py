"""The tests of bits, and of what models learn, with other kernels than this processor's: what passes here passes elsewhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

KERNELS = {
    "without vectors": {
        "ATEN_CPU_CAPABILITY": "default",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
    "by the number of rows": {"MKL_CBWR": "COMPATIBLE", "OPENBLAS_CORETYPE": "Prescott"},
}
"""Variables that torch, oneDNN, MKL and OpenBLAS read when they are loaded. With the second ones MKL sums in another order
for nearly every number of rows; a library that does not know a variable has the same kernels as ever."""

BITS = ("llm/sampling/test_distinct.py", "llm/compact/test_model.py", "latent/test_vae.py", "latent/test_lolbo.py")
LEARNING = ("llm/compact/test_guidance.py", "llm/tuning/test_loop.py", "latent/test_deep_kernel.py")


@pytest.mark.slow
@pytest.mark.parametrize("kernels", KERNELS)
def test_bits_and_learning_are_the_same_with_other_kernels(kernels: str, tmp_path: Path) -> None:
    # a folder of its own: where pytest chooses one, it closes the common one to the servers of the tests beside it
    options = ["-x", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "", f"--basetemp={tmp_path / 'pytest'}"]
    command = [sys.executable, "-m", "pytest", *options]
    done = subprocess.run(
        [*command, *(str(TESTS / name) for name in (*BITS, *LEARNING))],
        env={**os.environ, **KERNELS[kernels]}, cwd=TESTS.parent, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"{KERNELS[kernels]}:\n{done.stdout[-5000:]}{done.stderr[-2000:]}"


def test_the_variables_do_choose_other_kernels() -> None:
    """At least one set gives other last bits here: otherwise the test above shows nothing."""
    code = (
        "import hashlib, numpy as np, torch; torch.manual_seed(0); "
        "y = torch.nn.functional.linear(torch.randn(64, 256), torch.randn(300, 256)).softmax(1); "
        "print(hashlib.sha256(y.numpy().tobytes()).hexdigest())"
    )
    found = [
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, **variables}, check=True, capture_output=True, text=True
        ).stdout
        for variables in ({}, *KERNELS.values())
    ]
    assert len(set(found)) > 1
