"""What `boltbo peptides design` does: a stored search for each template, and what is written of it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from boltbo._version import __version__
from boltbo.campaign.models import ModelVersions
from boltbo.campaign.stage import StageSpec, run_stage
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.oracle import MicPredictor, load_judge
from boltbo.domains.peptides.properties import known_peptides
from boltbo.domains.peptides.shortlist.listed import Shortlist, shortlist
from boltbo.domains.peptides.shortlist.page import About, designs_page
from boltbo.domains.peptides.shortlist.tables import as_csv, as_fasta
from boltbo.domains.peptides.templates import Template
from boltbo.engines import make_engine
from boltbo.errors import CampaignMismatch, ConfigError
from boltbo.problem import Trajectory
from boltbo.proposers import InitialDesign, ModelProposer, Proposer
from boltbo.settings import Settings
from boltbo.storage import Stage, open_storage
from boltbo.system.files import write_whole
from boltbo.system.progress import Bars

STORAGE = "design.db"
BATCH = 10
PROBE = "GIGKFLHSAKKFGKAFVGEIMNS"
"""A peptide whose prediction tells whether the predictor is still the one that a search began with."""


@dataclass(frozen=True, slots=True)
class Search:
    """What decides which candidates are found; a resume must agree with it.

    Attributes:
        budget: Oracle calls for each template, initial candidates included.
        initial: Number of initial candidates: the model's where there is one, otherwise the initial design's.
        optimizer: Name of the optimizer that goes on from the initial candidates.
        model: Storage of the campaign whose last model proposes; None: the initial design is used.
        seed: Seed of every random choice.
    """

    budget: int
    initial: int
    optimizer: str
    model: str | None
    seed: int


def carry_out(
    domain: PeptidesDomain,
    templates: Sequence[Template],
    search: Search,
    out: Path,
    workers: int = 1,
    *,
    judge_name: str = "shipped",
    families: int = 3,
    top: int = 20,
    known: Path | None = None,
    bars: Bars | None = None,
) -> list[Shortlist]:
    """Search for each template, or go on with it, and write what was found."""
    _ = domain.objective  # an unknown species or predictor shows before anything is done
    judge = None if judge_name == "none" else load_judge(judge_name)
    peptides = known_peptides(known) if known is not None or find_spec("modlamp") is not None else []
    trajectories = run(domain, templates, search, out, workers, bars or Bars())
    shortlists = [shortlist(domain, x, judge=judge, families=families, top=top, known=peptides) for x in trajectories]
    write(domain, shortlists, search, out, judge)
    return shortlists


def run(
    domain: PeptidesDomain, templates: Sequence[Template], search: Search, out: Path, workers: int, bars: Bars
) -> list[Trajectory]:
    """Search for each template, or go on with it from wherever it was stopped.

    Raises:
        ConfigError: The folder holds a search with other settings; the model is of another domain, or there is none.
    """
    tasks = [domain.task_of(t) for t in templates]
    out.mkdir(parents=True, exist_ok=True)
    with open_storage(str(out / STORAGE)) as store:
        try:
            store.attach("design", domain.name, _settings(domain, search), __version__)
        except CampaignMismatch as error:
            differing = str(error).partition("(")[2].rpartition(")")[0]
            raise ConfigError(
                f"{out} holds a search with other settings ({differing}): put them back, or choose another --out"
            ) from error
        with store.hold():
            tasks_by_id = {task.id: task for task in tasks}
            stored = [r.task for r in store.runs(Stage.SINGLE) if r.task.id in tasks_by_id]
            if changed := [task.id for task in stored if task != tasks_by_id[task.id]]:
                raise ConfigError(
                    f"{out} holds a search for another template called {changed[0]!r}: choose another --out"
                )
            spec = StageSpec(
                stage=Stage.SINGLE,
                round=0,
                tasks=tasks,
                proposer=partial(proposer, domain, search.model, bars),
                seed=search.seed,
                initial=search.initial,
                budget=search.budget,
                batch=BATCH,
                optimizer=search.optimizer,
            )
            return store.trajectories(run_stage(spec, store, domain, make_engine(workers=workers), bars))


def _settings(domain: PeptidesDomain, search: Search) -> Mapping[str, object]:
    return {
        "budget": search.budget, "initial": search.initial, "optimizer": search.optimizer, "model": search.model,
        "seed": search.seed, "predictor": domain.predictor_name, "objective": domain.objective_text,
        "pessimism": domain.pessimism, "similarity": domain.least,
        "predicts": round(math.log10(float(domain.values([PROBE])[0])), 4),
    }  # fmt: skip


def proposer(domain: PeptidesDomain, model: str | None, bars: Bars) -> Proposer:
    """Return the last model of the campaign stored at `model`, or the initial design if `model` is None."""
    if model is None:
        return InitialDesign(domain)
    if "://" not in model and not Path(model).exists():
        raise ConfigError(f"there is no storage {model!r}: --model names the .db file of a campaign of peptides")
    with open_storage(model) as store:
        row = store.find()
        if row["domain"] != domain.name:
            raise ConfigError(f"{model} is a campaign of {row['domain']}, --model wants one of peptides")
        settings = Settings(**{key: value for key, value in row["config"].items() if key in Settings.model_fields})
        read = ModelVersions(store, domain, settings.model, settings.seed, bars, None).load()
        others = [r.task for r in store.runs()[:1] if r.task.context != domain.context(str(r.task.data["template"]))]
    if read is None:
        raise ConfigError(f"{model} has no model yet: let boltbo run finish its first round")
    if others:
        bars.note(f"the model of {model} was trained for another objective: its proposals may be no better than any")
    return ModelProposer(domain, read, design_share=settings.run.design_share, **settings.model.sampling())


def write(
    domain: PeptidesDomain, shortlists: Sequence[Shortlist], search: Search, out: Path, judge: MicPredictor | None
) -> None:
    """Write `designs.csv`, `designs.fasta` and `designs.html`, in place of earlier ones."""
    objective = domain.objective
    about = About(
        objective=_in_words(domain),
        unit="" if objective.high else "µM",
        species=domain.predictor.species,
        judged=() if judge is None else judge.species,
        facts=[
            ("oracle calls a template", str(search.budget)),
            ("similarity", f"at least {domain.least:.0%}"),
            ("optimizer", search.optimizer),
            (
                "first candidates",
                "the initial design" if search.model is None else f"the model of {Path(search.model).name}",
            ),
            ("predictor", domain.predictor_name),
            ("seed", str(search.seed)),
        ],
    )
    for name, text in (
        ("designs.csv", as_csv(about, shortlists)),
        ("designs.fasta", as_fasta(about, shortlists)),
        ("designs.html", designs_page(about, shortlists)),
    ):
        write_whole(out / name, text)


def _in_words(domain: PeptidesDomain) -> str:
    from boltbo.domains.peptides.shortlist.page import short

    objective = domain.objective
    low, high = (", ".join(short(name) for name in side) for side in (objective.low, objective.high))
    text = f"the geometric mean over {low}" + (f", divided by that over {high}" if high else "")
    return text + (f"; {domain.pessimism:g} spreads are held against a candidate" if domain.pessimism else "")
