"""The benchmark's templates: short peptides of the data sets that the package modlamp brings.

1,434 antimicrobial peptides and 762 other fragments of UniProt, 8 to 30 residues long (modlAMP: Müller et al., 2017,
Bioinformatics 33:2753; BSD-3). Nothing of them is copied here: `pip install 'boltbo[peptides-train]'` brings them.
"""

from __future__ import annotations

import csv
from importlib.util import find_spec
from pathlib import Path

from boltbo.domains.peptides.split import split
from boltbo.domains.peptides.templates import Template, what_is_wrong
from boltbo.errors import ConfigError

TRAIN, VALIDATION = 1400, 100
SHORTEST, LONGEST = 8, 30
FILE = Path("data") / "AMPvsUniProt.csv"
KINDS = {"1": "amp", "0": "uniprot"}


def benchmark_templates() -> list[Template]:
    """All distinct usable peptides, named after their kind and line, in the order of the file.

    Raises:
        ConfigError: modlamp is not installed, or is another version without this file.
    """
    spec = find_spec("modlamp")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "the benchmark's templates come with the package modlamp: pip install 'boltbo[peptides-train]'"
        )
    path = Path(spec.origin).with_name(FILE.parts[0]) / FILE.name
    try:
        rows = list(csv.reader(path.read_text().splitlines()))[1:]
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}): expected modlamp 4.3 or newer") from error
    templates: dict[str, Template] = {}
    for line, row in enumerate(rows, 2):
        sequence, kind = row[0].strip(), row[1].strip()
        if SHORTEST <= len(sequence) <= LONGEST and what_is_wrong(sequence) is None:
            templates.setdefault(sequence, Template(f"{KINDS[kind]}-{line}", sequence))
    return list(templates.values())


def benchmark_split(seed: int) -> tuple[list[Template], list[Template]]:
    """The benchmark's 1,400 training and 100 validation templates in random order (see `split.split`).

    A smaller benchmark takes the first of each.

    Raises:
        ConfigError: See `benchmark_templates`.
    """
    return split(benchmark_templates(), TRAIN, VALIDATION, seed)
