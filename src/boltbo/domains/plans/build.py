"""The plans domain's `build`: makes a campaign's tasks from a workload (a folder of SQL, say) and a database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from boltbo.domains.build import Built
from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.options import PlansOptions
from boltbo.domains.plans.search.latent import Recipe, ensure_vae
from boltbo.domains.plans.server.address import shown
from boltbo.domains.plans.server.measure import measure
from boltbo.domains.plans.workload.files import Workload, decoded, read_path, stratified
from boltbo.domains.plans.workload.pg_stat_statements import STAT_STATEMENTS, read_stat_statements
from boltbo.domains.plans.workload.stored_tasks import StoredTasks
from boltbo.domains.plans.workload.tasks import Parts, make_parts, reasons_in_words
from boltbo.errors import ConfigError, UnsupportedQuery
from boltbo.problem import Task
from boltbo.settings import explain
from boltbo.system.progress import Bars


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
            hint_plan=chosen.hint_plan,
            objective=chosen.objective,
            timeout=chosen.timeout,
            repeats=chosen.repeats,
            space=chosen.space,
            vae=caches / "vae" if chosen.space == "latent" else None,
        )
        stack.callback(domain.server.close)
        tasks = _tasks(chosen, seed, domain, files, caches / "tasks.json", bars)
        if domain.vae is not None and domain.dialect.abilities.operators:
            with bars.track("plan strings' VAE", 1) as update:
                joined = [domain.query(t) for t in (*tasks["train"], *tasks["validation"])]
                ensure_vae(joined, domain.vae, Recipe(seed=seed), domain.dialect.abilities, update)

        def task_from(path: Path) -> Task:
            return new_task(domain, path)

        yield Built(domain, tasks["train"], tasks["validation"], task_from)


def new_task(domain: PlansDomain, path: Path) -> Task:
    """Make a task of one SQL file, measuring its default plan.

    Raises:
        ConfigError: The file cannot be read or its query cannot be steered.
    """
    try:
        sql, _ = decoded(path.read_bytes())
        query = domain.parsed(sql)
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


def _tasks(
    options: PlansOptions, seed: int, domain: PlansDomain, files: Workload | None, path: Path, bars: Bars
) -> Parts:
    """The tasks that were made before, else new ones."""
    stored = StoredTasks(path, options, seed, None if files is None else files.queries)
    if (parts := stored.read(domain)) is not None:
        return parts
    workload = _workload(options, seed, domain, files)
    for line in workload.remarks():
        bars.note(line)
    outcomes = stored.outcomes(domain)
    parts, dropped = make_parts(domain, options, seed, workload, bars, outcomes)
    stored.write(parts, dropped, domain)
    outcomes.remove()
    bars.note(f"{sum(map(len, parts.values()))} tasks; screened out: {reasons_in_words(dropped)}")
    return parts


def _workload(options: PlansOptions, seed: int, domain: PlansDomain, files: Workload | None) -> Workload:
    """The queries to look at, of each template about as many, in random order; of the server's statistics the dearest."""
    if options.workload == STAT_STATEMENTS:
        return read_stat_statements(domain.server, options.queries, options.data_seed)
    if files is None:
        from boltbo.domains.plans.imdb.queries import generate_workload, templates_by_name

        names = sorted(templates_by_name())[: options.templates]
        files = Workload(generate_workload(options.queries, options.data_seed, names))
    return replace(files, queries=stratified(files.queries, options.queries, seed, options.templates))


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
