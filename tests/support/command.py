"""The command: as a user runs it, in a process of its own, and in this one, which need not import everything once more."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from boltbo.cli import main
from support.places import EXAMPLES

ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(EXAMPLES), *filter(None, [os.environ.get("PYTHONPATH")])]),
    "OMP_NUM_THREADS": "1",
    "COLUMNS": "150",
}


def boltbo(*words: str | Path, ok: bool = True) -> str:
    """What the command prints, or the error with which it ends where it is not to be `ok`."""
    done = subprocess.run(
        [sys.executable, "-c", "from boltbo.cli import main; main()", *map(str, words)],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode == 0) is ok, done.stdout + done.stderr
    return done.stdout if ok else done.stderr


def boltbo_here(*words: str | Path, ok: bool = True) -> str:
    """The same in this process."""
    out, errors = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["boltbo", *map(str, words)])
        patch.setattr(sys, "unraisablehook", sys.unraisablehook)  # the command sets its own
        patch.setattr(os, "environ", os.environ.copy())
        patch.syspath_prepend(EXAMPLES)
        os.environ["COLUMNS"] = "150"
        with pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code in (None, 0)) is ok, out.getvalue() + errors.getvalue()
    return out.getvalue() if ok else errors.getvalue()
