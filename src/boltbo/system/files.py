"""Files that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path


def write_whole(path: Path, content: str | bytes, *, errors: str = "strict") -> None:
    """Write a file in place of what was there: a reader, or a crash, sees the old content or the new one.

    The content goes to a file beside, onto the disk, and is renamed only then. Text is written as UTF-8.

    Args:
        path: Where to; its folder exists.
        content: Text, or bytes as they are.
        errors: What becomes of characters that UTF-8 cannot say; see `str.encode`.

    Raises:
        OSError: The file cannot be written; what was there is still there, and nothing lies beside it.
    """
    encoded = content.encode("utf-8", errors) if isinstance(content, str) else content
    half = path.with_name(f"{path.name}.half")
    try:
        with half.open("wb") as file:
            file.write(encoded)
            file.flush()
            os.fsync(file.fileno())
        half.replace(path)
    except OSError:
        with suppress(OSError):
            half.unlink(missing_ok=True)
        raise
    with suppress(OSError):  # not every system can open a folder
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)  # the new name is on the disk, too
        finally:
            os.close(folder)
