"""The page of a campaign: whole, escaped, without network, for campaigns of every kind and at every moment."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from boltbo import Campaign, Domain, Observation, OracleUnavailable, Settings, Status, Task
from boltbo.cli.app import app
from boltbo.cli.drawings import built_in_drawing
from boltbo.domains.peptides.domain import PeptidesDomain
from boltbo.domains.peptides.templates import Template
from boltbo.domains.plans.language.grammar import PlanGrammar
from boltbo.domains.plans.parse import parse_query
from boltbo.domains.plans.search.moves import PlanMoves
from boltbo.domains.plans.search.random_plans import random_plans
from boltbo.errors import ConfigError
from boltbo.report.campaign import Gathered, campaign_page
from boltbo.report.campaign.gather import DEFAULT, STBO, TaskSummary
from boltbo.report.campaign.page import flat
from boltbo.report.campaign.tasks import ROWS
from boltbo.storage import Run, Stage, open_storage
from support.html_page import Page
from support.quadratic import Quadratic, make_tasks

SECTIONS = ["results", "learning", "before-after", "trajectories", "time", "models", "calls", "details", "settings"]
SMALL = {
    "name": "small & <i>quick</i>",
    "rounds": (2, 2),
    "run": {"budget": 8, "initial": 4, "optimizer": "local"},
    "model": {"pretraining_pairs": 20, "pretraining_epochs": 1, "epochs": 1},
    "validation": {"samples": 3, "reference_budget": 6},
}
NASTY = "</p><script>alert(1)</script><img src=http://x.example/y.png>&\"'"


def run(path: Path, domain: Domain, tasks: Sequence[Task], unseen: Sequence[Task] = (), **changes: object) -> Gathered:
    c = Campaign(domain, tasks, unseen, settings=Settings(**{**SMALL, **changes}), storage=path / "s.db")
    c.run()
    return Gathered.read(c.storage)


def checked(g: Gathered) -> tuple[str, Page]:
    """The page, which is whole, fetches nothing, runs its own script only, and has all sections."""
    text = campaign_page(g, built_in_drawing(str(g.row["domain"])))
    page = Page(text)
    assert page.open == []
    assert page.fetches == []
    assert page.scripts == 1
    assert [i for i in page.ids if i in SECTIONS] == SECTIONS
    assert len(set(page.ids)) == len(page.ids)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not re.search(r"@import|url\(", text)
    assert not re.search(r"\b(nan|inf)\b", re.sub(r"<p class=\"candidate\">.*?</p>", "", text))
    return text, page


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Gathered:
    tasks = [Task(t.id, f"{t.context} {NASTY}", t.data) for t in make_tasks(4)]
    validation = [Task(f"{NASTY}{t.id}", f"{t.context} {NASTY}", t.data) for t in make_tasks(3, 1, "v")]
    return run(tmp_path_factory.mktemp("finished"), Quadratic(), tasks, validation)


def test_the_page_says_what_the_campaign_found(finished: Gathered) -> None:
    text, page = checked(finished)
    for row in finished.results.rows:
        assert row.method in page.text
    assert "BOLT-2" in page.text
    assert text.count("<details id=") == 3
    for activity in ("oracle", "fine-tuning", "sampling", "pretraining", "initial design"):
        assert activity in page.text
    assert "were not recorded" not in page.text
    assert sum(finished.statuses.values()) == finished.results.oracle_calls
    assert f"{finished.results.oracle_calls:,}" in page.text
    assert text.count('class="curve"') == 3 + 3  # learning curve, two of trajectories, one a validation task
    for best in {o.candidate for t in finished.validation if (o := t.lowest)}:
        assert best in page.text


def test_contexts_and_names_are_text_whatever_they_hold(finished: Gathered) -> None:
    text, page = checked(finished)
    assert f"want {finished.validation[0].task.data['wanted'][0]}" in page.text
    assert NASTY in page.text
    assert "small & <i>quick</i>" in page.text
    assert "<script>alert" not in text
    assert "<img" not in text
    assert "<i>quick" not in text


def test_trajectories_and_tables_agree_with_the_results(finished: Gathered) -> None:
    results = finished.results
    for t in finished.validation:
        assert t.value(STBO) == results.row("STBO").values[t.task.id] == t.curves[STBO][-1]
        assert t.value(DEFAULT) == results.row("default").values[t.task.id]
        last = finished.learnt[-1]
        assert t.value(last) == results.row(f"{last} Best@3").values[t.task.id]
    assert [len(own) for own in finished.training.values()] == [2, 2]


def test_a_campaign_without_validation_shows_its_training_tasks(tmp_path: Path) -> None:
    text, page = checked(run(tmp_path, Quadratic(), make_tasks(3), rounds=(3,)))
    assert "No model has been validated yet" in page.text
    assert "The training tasks, the most improved first" in page.text
    assert text.count("<details id=") == 3


def test_a_campaign_that_only_samples_shows_no_default(tmp_path: Path) -> None:
    g = run(tmp_path, Quadratic(), make_tasks(2), make_tasks(2, 1, "v"), rounds=(2,),
            validation={"samples": 3, "reference_budget": 0})  # fmt: skip
    checked(g)
    assert all(set(t.best) == {"BOLT-2"} for t in g.validation)


class Stopping(Quadratic):
    """Gone after so many calls."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.left = calls

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        self.left -= 1
        if self.left < 0:
            raise OracleUnavailable("gone")
        return super().evaluate(task, candidate, best)


