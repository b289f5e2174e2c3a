"""What was paid for at a service, on disk: its jobs by what they were asked to do, and the tokens so far."""

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
        requests: Chat completions asked for.
        prompt_tokens, completion_tokens: Of these, as the service counts them.
        trained_tokens: Of finished fine-tuning jobs.
        drawn: Raw samples.
        valid: Those of them that were candidates of their task.
        retries: Requests of any kind that were repeated.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    trained_tokens: int = 0
    drawn: int = 0
    valid: int = 0
    retries: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def cost(self, training: float, prompt: float, completion: float) -> float:
        """In the currency of the prices, which are for a million tokens each."""
        tokens = self.trained_tokens * training + self.prompt_tokens * prompt + self.completion_tokens * completion
        return tokens / 1e6


class Journal:
    """A JSON file that is replaced as a whole, or memory only where there is no path. Several may write to one file.

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
        """What is known of a job: `file`, `job`, `model`, as far as it got."""
        with self._lock:
            self._read()
            return dict(self._jobs.get(key, {}))

    def note(self, key: str, **facts: Any) -> None:
        """Add to what is known of a job; on disk when this returns. None forgets a fact."""
        with self._changing():
            job = {**self._jobs.get(key, {}), **facts}
            self._jobs[key] = {name: fact for name, fact in job.items() if fact is not None}

    def count(self, usage: Usage) -> None:
        with self._changing():
            self.usage += usage

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """What stands in the file is read, changed and written, alone."""
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
