"""Reading and writing the tables of `schema.py`, one campaign at a time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

import filelock
import sqlalchemy as sa
from sqlalchemy.engine import Engine, RowMapping
from sqlalchemy.exc import SQLAlchemyError

from boltbo.errors import CampaignBusy, CampaignMismatch, StorageError
from boltbo.problem import Observation, Status, Task, Trajectory
from boltbo.storage import schema
from boltbo.storage.agreement import differences
from boltbo.storage.protocol import ModelVersion, Run, Stage, Step


def storage_url(text: str) -> str:
    """A SQLAlchemy URL from a URL or a plain file path."""
    if "://" not in text:
        return f"sqlite:///{text}"
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", text)


class SqlStorage:
    """One campaign in one SQL database: SQLite or PostgreSQL."""

    def __init__(self, url: str, campaign_id: int = 0) -> None:
        self.url = storage_url(url)
        self.campaign_id = campaign_id
        self._engine = _open(self.url)

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- campaigns -------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        with self._engine.connect() as c:
            return list(c.execute(sa.select(schema.campaigns.c.name).order_by(schema.campaigns.c.id)).scalars())

    def find(self, name: str | None = None) -> Mapping[str, Any]:
        """Attach to the campaign `name` (or the only one) and return its row.

        Raises:
            StorageError: There is no such campaign, or several and no name was given.
        """
        names = self.names()
        if name is None and len(names) == 1:
            name = names[0]
        if name is None or name not in names:
            present = ", ".join(names) or "none"
            problem = f"no campaign {name!r}" if name else "no campaign" if not names else "several campaigns: name one"
            raise StorageError(f"{problem} in {self.url}; it holds: {present}")
        with self._engine.connect() as c:
            query = sa.select(schema.campaigns.c.id).where(schema.campaigns.c.name == name)
            self.campaign_id = int(c.execute(query).scalar_one())
        return self.row()

    def row(self) -> dict[str, Any]:
        """The row of the campaign that this store is attached to."""
        with self._engine.connect() as c:
            query = sa.select(schema.campaigns).where(schema.campaigns.c.id == self.campaign_id)
            return dict(c.execute(query).mappings().one())

    def attach(self, name: str, domain: str, config: Mapping[str, Any], version: str) -> None:
        """Find the campaign or begin it. Rounds that were added are kept with it from now on.

        Raises:
            CampaignMismatch: It was begun with another domain or other settings.
        """
        if name not in self.names():
            values = {"name": name, "domain": domain, "config": dict(config), "version": version, "created": _now()}
            with self._engine.begin() as c:
                c.execute(sa.insert(schema.campaigns).values(**values))
        row = self.find(name)
        if changed := differences({"domain": row["domain"], **row["config"]}, {"domain": domain, **config}):
            raise CampaignMismatch(
                f"campaign {name!r} in {self.url} was begun with other settings ({'; '.join(changed)}). "
                "Put them back, or give the campaign another name or another --storage."
            )
        if row["config"] != config:
            with self._engine.begin() as c:
                t = schema.campaigns
                c.execute(sa.update(t).where(t.c.name == name).values(config=dict(config)))

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Hold the campaign against other processes.

        Raises:
            CampaignBusy: Another process holds it.
        """
        lock = filelock.FileLock(str(self.artifacts / "lock"))
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            raise CampaignBusy(
                f"another process is running this campaign ({self.artifacts / 'lock'} is held)"
            ) from None
        with lock:
            lock.release()  # the `with` took it a second time
            yield

    @property
    def artifacts(self) -> Path:
        """The folder beside the database for what is too large for a row: model versions, caches. Made if missing."""
        url = sa.make_url(self.url)
        is_file = url.get_backend_name() == "sqlite"
        path = Path(url.database or "boltbo").with_suffix("") if is_file else Path(f"boltbo-{url.database}")
        folder = path.with_name(path.name + ".artifacts") / str(self.campaign_id)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    # --- runs ------------------------------------------------------------------------------------------------------

    def add_runs(self, runs: Iterable[Run], observed: Mapping[str, Sequence[Observation]] | None = None) -> None:
        """Add all of them or, if this process dies now, none.

        Args:
            runs: The runs.
            observed: Task id -> what its run begins with: observations made elsewhere, its first positions.
        """
        runs = list(runs)
        rows = [
            {
                "campaign_id": self.campaign_id, "stage": r.stage.value, "round": r.round, "task_id": r.task.id,
                "task": {"context": r.task.context, "data": dict(r.task.data)}, "initial": [list(p) for p in r.initial],
                "budget": r.budget, "batch": r.batch, "optimizer": r.optimizer, "options": dict(r.options), "seed": r.seed,
                "state": None, "timings": dict(r.timings), "done": r.done,
            }
            for r in runs
        ]  # fmt: skip
        with self._engine.begin() as c:
            for r, row in zip(runs, rows, strict=True):
                run_id = c.execute(sa.insert(schema.runs).values(**row).returning(schema.runs.c.id)).scalar_one()
                begun = [_row(run_id, i, o) for i, o in enumerate((observed or {}).get(r.task.id, ()))]
                if begun:
                    c.execute(sa.insert(schema.observations), begun)

    def runs(self, stage: Stage | None = None, round: int | None = None) -> list[Run]:
        """The runs of this campaign in the order they were added."""
        t = schema.runs
        query = sa.select(t).where(t.c.campaign_id == self.campaign_id).order_by(t.c.id)
        query = query if stage is None else query.where(t.c.stage == stage.value)
        query = query if round is None else query.where(t.c.round == round)
        with self._engine.connect() as c:
            return [_run(row) for row in c.execute(query).mappings()]

    def run(self, run_id: int) -> Run:
        with self._engine.connect() as c:
            return _run(c.execute(sa.select(schema.runs).where(schema.runs.c.id == run_id)).mappings().one())

    def checkpoint(self, run_id: int, state: Mapping[str, Any], step: Step | None = None) -> None:
        """Where the run's optimizer stands, and what this step took: after each `ask`, before its first oracle call."""
        t = schema.runs
        with self._engine.begin() as c:
            c.execute(sa.update(t).where(t.c.id == run_id).values(state=dict(state)))
            if step is not None:
                row = {"position": step.position, "asked": step.asked, "seconds": dict(step.seconds)}
                c.execute(sa.insert(schema.steps).values(run_id=run_id, **row))

    def finish(self, run_id: int, timings: Mapping[str, float]) -> None:
        t = schema.runs
        with self._engine.begin() as c:
            c.execute(sa.update(t).where(t.c.id == run_id).values(done=True, timings=dict(timings), state=None))

    def steps(self, stage: Stage) -> list[Step]:
        """Every step of the optimizers of this campaign's runs of one stage, each with its oracle calls so far."""
        r, s, o = schema.runs, schema.steps, schema.observations
        query = (
            sa.select(s.c.position, s.c.asked, s.c.seconds, sa.func.sum(o.c.seconds))
            .join(r, r.c.id == s.c.run_id)
            .outerjoin(
                o,
                (o.c.run_id == s.c.run_id) & (o.c.position >= s.c.position) & (o.c.position < s.c.position + s.c.asked),
            )
            .where(r.c.campaign_id == self.campaign_id, r.c.stage == stage.value)
            .group_by(s.c.run_id, s.c.position)
            .order_by(s.c.run_id, s.c.position)
        )
        with self._engine.connect() as c:
            return [
                Step(position, asked, {**seconds, **({} if oracle is None else {"oracle": oracle})})
                for position, asked, seconds, oracle in c.execute(query)
            ]

    # --- observations ----------------------------------------------------------------------------------------------

    def record(self, run_id: int, position: int, o: Observation) -> None:
        """Write one observation; when this returns, it is on disk.

        Raises:
            StorageError: The disk is full, the file is gone, or the position is taken.
        """
        try:
            with self._engine.begin() as c:
                c.execute(sa.insert(schema.observations).values(**_row(run_id, position, o)))
        except SQLAlchemyError as error:
            raise StorageError(
                f"cannot write to {self.url}: {error.__cause__ or error}. Nothing recorded before is lost; "
                "free the disk or repair the connection and run the same command again."
            ) from error

    def observations(self, run_id: int) -> tuple[Observation, ...]:
        return self._observations([run_id]).get(run_id, ())

    def trajectories(self, runs: Sequence[Run]) -> list[Trajectory]:
        """One trajectory for each run, in the same order."""
        observations = self._observations([r.id for r in runs])
        return [Trajectory(r.task, observations.get(r.id, ())) for r in runs]

    def _observations(self, run_ids: Sequence[int]) -> dict[int, tuple[Observation, ...]]:
        t = schema.observations
        by_run: dict[int, list[Observation]] = {}
        with self._engine.connect() as c:
            for start in range(0, len(run_ids), 500):  # SQLite bounds the number of parameters of a statement
                query = (
                    sa.select(t).where(t.c.run_id.in_(run_ids[start : start + 500])).order_by(t.c.run_id, t.c.position)
                )
                for row in c.execute(query):
                    value = math.nan if row.value is None else row.value
                    o = Observation(
                        row.candidate, value, Status(row.status), row.seconds, row.source, row.note, row.asked,
                        tuple(row.constraints or ()),
                    )  # fmt: skip
                    by_run.setdefault(row.run_id, []).append(o)
        return {run_id: tuple(group) for run_id, group in by_run.items()}

    def count(self, run_ids: Sequence[int]) -> int:
        """How many oracle calls these runs have made, all together; what was imported is none."""
        t = schema.observations
        with self._engine.connect() as c:
            query = sa.select(sa.func.count()).select_from(t).where(t.c.run_id.in_(run_ids), t.c.source != "import")
            return int(c.execute(query).scalar_one())

    def done(self, run_ids: Sequence[int]) -> set[int]:
        """Those of these runs that are at their end."""
        t = schema.runs
        with self._engine.connect() as c:
            return set(c.execute(sa.select(t.c.id).where(t.c.id.in_(run_ids), t.c.done)).scalars())

    # --- model versions --------------------------------------------------------------------------------------------

    def add_model(self, version: ModelVersion) -> None:
        values = {
            "campaign_id": self.campaign_id, "round": version.round, "path": version.path, "tasks": list(version.tasks),
            "metrics": dict(version.metrics), "created": _now(),
        }  # fmt: skip
        with self._engine.begin() as c:
            c.execute(sa.insert(schema.models).values(**values))

    def models(self) -> list[ModelVersion]:
        t = schema.models
        with self._engine.connect() as c:
            rows = c.execute(sa.select(t).where(t.c.campaign_id == self.campaign_id).order_by(t.c.round))
            return [ModelVersion(r.round, r.path, tuple(r.tasks), r.metrics) for r in rows]


