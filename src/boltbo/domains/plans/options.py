"""What can be set for a campaign of query plans."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from boltbo.domains.plans.context import Policy
from boltbo.domains.plans.dialects import DialectName
from boltbo.domains.plans.domain import Space
from boltbo.settings import Frozen


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
    hint_plan: str = Field("pg_hint_plan", description="the library of pg_hint_plan: a name, or a path for a superuser")
    objective: str = Field(
        "latency",
        description="latency; on the server's machine calibrated (CPU seconds over the machine's slowness); work (rows and"
        " buffers); auto: calibrated where it can be had, else latency; or module:Name of your own",
    )
    timeout: Annotated[float, Field(gt=1)] = Field(
        1.1, description="an execution is stopped at so many times the best of its run"
    )
    repeats: Annotated[int, Field(ge=1)] = Field(
        3, description="executions of an apparent best that count, by their median"
    )
    space: Space = Field(
        "moves",
        description="where optimizers search: among the join trees' neighbours (moves), or in the latent space of a VAE of"
        " plan strings, trained before (latent)",
    )
