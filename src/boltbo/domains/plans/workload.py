"""From a folder of SQL (or a generated workload) and a database to a campaign's tasks: the plans domain's `build`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from boltbo.domains.plans.dialects import DialectName
from boltbo.domains.plans.domain import PlansDomain, Timeout
from boltbo.domains.plans.latent import Recipe, ensure_vae
from boltbo.domains.plans.measure import Objective, Planning, Summary, measure
from boltbo.domains.plans.parse import UnsupportedQuery, parse_query
from boltbo.domains.plans.query import Query
from boltbo.problem import Task
from boltbo.progress import Bars
from boltbo.settings import ConfigError, Frozen, explain
from boltbo.setup import Problem

Named = tuple[str, str]
"""(id, SQL)"""


class PlansOptions(Frozen):
    """The [domain] table of a plans campaign."""

    database: str = Field(
        "embedded", description="postgresql://…, or embedded: a server and generated IMDB data of our own"
    )
    workload: str = Field("generated", description="a folder of .sql files, or generated")
    scale: Annotated[float, Field(gt=0)] = Field(0.1, description="embedded only: size of the generated data")
    data_seed: int = Field(0, description="embedded only: seed of data and generated queries")
    templates: Annotated[int, Field(ge=1)] | None = Field(
        None, description="only the first so many templates of the workload"
    )
    train: Annotated[int, Field(ge=1)] = Field(24, description="training tasks")
    validation: Annotated[int, Field(ge=0)] = Field(10, description="validation tasks")
    queries: Annotated[int, Field(ge=1)] = Field(
        0 + 120, description="queries looked at before screening, over all templates"
    )
    min_seconds: Annotated[float, Field(ge=0)] = Field(0.003, description="shorter default plans are screened out")
    max_seconds: Annotated[float, Field(gt=0)] = Field(1.0, description="and longer ones")
    dialect: DialectName = Field("auto", description="how plans are forced; auto: the best that the server follows")
    scans: bool = Field(False, description="plans say scan methods too (pg_hint_plan only)")
    hint_plan: str = Field("pg_hint_plan", description="the library of pg_hint_plan: a name, or a path for a superuser")
    objective: Objective = "latency"
    timeout: Timeout = Field("multiple", description="what stops an execution: a multiple of the best, or the model")
    timeout_factor: Annotated[float, Field(gt=1)] = 1.5
    repeats: Annotated[int, Field(ge=1)] = Field(3, description="executions of an apparent best that count")
    warm: bool = Field(True, description="an apparent best has one more execution before those that count")
    summary: Summary = Field("median", description="of those that count")
    planning: Planning = Field("excluded", description="whether the server's planning is part of the time")
    space: Literal["tree", "strings"] = Field(
        "tree", description="where optimizers search: the join trees' own box, or a VAE of plan strings trained before"
    )


@contextmanager
def build(options: Mapping[str, Any], seed: int, caches: Path, bars: Bars) -> Iterator[Problem]:
    """The door through which the command line reaches this domain.

    Raises:
        ConfigError: An option is unknown or wrong, the folder is missing, or too few queries are usable.
        OracleUnavailable: The database does not answer.
    """
    try:
        chosen = PlansOptions(**options)
    except ValidationError as error:
        raise explain(error, "[domain]") from error
    queries = _queries(chosen, seed)
    with ExitStack() as stack:
        url = chosen.database if chosen.database != "embedded" else _embedded(chosen, queries, stack, bars)
        domain = PlansDomain(
            url,
            dialect=chosen.dialect,
            scans=chosen.scans,
            hint_plan=chosen.hint_plan,
            objective=chosen.objective,
            timeout=chosen.timeout,
            timeout_factor=chosen.timeout_factor,
            repeats=chosen.repeats,
            warm=chosen.warm,
            summary=chosen.summary,
            planning=chosen.planning,
            vae=caches / "vae" if chosen.space == "strings" else None,
        )
        stack.callback(domain.server.close)
        tasks = _stored_tasks(chosen, seed, domain, queries, caches / "tasks.json", bars)
        if domain.vae is not None and domain.dialect.abilities.operators:
            with bars.track("plan strings' VAE", 1) as update:
                joined = [parse_query(str(t.data["sql"])) for t in (*tasks["train"], *tasks["validation"])]
                ensure_vae(joined, domain.vae, Recipe(seed=seed), domain.dialect.abilities, update)

        def task_from(path: Path) -> Task:
            return new_task(domain, path, chosen.objective)

        yield Problem(domain, tasks["train"], tasks["validation"], task_from)


def read_folder(folder: Path) -> list[Named]:
    """Every `.sql` file below a folder, named by its path, sorted.

    Raises:
        ConfigError: There is no such folder, or no such file in it.
    """
    if not folder.is_dir():
        raise ConfigError(f"the workload folder {folder} does not exist")
    files = sorted(folder.rglob("*.sql"))
    if not files:
        raise ConfigError(f"no .sql file in {folder}")
    return [(str(f.relative_to(folder).with_suffix("")), f.read_text(errors="replace")) for f in files]


def new_task(domain: PlansDomain, path: Path, objective: Objective = "latency") -> Task:
    """A task of one SQL file, its default plan measured.

    Raises:
        ConfigError: The file cannot be read or its query cannot be steered.
    """
    try:
        sql = path.read_text()
        query = _searchable(sql)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    default = measure(domain.server, query.sql, (), objective=objective, limit=domain.max_seconds)
    try:
        return domain.task_of(path.stem, sql, default.value)
    except UnsupportedQuery as error:
        raise ConfigError(f"{path}: {error}") from error


def _queries(options: PlansOptions, seed: int) -> list[Named]:
    """The queries to look at, the same number of each template as far as there are."""
    if options.workload == "generated":
        from boltbo.domains.plans.imdb.workload import generate_workload, templates_by_name

        names = sorted(templates_by_name())[: options.templates]
        return stratified(generate_workload(options.queries, options.data_seed, names), options.queries, seed)
    return stratified(read_folder(Path(options.workload)), options.queries, seed, options.templates)


def stratified(queries: Sequence[Named], n: int, seed: int, templates: int | None = None) -> list[Named]:
    """`n` of the queries in a random order that takes the templates in turn (all, or the first few in their order).

    A query's template is what stands before the last `/`, or the first `-`, of its id.
    """
    rng = np.random.default_rng(seed)
    groups: dict[str, list[Named]] = {}
    for i in rng.permutation(len(queries)):
        name = queries[i][0]
        groups.setdefault(name.rpartition("/")[0] or name.partition("-")[0], []).append(queries[i])
    groups = dict(sorted(groups.items())[:templates])
    ordered = []
    for rank in range(max(map(len, groups.values()), default=0)):
        ordered += [group[rank] for _, group in sorted(groups.items()) if rank < len(group)]
    return ordered[:n]


def _embedded(options: PlansOptions, queries: Sequence[Named], stack: ExitStack, bars: Bars) -> str:
    from boltbo.domains.plans.embedded import EmbeddedServer
    from boltbo.domains.plans.imdb.harvest import harvest
    from boltbo.domains.plans.imdb.load import ensure_database

    server = stack.enter_context(EmbeddedServer())
    folder = options.workload != "generated"
    literals = harvest([sql for _, sql in read_folder(Path(options.workload))]) if folder else None
    with bars.track("generated IMDB data", 1) as update:
        return ensure_database(
            server.url(),
            options.scale,
            options.data_seed,
            literals,
            progress=lambda stage, done, total: update(done, total),
        )


def _stored_tasks(
    options: PlansOptions, seed: int, domain: PlansDomain, queries: Sequence[Named], path: Path, bars: Bars
) -> dict[Literal["train", "validation"], list[Task]]:
    """The tasks, made once and kept: their default values and estimates must not change in the middle of a campaign."""
    key = {**options.model_dump(mode="json"), "seed": seed}
    if path.exists():
        stored = json.loads(path.read_text())
        if stored["key"] == key:
            domain.dialect_name = stored.get("dialect", domain.dialect_name)  # a campaign keeps the one it began in
            return {part: [Task(**t) for t in stored[part]] for part in ("train", "validation")}
    wanted = options.train + options.validation
    tasks, dropped = make_tasks(domain, queries, options, wanted, bars)
    if len(tasks) < wanted:
        raise ConfigError(
            f"{len(tasks)} of {len(queries)} queries are usable, {wanted} are needed ({_reasons(dropped)}). "
            "Raise domain.queries, lower domain.train, or widen min_seconds and max_seconds."
        )
    parts = {"validation": tasks[: options.validation], "train": tasks[options.validation :]}
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_suffix(".half")
    half.write_text(
        json.dumps(
            {
                "key": key,
                "dialect": domain.dialect.name,
                "dropped": dropped,
                **{p: [asdict(t) for t in ts] for p, ts in parts.items()},
            }
        )
    )
    half.replace(path)
    bars.note(f"{len(tasks)} tasks; screened out: {_reasons(dropped)}")
    return parts  # type: ignore[return-value]


def make_tasks(
    domain: PlansDomain, queries: Sequence[Named], options: PlansOptions, wanted: int, bars: Bars
) -> tuple[list[Task], Counter[str]]:
    """The first `wanted` usable queries as tasks, and how many were dropped for which reason."""
    from boltbo.domains.plans.imdb.screen import screen_one

    writer = domain.context_writer()
    tasks: list[Task] = []
    dropped: Counter[str] = Counter()
    with bars.track("screen queries", wanted) as update:
        for name, sql in queries:
            if len(tasks) == wanted:
                break
            try:
                query = _searchable(sql)
            except ValueError as error:
                dropped[f"cannot be steered ({type(error).__name__})"] += 1
                bars.note(f"{name}: {error}")
                continue
            reason = screen_one(domain.server, query.sql, options.min_seconds, options.max_seconds)
            if reason is not None:
                dropped[reason] += 1
                continue
            default = measure(domain.server, query.sql, (), objective=options.objective, limit=2 * options.max_seconds)
            try:
                tasks.append(domain.task_of(name, sql, default.value, writer))
            except UnsupportedQuery as error:
                dropped["cannot be steered (UnsupportedQuery)"] += 1
                bars.note(f"{name}: {error}")
            update(len(tasks), wanted)
    return tasks, dropped


def _searchable(sql: str) -> Query:
    query = parse_query(sql)
    if len(query.relations) < 2:
        raise UnsupportedQuery("one relation: there is no join to plan")
    return query


def _reasons(dropped: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in dropped.most_common()) or "none"
