"""The tables. SQLite by default (write-ahead log, so that worker processes and readers do not wait for each other)."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

campaigns = Table(
    "campaigns",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(200), unique=True, nullable=False),
    Column("domain", String(200), nullable=False),
    Column("config", JSON, nullable=False),  # resolved settings: what a resume must agree with
    Column("created", String(40), nullable=False),
    Column("version", String(40), nullable=False),  # boltbo's version that began it
)

runs = Table(
    "runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("campaign_id", ForeignKey("campaigns.id"), nullable=False),
    Column("stage", String(20), nullable=False),
    Column("round", Integer, nullable=False),
    Column("task_id", String(400), nullable=False),
    Column("task", JSON, nullable=False),  # context and data, so that a trajectory can be read without its domain
    Column("initial", JSON, nullable=False),  # [[candidate, source], ...], fixed before the first oracle call
    Column("budget", Integer, nullable=False),
    Column("batch", Integer, nullable=False),
    Column("optimizer", String(200)),  # null: no optimizer, the initial candidates are all
    Column("options", JSON, nullable=False),
    Column("seed", Integer, nullable=False),
    Column(
        "state", JSON(none_as_null=True)
    ),  # {"asked", "told", "optimizer"}: where the generators stood at the last ask
    Column("timings", JSON, nullable=False),
    Column("done", Boolean, nullable=False),
    UniqueConstraint("campaign_id", "stage", "round", "task_id"),
)

observations = Table(
    "observations",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("candidate", Text, nullable=False),
    Column("value", Float),  # null where there is none
    Column("status", String(20), nullable=False),
    Column("seconds", Float, nullable=False),
    Column("source", String(40), nullable=False),
    Column("note", Text, nullable=False),
    Column("asked", Text, nullable=False, server_default=""),  # where the oracle scored another candidate than this
    Column("constraints", JSON(none_as_null=True)),  # null where the oracle told none
)

steps = Table(
    "steps",
    metadata,
    Column("run_id", ForeignKey("runs.id"), primary_key=True),
    Column("position", Integer, primary_key=True),  # of the observation of the first candidate asked for
    Column("asked", Integer, nullable=False),  # how many candidates
    Column("seconds", JSON, nullable=False),  # {"fit", "acquire", "decode"}; the oracle's are with the observations
)

models = Table(
    "models",
    metadata,
    Column("campaign_id", ForeignKey("campaigns.id"), primary_key=True),
    Column("round", Integer, primary_key=True),
    Column("path", Text, nullable=False),  # relative to the campaign's folder of artifacts
    Column("tasks", JSON, nullable=False),  # ids of the finished tasks that it learnt from
    Column("metrics", JSON, nullable=False),
    Column("created", String(40), nullable=False),
)
