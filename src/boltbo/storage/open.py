"""Which storage a URL or a path means."""

from __future__ import annotations

from pathlib import Path

from boltbo.storage.protocol import Storage
from boltbo.storage.sql import SqlStorage


def open_storage(where: str | Path, campaign_id: int = 0) -> Storage:
    """Open a storage; another kind of storage than SQL is to be told apart here, by its scheme.

    Args:
        where: A file (SQLite), or a database URL such as `postgresql://user@host/name`.
        campaign_id: The campaign to attach to; 0: `attach` or `find` will say.

    Raises:
        StorageError: It cannot be opened.
    """
    return SqlStorage(str(where), campaign_id)
