"""Files and folders that are there whole or not at all, whatever happens while they are written."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    half = _beside(path)
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
    _sync_folder(path.parent)


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder in place of what was there: it gets its name only when it is full.

    Yields:
        A new, empty folder beside it, to be filled. Where the work raises, it is removed and `path` stays as it was.

    Raises:
        OSError: The folder cannot be made or renamed.
    """
    half = _beside(path)
    half.mkdir(parents=True)
    try:
        yield half
        for file in filter(Path.is_file, half.rglob("*")):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        shutil.rmtree(path, ignore_errors=True)
        half.rename(path)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    _sync_folder(path.parent)


def _beside(path: Path) -> Path:
    """A name of its own for each writer: two processes may write the same thing at the same time."""
    return path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.half")


def _sync_folder(folder: Path) -> None:
    """Bring new names in a folder to the disk, where the system can open a folder."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