@pytest.mark.parametrize("calls", [0, 3, 14, 20, 32, 40])
def test_a_campaign_may_be_looked_at_at_any_moment(tmp_path: Path, calls: int) -> None:
    c = Campaign(Stopping(calls), make_tasks(4), make_tasks(2, 1, "v"), settings=Settings(**SMALL),
                 storage=tmp_path / "s.db")  # fmt: skip
    with pytest.raises(OracleUnavailable):
        c.run()
    g = Gathered.read(c.storage)
    assert sum(p.calls for p in g.progress) == calls
    _, page = checked(g)
    assert ("No task is finished yet" in page.text) == (calls < 6)
    assert ("There is no model yet" in page.text) == (calls < 28)


def test_a_campaign_that_was_only_set_up_has_a_page(tmp_path: Path) -> None:
    c = Campaign(Quadratic(), make_tasks(3), settings=Settings(**SMALL | {"rounds": (3,)}), storage=tmp_path / "s.db")
    _, page = checked(Gathered.read(c.storage))
    assert "Nothing has run yet" in page.text


@pytest.mark.parametrize("fail", ["nan", "raise"])
def test_an_oracle_that_always_fails_is_counted(tmp_path: Path, fail: str) -> None:
    c = Campaign(Quadratic(fail=fail), make_tasks(2), make_tasks(1, 1, "v"), settings=Settings(**SMALL | {"rounds": (2,)}),
                 storage=tmp_path / "s.db")  # fmt: skip
    with pytest.raises(ValueError, match="nothing to learn from"):
        c.run()
    g = Gathered.read(c.storage)
    assert {status for _, status in g.statuses} == {"failed"}
    checked(g)


class Falling(Quadratic):
    """Values below zero, where ratios say nothing."""

    def __init__(self, by: float) -> None:
        super().__init__()
        self.by = by

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        return super().evaluate(task, candidate, best) - self.by


@pytest.mark.parametrize("by", [200.0, 1000.0])
def test_values_below_zero_are_drawn_as_they_are(tmp_path: Path, by: float) -> None:
    g = run(tmp_path, Falling(by), make_tasks(4), make_tasks(2, 1, "v"))
    without = [row for row in g.results.rows if math.isnan(row.ratio)]
    assert (len(without) == len(g.results.rows)) == (by > 675)
    assert without
    text, page = checked(g)
    assert "mean best value" in page.text
    assert text.count('class="curve"') == 3 + 2


SQL = """SELECT COUNT(*) FROM title AS t, movie_keyword AS mk, keyword AS k, cast_info AS ci, name AS n
WHERE t.id = mk.movie_id AND mk.keyword_id = k.id AND ci.movie_id = t.id AND ci.person_id = n.id AND t.year > {}"""


class ToyPlans:
    """Plans in their real language, scored without a server: hash joins are cheap, late relations should come first."""

    name = "plans"
    instruction = "Write a plan."

    def grammar(self, task: Task) -> PlanGrammar:
        return PlanGrammar(parse_query(task.data["sql"]))

    def space(self, task: Task) -> PlanMoves:
        server_trees = {"default": self.grammar(task).parse("t nest mk nest k nest ci nest n")}
        return PlanMoves(parse_query(task.data["sql"]), server_trees.get)

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return ["default", *random_plans(parse_query(task.data["sql"]), n - 1, rng)]

    def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
        words = candidate.split()
        return 50.0 if words[0] == "default" else 10.0 + words.count("nest") - words.count("hash") + words.index("n")


def test_plans_are_drawn_as_trees(tmp_path: Path) -> None:
    sql = [SQL.format(1990 + i) for i in range(5)]
    tasks = [Task(f"q{i}", f"query of {1990 + i}", {"sql": s}) for i, s in enumerate(sql)]
    kept = Task(
        "v", "query", {"sql": SQL.format(3), "default_plan": "seq t merge ( seq mk hash index k ) nest ci nest n"}
    )
    g = run(tmp_path, ToyPlans(), tasks[:4], [tasks[4], kept], run={**SMALL["run"], "optimizer": "evolution"})
    text, page = checked(g)
    assert "Its tree was not recorded" in page.text
    assert text.count('class="plan"') >= 3
    best = g.validation[0].lowest
    assert best is not None
    assert f'aria-label="{best.candidate}"' in text
    assert 'aria-label="seq t merge ( seq mk hash index k ) nest ci nest n"' in text
    for word in ("merge of (t) and (mk k)", "movie_keyword by seq", "cast_info"):
        assert word in page.text


