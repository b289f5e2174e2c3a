"""Fine-tuning jobs that survive a restart: each step is in the journal before the next, so that no job is paid for twice."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from boltbo.errors import ModelUnavailable
from boltbo.llm.backend import Progress
from boltbo.llm.service.client import Client, Refused
from boltbo.llm.service.journal import Journal, Usage

ENDED = ("failed", "cancelled")
CREATIONS = 4
"""Attempts at making a job; between two, the service is asked whether it was made after all."""

MOST_LISTED = 2000
"""The most jobs or events that are read of a service's list."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """A finished job: the model's new name, the tokens it was trained on (0 where unknown), and (step, loss) pairs."""

    model: str
    tokens: int
    losses: list[tuple[int, float]]


def tune(
    client: Client, journal: Journal, model: str, lines: bytes, epochs: int, seed: int, progress: Progress | None = None
) -> Tuned:
    """Have `model` fine-tuned on chat-format lines, or go on with the job that was begun for just this.

    Raises:
        ModelUnavailable: The service does not answer or refuses; or the job failed there, and the message says why.
    """
    key = hashlib.sha256(json.dumps([model, epochs, seed]).encode() + b"\n" + lines).hexdigest()
    facts = journal.job(key)
    if "file" not in facts:
        upload = (f"boltbo-{key[:16]}.jsonl", lines)
        file = client.ask(
            "the upload of the training pairs", lambda c: c.files.create(file=upload, purpose="fine-tune")
        )
        journal.note(key, file=file.id)
        facts = journal.job(key)
    if "job" not in facts:
        journal.note(key, job=_create(client, model, facts["file"], epochs, seed, f"boltbo-{key[:8]}"))
        facts = journal.job(key)
    job = _finished(client, facts["job"], progress)
    if job.status in ENDED:
        journal.note(key, job=None, file=None)  # so that the next attempt is a new one
        reason = job.error.message if job.error is not None and job.error.message else "the service gives no reason"
        raise ModelUnavailable(f"the fine-tuning job {job.id} of {model} {job.status}: {reason}")
    if not job.fine_tuned_model:
        raise ModelUnavailable(
            f"the fine-tuning job {job.id} of {model} succeeded, but the service names no model: ask it"
        )
    if "model" not in facts:
        journal.note(key, model=job.fine_tuned_model)
        journal.count(Usage(trained_tokens=job.trained_tokens or 0))
    return Tuned(str(job.fine_tuned_model), job.trained_tokens or 0, _losses(client, job.id))


def _create(client: Client, model: str, file: str, epochs: int, seed: int, suffix: str) -> str:
    """The id of the job that trains on this file: an existing one, or a new one."""
    method = {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": epochs}}}
    for attempt in range(CREATIONS):
        for job in client.ask("the list of jobs", lambda c: _listed(c.fine_tuning.jobs.list(limit=100))):
            if job.training_file == file and job.status not in ENDED:
                return str(job.id)
        try:
            # not retried blindly: a request whose answer is lost may have made a job
            job = client.ask(
                "the fine-tuning job",
                lambda c: c.fine_tuning.jobs.create(
                    model=model, training_file=file, method=method, seed=seed, suffix=suffix
                ),
                retries=0,
            )
            return str(job.id)
        except Refused as error:
            if not error.for_now or attempt == CREATIONS - 1:
                raise
            time.sleep(min(client.connection.poll, 2.0**attempt))
    raise AssertionError("the last attempt returns or raises")


def _finished(client: Client, job_id: str, progress: Progress | None) -> Any:
    """The job once it has ended, however it ended."""
    while True:
        job = client.ask("the state of the fine-tuning job", lambda c: c.fine_tuning.jobs.retrieve(job_id))
        if job.status == "succeeded" or job.status in ENDED:
            if progress is not None:
                progress(1, 1)
            return job
        if progress is not None:
            steps = [data for data in _metrics(client, job_id, 10) if data.get("total_steps")]
            if steps:
                progress(int(steps[-1]["step"]), int(steps[-1]["total_steps"]))
        time.sleep(client.connection.poll)


def _losses(client: Client, job_id: str) -> list[tuple[int, float]]:
    data = _metrics(client, job_id, MOST_LISTED)
    return [(int(d["step"]), float(d["train_loss"])) for d in data if d.get("train_loss") is not None]


def _listed(items: Iterable[Any], most: int = MOST_LISTED) -> list[Any]:
    """The items of all pages, up to a bound; some services give the same page again and again."""
    items_by_id: dict[str, Any] = {}
    for item in items:
        if item.id in items_by_id or len(items_by_id) == most:
            break
        items_by_id[item.id] = item
    return list(items_by_id.values())


def _metrics(client: Client, job_id: str, most: int) -> list[dict[str, Any]]:
    """The data, by step, of those of a job's last `most` events that have a step; none where the service lists no events."""
    try:
        events = client.ask(
            "the events of the job", lambda c: _listed(c.fine_tuning.jobs.list_events(job_id, limit=100), most)
        )
    except Refused as error:
        if error.status in (400, 404, 405, 501):
            return []
        raise
    data = [event.data for event in events if isinstance(event.data, dict) and "step" in event.data]
    return sorted(data, key=lambda d: int(d["step"]))
