"""The `boltbo` command."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any


def main() -> None:
    """Run the command line."""
    run("boltbo", _app)


def run(name: str, app: Callable[[], Any]) -> None:
    """Run a command line, which `app` imports and gives; an error that a user can mend is one message and exit status 1."""
    # before numpy and torch are loaded: threads that wait by spinning cost the database and the other runs their cores, and
    # threads that sleep at once make a model's many small products slower than one thread does; so they spin for a moment
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "100000")
    from boltbo.cli.interrupts import deliver_interrupts
    from boltbo.errors import BoltboError

    deliver_interrupts()
    try:
        app()(standalone_mode=True)
    except (BoltboError, ModuleNotFoundError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)


def _app() -> Any:
    from boltbo.cli.app import app

    return app