def _run(row: RowMapping) -> Run:
    return Run(
        stage=Stage(row["stage"]), round=row["round"], task=Task(row["task_id"], **row["task"]),
        initial=tuple((c, s) for c, s in row["initial"]), budget=row["budget"], batch=row["batch"],
        optimizer=row["optimizer"], options=row["options"], seed=row["seed"], state=row["state"],
        timings=row["timings"], done=row["done"], id=row["id"],
    )  # fmt: skip


def _row(run_id: int, position: int, o: Observation) -> dict[str, Any]:
    return {
        "run_id": run_id, "position": position, "candidate": o.candidate, "status": o.status.value, "seconds": o.seconds,
        "value": o.value if math.isfinite(o.value) else None, "source": o.source, "note": o.note, "asked": o.asked,
        "constraints": list(o.constraints) or None,
    }  # fmt: skip


def _open(url: str) -> Engine:
    try:
        engine = sa.create_engine(url)
        if engine.dialect.name == "sqlite":
            Path(engine.url.database or ".").parent.mkdir(parents=True, exist_ok=True)
            sa.event.listen(engine, "connect", _tune_sqlite)
        schema.metadata.create_all(engine)
        _check_columns(engine)
    except (SQLAlchemyError, OSError, ModuleNotFoundError) as error:
        raise StorageError(f"cannot open the storage {url!r}: {getattr(error, 'orig', None) or error}") from error
    return engine


def _check_columns(engine: Engine) -> None:
    """
    Raises:
        StorageError: A table lacks a column: another version of boltbo made it.
    """
    inspector = sa.inspect(engine)
    for table in schema.metadata.sorted_tables:
        missing = {c.name for c in table.columns} - {c["name"] for c in inspector.get_columns(table.name)}
        if missing:
            raise StorageError(
                f"the storage {engine.url} is of another version of boltbo: its table {table.name} has no "
                f"{', '.join(sorted(missing))}. Take that version, or another --storage."
            )


def _tune_sqlite(connection: Any, _: object) -> None:
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=60000", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
