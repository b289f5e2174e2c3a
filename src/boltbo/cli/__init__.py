"""The `boltbo` command."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; an error that a user can mend is one message and exit status 1."""
    # before numpy and torch are loaded: threads that wait by spinning cost the database and the other runs their cores, and
    # threads that sleep at once make a model's many small products slower than one thread does; so they spin for a moment
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("GOMP_SPINCOUNT", "100000")
    from boltbo.cli.app import app
    from boltbo.cli.errors import USER_ERRORS
    from boltbo.cli.interrupts import deliver_interrupts

    deliver_interrupts()
    try:
        app(standalone_mode=True)
    except USER_ERRORS as error:
        print(f"boltbo: {error}", file=sys.stderr)
        sys.exit(1)
