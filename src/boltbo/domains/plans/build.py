"""From a folder of SQL (or a generated workload) and a database to a campaign's tasks: the plans domain's `build`."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, ValidationError

from boltbo.domains.build import Built
from boltbo.domains.plans.context import ContextWriter, Policy
from boltbo.domains.plans.dialects import DialectName
from boltbo.domains.plans.domain import PlansDomain, Space
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.search.latent import Recipe, ensure_vae
from boltbo.domains.plans.server.capabilities import shown
from boltbo.domains.plans.server.cpu_time import cpu_is_all
from boltbo.domains.plans.server.measure import Objective, Planning, Summary, measure
from boltbo.domains.plans.workload.files import (
    Named,
    Workload,
    decoded,
    read_path,
    reason_in_short,
    stratified,
    template_of,
)
from boltbo.domains.plans.workload.outcomes import Screened
from boltbo.domains.plans.workload.pg_stat_statements import STAT_STATEMENTS, read_stat_statements
from boltbo.errors import ConfigError, NotASelect, SqlSyntaxError, UnsupportedQuery
from boltbo.problem import Task
from boltbo.settings import Frozen, explain
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars

Part = Literal["train", "validation"]


class PlansOptions(Frozen):
    """The [domain] table of a plans campaign."""

    database: str = Field(
        "embedded", description="postgresql://…, or embedded: a server and generated IMDB data of our own"
    )
    workload: str = Field(
        "generated", description="a folder of .sql files, a file of many statements, pg_stat_statements, or generated"
    )
    scale: Annotated[float, Field(gt=0)] = Field(0.1, description="embedded only: size of the generated data")
    data_seed: int = Field(0, description="embedded only: seed of data and generated queries")
    templates: Annotated[int, Field(ge=1)] | None = Field(
        None, description="only the first so many templates of the workload"
    )
    unseen_templates: Annotated[int, Field(ge=0)] = Field(
        0, description="validation is of so many templates, of which nothing is trained on; 0: of all"
    )
    train: Annotated[int, Field(ge=1)] = Field(24, description="training tasks")
    validation: Annotated[int, Field(ge=0)] = Field(10, description="validation tasks")
    queries: Annotated[int, Field(ge=1)] = Field(
        120, description="queries looked at before screening, over all templates"
    )
    min_seconds: Annotated[float, Field(ge=0)] = Field(0.003, description="shorter default plans are screened out")
    max_seconds: Annotated[float, Field(gt=0)] = Field(1.0, description="and longer ones")
    dialect: DialectName = Field("auto", description="how plans are forced; auto: the best that the server follows")
    context: Policy = Field(
        "sql", description="what a model reads of a query: its SQL, its structure, or structure and default plan"
    )
    scans: bool = Field(False, description="plans say scan methods too (pg_hint_plan only)")
    hint_plan: str = Field("pg_hint_plan", description="the library of pg_hint_plan: a name, or a path for a superuser")
    objective: Objective | Literal["auto"] = Field(
        "latency",
        description="latency; on the server's machine cpu or calibrated (CPU seconds over the machine's slowness); work (rows"
        " and buffers); or auto: calibrated where it can be had, else latency",
    )
    timeout: Annotated[float, Field(gt=1)] = Field(
        1.1, description="an execution is stopped at so many times the best of its run"
    )
    repeats: Annotated[int, Field(ge=1)] = Field(3, description="executions of an apparent best that count")
    warm: bool = Field(True, description="an apparent best has one more execution before those that count")
    summary: Summary = Field("median", description="of those that count")
    planning: Planning = Field("excluded", description="whether the server's planning is part of the time")
    space: Space = Field(
        "moves",
        description="where optimizers search: among the join trees' neighbours, in the trees' own box (tree), or in the latent"
        " space of a VAE of plan strings, trained before (strings)",
    )


@contextmanager
def build(options: Mapping[str, Any], seed: int, caches: Path, bars: Bars) -> Iterator[Built]:
    """The door through which the command line reaches this domain.

    Raises:
        ConfigError: An option is unknown or wrong, the folder is missing, or too few queries are usable.
        OracleUnavailable: The database does not answer.
    """
    try:
        chosen = PlansOptions(**options)
    except ValidationError as error:
        raise explain(error, "[domain]") from error
    if chosen.database != "embedded":
        shown(chosen.database)  # refuses what is no URL
    files = _files(chosen)
    with ExitStack() as stack:
        url = chosen.database if chosen.database != "embedded" else _embedded(chosen, files, stack, bars)
        domain = PlansDomain(
            url,
            dialect=chosen.dialect,
            context=chosen.context,
            scans=chosen.scans,
            hint_plan=chosen.hint_plan,
            objective="latency" if chosen.objective == "auto" else chosen.objective,
            timeout=chosen.timeout,
            repeats=chosen.repeats,
            warm=chosen.warm,
            summary=chosen.summary,
            planning=chosen.planning,
            space=chosen.space,
            vae=caches / "vae" if chosen.space == "strings" else None,
        )
        stack.callback(domain.server.close)
        if chosen.objective == "auto" and cpu_is_all(domain.server):
            domain.objective = "calibrated"
        tasks = _stored_tasks(chosen, seed, domain, files, caches / "tasks.json", bars)
        if domain.vae is not None and domain.dialect.abilities.operators:
            with bars.track("plan strings' VAE", 1) as update:
                joined = [domain.query(t) for t in (*tasks["train"], *tasks["validation"])]
                ensure_vae(joined, domain.vae, Recipe(seed=seed), domain.dialect.abilities, update)

        def task_from(path: Path) -> Task:
            return new_task(domain, path)

        yield Built(domain, tasks["train"], tasks["validation"], task_from)


def new_task(domain: PlansDomain, path: Path) -> Task:
    """A task of one SQL file, its default plan measured.

    Raises:
        ConfigError: The file cannot be read or its query cannot be steered.
    """
    try:
        sql, _ = decoded(path.read_bytes())
        query = parse_query(sql, domain.server.columns)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error
    default = measure(domain.server, query.sql, (), objective=domain.objective, limit=domain.max_seconds)
    try:
        return domain.task_of(path.stem, sql, default.value, explain=default.plan)
    except UnsupportedQuery as error:
        raise ConfigError(f"{path}: {error}") from error


def _files(options: PlansOptions) -> Workload | None:
    """The queries that lie in files; None where the workload is another."""
    if options.workload in ("generated", STAT_STATEMENTS):
        return None
    return read_path(Path(options.workload))


def _queries(options: PlansOptions, seed: int, domain: PlansDomain, files: Workload | None) -> Workload:
    """The queries to look at, of each template about as many, in random order; of the server's statistics the dearest."""
    if options.workload == STAT_STATEMENTS:
        return read_stat_statements(domain.server, options.queries, options.data_seed)
    if files is None:
        from boltbo.domains.plans.imdb.workload import generate_workload, templates_by_name

        names = sorted(templates_by_name())[: options.templates]
        found = Workload(generate_workload(options.queries, options.data_seed, names))
    else:
        found = files
    return replace(found, queries=stratified(found.queries, options.queries, seed, options.templates))


