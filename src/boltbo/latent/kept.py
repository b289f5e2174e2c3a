"""A VAE in a folder, trained once for what it is made of. Imports torch only when a VAE is made or read."""

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
    """Make a VAE and save it, unless the folder holds one of the same `key`; what was reported when it was made.

    Args:
        folder: Where the VAE and `name.json`, which says what it is made of, are.
        name: Of that file.
        key: All that it is made of; survives JSON.
        make: Trains it and says how well it does.
    """
    made, wanted = folder / f"{name}.json", json.loads(json.dumps(key))
    with suppress(OSError, ValueError, KeyError, TypeError):  # what cannot be read is made anew
        stored = json.loads(made.read_text())
        if stored["key"] == wanted:
            return dict(stored["report"])
    vae, report = make()
    vae.save(folder)
    kept.cache_clear()
    write_whole(made, json.dumps({"key": wanted, "report": report}, indent=1))
    return report


@lru_cache(maxsize=2)
def kept(folder: Path) -> SequenceVAE:
    """The VAE that `keep` put into a folder.

    Raises:
        CorruptModel: The folder holds none.
    """
    from boltbo.latent.vae import SequenceVAE

    return SequenceVAE.load(folder)
