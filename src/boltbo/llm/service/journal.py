"""A record on disk of what was paid for at a service: its jobs, by what they were asked to do, and the tokens so far."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from filelock import FileLock

from boltbo.errors import CorruptModel
from boltbo.system.files import write_whole


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts since the journal began.

    Attributes:
        requests: Number of chat completions asked for.
        prompt_tokens, completion_tokens: Tokens of these, as the service counts them.
        trained_tokens: Tokens of finished fine-tuning jobs.
        drawn: Number of raw samples.
        valid: Number of raw samples that were candidates of their task.
        retries: Number of repeated requests of any kind.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    trained_tokens: int = 0
    drawn: int = 0
    valid: int = 0
    retries: int = 0

    def __add__(self, more: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(more, f.name) for f in fields(self)))


class Journal:
    """A JSON file that is replaced as a whole, or memory alone where there is no path. Several journals may share a file.

    Raises:
        CorruptModel: The file is damaged: without it, a job that was paid for would be paid for again.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._jobs: dict[str, dict[str, Any]] = {}
        self.usage = Usage()
        self._read()

    def __getstate__(self) -> Mapping[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k != "_lock"}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

    def job(self, key: str) -> dict[str, Any]:
        """The facts of a job: `file`, `job` and `model`, as far as it got."""
        with self._lock:
            self._read()
            return dict(self._jobs.get(key, {}))

    def note(self, key: str, **facts: Any) -> None:
        """Add to the facts of a job, which are on disk when this returns. The value None removes a fact."""
        with self._changing():
            job = {**self._jobs.get(key, {}), **facts}
            self._jobs[key] = {name: fact for name, fact in job.items() if fact is not None}

    def count(self, usage: Usage) -> None:
        with self._changing():
            self.usage += usage

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Read the file before the change and write it after, while no other journal does."""
        if self.path is not None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, nullcontext() if self.path is None else FileLock(f"{self.path}.lock"):
            self._read()
            yield
            self._write()

    def _read(self) -> None:
        if self.path is None or not self.path.exists():
            return
        try:
            stored = json.loads(self.path.read_text())
            self._jobs, self.usage = dict(stored["jobs"]), Usage(**stored["usage"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptModel(
                f"{self.path}, which knows the jobs that were paid for, cannot be read ({error}). Restore it from a copy, "
                "or delete it: jobs that are not finished would then be started again."
            ) from error

    def _write(self) -> None:
        if self.path is None:
            return
        write_whole(self.path, json.dumps({"jobs": self._jobs, "usage": asdict(self.usage)}, indent=1))
