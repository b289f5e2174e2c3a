"""Every strategy may be the user's own: as an object, or named as module:Name in the settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from boltbo import Campaign, Settings
from boltbo.errors import CampaignMismatch, ConfigError
from boltbo.optimizers.contract import check_optimizer
from boltbo.storage import Stage
from support.quadratic import Quadratic, make_tasks
from support.small_campaign import SMALL, content
from support.strategies import Backwards, BestOfOthers, Downhill, Parrot

MODEL = {**SMALL["model"], "backend": "support.strategies:Parrot"}  # type: ignore[dict-item]


def campaign(path: Path, *, settings: dict[str, Any] | None = None, **own: Any) -> Campaign:
    chosen = Settings(**{**SMALL, "model": MODEL, **(settings or {})})
    return Campaign(Quadratic(), make_tasks(6), make_tasks(2, 1, "v"), settings=chosen, storage=path / "s.db", **own)


def run_settings(**changes: Any) -> dict[str, Any]:
    return {"run": {**SMALL["run"], **changes}}  # type: ignore[dict-item]


def test_the_optimizer_of_these_tests_keeps_the_contract() -> None:
    check_optimizer(lambda space, seed: Downhill(space, seed))


def test_an_optimizer_named_and_one_handed_over_do_the_same(tmp_path: Path) -> None:
    (tmp_path / "named").mkdir()
    named = campaign(tmp_path / "named", settings=run_settings(optimizer="support.strategies:Downhill"))
    named.run()
    handed = campaign(tmp_path, optimizer=Downhill)
    handed.run()
    assert content(named.storage) == content(handed.storage)
    optimizers = {r.optimizer for r in handed.storage.runs(Stage.TRAIN)}
    assert optimizers == {"support.strategies:Downhill"}
    with pytest.raises(CampaignMismatch, match="own_optimizer"):
        campaign(tmp_path)


def test_an_optimizer_of_ones_own_works_in_other_processes(tmp_path: Path) -> None:
    c = campaign(tmp_path, settings={"workers": 2, "rounds": (2,)}, optimizer=Downhill)
    c.run()
    assert all(r.done for r in c.storage.runs())


@pytest.mark.parametrize("named", [True, False])
def test_a_proposer_learns_from_the_rounds_before_and_no_model_is_tuned(tmp_path: Path, named: bool) -> None:
    own = {"settings": run_settings(proposer="support.strategies:BestOfOthers")} if named else {}
    c = campaign(tmp_path, **(own or {"proposer": BestOfOthers()}))
    c.run()
    assert c.finished
    assert c.storage.models() == []
    first, second = ([r.initial for r in c.storage.runs(Stage.TRAIN, t)] for t in (0, 1))
    assert set(first) == {(("9 9 9", "others"),)}
    best = [x.best.candidate for x in c.parts.trajectories(0) if x.best is not None]
    assert {candidate for initial in second for candidate, _ in initial} == {*best, "9 9 9"}
    assert c.propose(make_tasks(1, 7, "new")[0], 3)[0] in {x.best.candidate for x in c.trajectories() if x.best}


def test_a_model_named_in_the_settings_is_tuned_kept_and_asked(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    c.run()
    assert len(c.storage.models()) == 2
    model = c.parts.models.load()
    assert isinstance(model, Parrot)
    assert model.learnt
    assert {s for r in c.storage.runs(Stage.VALIDATE) for _, s in r.initial} == {"llm"}


@pytest.mark.parametrize("named", [True, False])
def test_an_engine_of_ones_own_runs_every_run(tmp_path: Path, named: bool) -> None:
    if named:
        c = campaign(tmp_path, settings={"engine": "support.strategies:Backwards", "workers": 3, "rounds": (2,)})
        assert Backwards.made_with[-1] == 3
    else:
        c = campaign(tmp_path, settings={"rounds": (2,)}, engine=Backwards())
    c.run()
    engine = c.parts.engine
    assert isinstance(engine, Backwards)
    assert sorted(engine.items) == sorted(r.id for r in c.storage.runs())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (run_settings(optimizer="annealing"), "or module:Name"),
        (run_settings(proposer="retriever"), "should be 'model', or module:Name"),
        ({"engine": "cluster"}, "should be 'auto', or module:Name"),
        ({"model": {"backend": "gpt"}}, "one of compact, transformers, openai, or module:Name"),
    ],
)
def test_a_name_that_is_none_is_refused_with_those_there_are(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Settings(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        run_settings(proposer="nowhere:Proposer"),
        {"engine": "support.strategies:Nothing"},
    ],
)
def test_a_name_that_leads_nowhere_is_one_clear_error(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="cannot be imported"):
        campaign(tmp_path, settings=settings)


def test_an_optimizer_that_leads_nowhere_shows_before_anything_is_paid_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be imported"):
        campaign(tmp_path, settings=run_settings(optimizer="nowhere:Optimizer"))