def test_peptides_are_aligned_with_their_template(tmp_path: Path) -> None:
    domain = PeptidesDomain("support.own_predictor:oracle")
    names = ["GIGKFLHSAKKFGKAFVGEIMNS", "FLPLIGRVLSGIL", "KWKLFKKIEKVGQNIRDG"]
    tasks = [domain.task_of(Template(f"p{i}", s)) for i, s in enumerate(names)]
    text, page = checked(
        run(
            tmp_path,
            domain,
            tasks[:2],
            tasks[2:],
            rounds=(2,),
            run={"budget": 8, "initial": 4, "optimizer": "evolution"},
        )
    )
    assert "substituted (underlined)" in page.text
    assert text.count("<mark>") > 1
    assert names[2] in page.text.replace("-", "")


def test_a_domain_of_that_name_with_other_texts_is_shown_as_text(tmp_path: Path) -> None:
    domain = Quadratic()
    domain.name = "plans"
    _, page = checked(run(tmp_path, domain, make_tasks(2), make_tasks(1, 1, "v"), rounds=(2,)))
    assert "0 0 0" in page.text


def test_addresses_in_settings_are_not_shown() -> None:
    shown = flat({"model": {"service": {"base_url": "https://me:secret@host/v1"}, "epochs": 6.0}, "seed": 0})
    assert shown == [("model.service.base_url", "an address, not shown"), ("model.epochs", "6.0"), ("seed", "0")]


def test_a_large_campaign_gives_a_page_of_some_hundred_kilobytes(tmp_path: Path) -> None:
    rng = random.Random(0)
    context = "a long context " * 1000
    with open_storage(str(tmp_path / "s.db")) as store:
        store.attach("large", "quadratic", Settings().resolved(), "0")
        for stage, n, calls in ((Stage.TRAIN, 1500, 50), (Stage.REFERENCE, 500, 50)):
            runs = [
                Run(stage, 0, Task(f"{stage}{i}", context), (("x", "default"),), calls, done=True) for i in range(n)
            ]
            observed = {
                r.task.id: [
                    Observation(
                        f"{j} {'y' * 3000}", 1.0 + 9.0 * rng.random(), Status.COMPLETE, 0.1, "bo" if j else "default"
                    )
                    for j in range(calls)
                ]
                for r in runs
            }
            store.add_runs(runs, observed)
        text, page = checked(Gathered.read(store))
    assert len(text) < 2_500_000
    assert f"{ROWS} of 1500 tasks" in page.text
    assert "60 of 500, spread over all gains" in page.text


def test_half_a_character_is_no_reason_to_fail(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    with open_storage(str(path)) as store:
        store.attach("half", "quadratic", Settings().resolved(), "0")
        task = Task("a", "half \ud83d of a smile", {"template": "\ud83d"})
        store.add_runs(
            [Run(Stage.REFERENCE, 0, task, (("x", "default"),), 1, done=True)],
            {"a": [Observation("x", 1.0, Status.COMPLETE, 0.1, "default")]},
        )
    words = ["report", "--storage", str(path), "--html", str(tmp_path / "page.html")]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert "half ? of a smile" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_a_bound_is_told_as_a_bound() -> None:
    bound = Observation("x", 2.0, Status.CENSORED, 0.1, "llm")
    task = TaskSummary(Task("a", "b"), {"BOLT-1": bound}, {"BOLT-1": [math.inf]})
    assert math.isnan(task.value("BOLT-1"))
    assert task.lowest is None
    assert math.isnan(task.gain)


def test_the_command_writes_the_page_beside_the_table(tmp_path: Path, finished: Gathered) -> None:
    c = Campaign(Quadratic(), make_tasks(2), settings=Settings(**SMALL | {"rounds": (2,)}), storage=tmp_path / "s.db")
    c.run()
    out = tmp_path / "folder" / "page.html"
    words = ["report", "--storage", str(tmp_path / "s.db"), "--html", str(out)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0
    assert "page:" in done.stdout
    assert Page(out.read_text(encoding="utf-8")).fetches == []
    with pytest.raises(ConfigError, match=r"cannot be written: .*; name another file with --html"):
        CliRunner().invoke(app, [*words[:-1], str(tmp_path)], catch_exceptions=False)
    told = CliRunner().invoke(app, [*words, "--format", "json"], catch_exceptions=False)
    assert "page:" not in told.stdout
