"""`python -m boltbo`: the command line."""

from boltbo.cli import main

main()
