"""What a command line that needs no model must not pay for."""

from __future__ import annotations

import subprocess
import sys


def test_the_protocol_and_its_contract_do_not_import_torch() -> None:
    code = "import sys, boltbo.llm, boltbo.llm.backend, boltbo.llm.contract; print([m for m in sys.modules if m == 'torch'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_the_models_leaves_the_threads_alone() -> None:
    code = """
import torch
torch.set_num_threads(3)
import boltbo.llm.compact, boltbo.llm.pretrained
assert torch.get_num_threads() == 3
"""
    subprocess.run([sys.executable, "-c", code], check=True)