def _embedded(options: PlansOptions, files: Workload | None, stack: ExitStack, bars: Bars) -> str:
    from boltbo.domains.plans.imdb.harvest import harvest
    from boltbo.domains.plans.imdb.load import ensure_database
    from boltbo.domains.plans.server.embedded import EmbeddedServer

    server = stack.enter_context(EmbeddedServer())
    literals = harvest([sql for _, sql in files.queries]) if files is not None else None
    with bars.track("generated IMDB data", 1) as update:
        return ensure_database(
            server.url(),
            options.scale,
            options.data_seed,
            literals,
            progress=lambda stage, done, total: update(done, total),
        )


_NOT_OF_TASKS = ("space", "timeout", "workload", "queries_digest")


def _same_tasks(stored: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Whether nothing differs but what changes a search and not its tasks, or where the same queries lie."""
    one, other = ({k: v for k, v in own.items() if k not in _NOT_OF_TASKS} for own in (stored, key))
    same_path = stored.get("workload") == key["workload"]  # all that files of earlier versions say
    return one == other and (same_path or stored.get("queries_digest", "") == key.get("queries_digest"))


def _digest(what: object) -> str:
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:8]


def _stored_tasks(
    options: PlansOptions, seed: int, domain: PlansDomain, files: Workload | None, path: Path, bars: Bars
) -> dict[Part, list[Task]]:
    """The tasks, made once and kept: their default values and estimates must not change in the middle of a campaign.

    Those of other options, whose campaign may be in the same storage, stay where they are, and these are kept beside them.
    """
    key = {**options.model_dump(mode="json"), "seed": seed}
    if files is not None:
        key["queries_digest"] = _digest(files.queries)
    digest = _digest({k: v for k, v in key.items() if files is None or k != "workload"})
    beside = path.with_stem(f"{path.stem}-{digest}")
    for known in (beside, path, *sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"))):
        stored = json.loads(known.read_text()) if known.exists() else {}
        if _same_tasks(stored.get("key", {}), key):
            domain.dialect_name = stored.get("dialect", domain.dialect_name)  # a campaign keeps those it began in
            domain.objective = stored.get("objective", domain.objective)
            return {"train": _from_json(stored["train"]), "validation": _from_json(stored["validation"])}
    workload = _queries(options, seed, domain, files)
    for note in workload.told():
        bars.note(note)
    screened = Screened(path.with_name(f"screened-{digest}-{domain.objective}.jsonl"))
    parts, dropped = _parts(options, seed, domain, workload, bars, screened)
    n = sum(map(len, parts.values()))
    path.parent.mkdir(parents=True, exist_ok=True)
    path = beside if path.exists() else path
    tasks: dict[str, Any] = {part: [asdict(task) for task in found] for part, found in parts.items()}
    kept = {
        "key": key,
        "dialect": domain.dialect.name,
        "objective": domain.objective,
        "dropped": dropped,
        **tasks,
    }
    write_whole(path, json.dumps(kept))
    screened.done()
    bars.note(f"{n} tasks; screened out: {_reasons(dropped)}")
    return parts


def _from_json(stored: Sequence[Mapping[str, Any]]) -> list[Task]:
    return [Task(**task) for task in stored]


def _parts(
    options: PlansOptions, seed: int, domain: PlansDomain, workload: Workload, bars: Bars, screened: Screened
) -> tuple[dict[Part, list[Task]], Counter[str]]:
    """The tasks of both parts, and how many queries were dropped for which reason."""
    if options.unseen_templates:
        unseen, seen = _apart(options, seed, workload.queries)
        chosen, dropped = _enough(domain, unseen, options, options.validation, workload.sampled, bars, screened)
        trained, more = _enough(domain, seen, options, options.train, workload.sampled, bars, screened)
        return {"validation": chosen, "train": trained}, dropped + more
    wanted = options.train + options.validation
    tasks, dropped = _enough(domain, workload.queries, options, wanted, workload.sampled, bars, screened)
    if options.workload == STAT_STATEMENTS:  # they come by what they cost, and both parts get of all
        tasks = [tasks[i] for i in np.random.default_rng(seed).permutation(len(tasks))]
    return {"validation": tasks[: options.validation], "train": tasks[options.validation :]}, dropped


def _apart(options: PlansOptions, seed: int, queries: Sequence[Named]) -> tuple[list[Named], list[Named]]:
    """The queries of as many templates, drawn by lot, as validation is of; and the others."""
    names = sorted({template_of(name) for name, _ in queries})
    if options.unseen_templates >= len(names):
        raise ConfigError(
            f"domain.unseen_templates = {options.unseen_templates} leaves nothing to train on: there are {len(names)} templates"
        )
    unseen = {names[i] for i in np.random.default_rng(seed).permutation(len(names))[: options.unseen_templates]}
    return [q for q in queries if template_of(q[0]) in unseen], [q for q in queries if template_of(q[0]) not in unseen]


def _enough(
    domain: PlansDomain,
    queries: Sequence[Named],
    options: PlansOptions,
    wanted: int,
    sampled: frozenset[str],
    bars: Bars,
    screened: Screened,
) -> tuple[list[Task], Counter[str]]:
    tasks, dropped = make_tasks(domain, queries, options, wanted, bars, screened)
    if len(tasks) < wanted:
        raise ConfigError(
            f"{len(tasks)} of {len(queries)} queries are usable, {wanted} are needed ({_reasons(dropped)}). "
            "Raise domain.queries, lower domain.train, or widen min_seconds and max_seconds."
        )
    return [replace(t, data={**t.data, "constants": "sampled"}) if t.id in sampled else t for t in tasks], dropped


def make_tasks(
    domain: PlansDomain,
    queries: Sequence[Named],
    options: PlansOptions,
    wanted: int,
    bars: Bars,
    screened: Screened | None = None,
) -> tuple[list[Task], Counter[str]]:
    """The first `wanted` usable queries as tasks, and how many were dropped for which reason.

    Args:
        screened: What is known of queries already, and where more of them are kept.
    """
    screened = screened or Screened()
    writer = domain.context_writer()
    tasks: list[Task] = []
    dropped: Counter[str] = Counter()
    with bars.track("screen queries", wanted) as update:
        for name, sql in queries:
            if len(tasks) == wanted:
                break
            if name not in screened.outcomes:
                screened.add(name, _screen(domain, name, sql, options, writer, bars))
            outcome = screened.outcomes[name]
            if isinstance(outcome, Task):
                tasks.append(outcome)
            else:
                dropped[outcome] += 1
            update(len(tasks), wanted)
    return tasks, dropped


def _screen(
    domain: PlansDomain, name: str, sql: str, options: PlansOptions, writer: ContextWriter, bars: Bars
) -> Task | str:
    """A query's task, its default plan measured; or why it is dropped."""
    from boltbo.domains.plans.workload.screen import screen_one

    try:
        query = parse_query(sql, domain.server.columns)
        if reason := screen_one(domain.server, query.sql, options.min_seconds, options.max_seconds):
            return reason
        default = measure(domain.server, query.sql, (), objective=domain.objective, limit=2 * options.max_seconds)
        return domain.task_of(name, sql, default.value, writer, default.plan)
    except (SqlSyntaxError, NotASelect, UnsupportedQuery) as error:
        bars.note(f"{name}: {error}")
        return reason_in_short(error)


def _reasons(dropped: Counter[str]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in dropped.most_common()) or "none"
