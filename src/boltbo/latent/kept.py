"""A VAE in a folder, trained once for each set of ingredients. Torch is imported only when a VAE is made or read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from boltbo.system.files import write_whole

if TYPE_CHECKING:
    from boltbo.latent.vae import SequenceVAE

Report = dict[str, float]


def keep(folder: Path, name: str, key: Mapping[str, Any], make: Callable[[], tuple[SequenceVAE, Report]]) -> Report:
    """Make a VAE and save it, unless the folder holds one of the same `key`; returns the report of its making.

    Args:
        folder: The folder of the VAE and of `name.json`, which holds key and report.
        name: Name of that file.
        key: Everything that the VAE is made of; it survives JSON.
        make: Trains the VAE and reports how well it does.
    """
    file, key_as_stored = folder / f"{name}.json", json.loads(json.dumps(key))
    with suppress(OSError, ValueError, KeyError, TypeError):  # what cannot be read is made anew
        stored = json.loads(file.read_text())
        if stored["key"] == key_as_stored:
            return dict(stored["report"])
    vae, report = make()
    vae.save(folder)
    kept.cache_clear()
    write_whole(file, json.dumps({"key": key_as_stored, "report": report}, indent=1))
    return report


@lru_cache(maxsize=2)
def kept(folder: Path) -> SequenceVAE:
    """The VAE that `keep` put into a folder.

    Raises:
        CorruptModel: The folder holds none.
    """
    from boltbo.latent.vae import SequenceVAE

    return SequenceVAE.load(folder)
