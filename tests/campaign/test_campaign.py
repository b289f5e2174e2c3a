"""The outer loop on a family with a known rule, with the real compact model."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from boltbo import Campaign, OracleUnavailable, Settings, Status, Task
from boltbo.campaign import stage as stages
from boltbo.errors import ConfigError, CorruptModel
from boltbo.llm.backend import Prompt
from boltbo.llm.compact.model import CompactModel
from boltbo.proposers import InitialDesign
from boltbo.storage import Stage
from support.places import TESTS
from support.quadratic import Quadratic, make_tasks
from support.small_campaign import SMALL, campaign, content


def test_the_loop_runs_its_rounds_and_tells_what_it_found(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    results = c.run()
    assert results.tasks_done == 6
    assert [m["tasks"] for m in results.models] == [3, 6]
    assert all(10 < m["peak_mib"] < 100_000 for m in results.models)
    assert [r.method for r in results.rows] == [
        "default", "initial design", "STBO", "BOLT-3 Best@1", "BOLT-3 Best@5", "BOLT-6 Best@1", "BOLT-6 Best@5",
    ]  # fmt: skip
    assert results.row("STBO").total <= results.row("initial design").total <= results.row("default").total
    assert results.row("BOLT-6 Best@5").total <= results.row("BOLT-6 Best@1").total
    second = list(c.storage.runs(Stage.TRAIN, 1))
    for run in second:
        assert run.initial[0] == ("0 0 0", "default")
        assert {"llm", "design"} & {source for _, source in run.initial[1:]}
    assert not {r.task.id for r in c.storage.runs(Stage.TRAIN)} & {"v0", "v1"}


def test_guidance_is_asked_of_the_campaign_s_own_base(tmp_path: Path) -> None:
    model = {**SMALL["model"], "guidance": 1.5}  # type: ignore[dict-item]
    c = campaign(tmp_path, model=model)
    c.run()
    guided = c.parts.models.load()
    assert isinstance(guided, CompactModel)
    plain = CompactModel.load(c.storage.artifacts / c.storage.models()[-1].path)
    by_hand = plain.guided(CompactModel.load(c.storage.artifacts / "models" / "base"), 1.5)
    prompts = [Prompt(t.context, c.domain.grammar(t)) for t in c.validation]
    assert guided.sample(prompts, 6) == by_hand.sample(prompts, 6) != plain.sample(prompts, 6)


def test_what_fine_tuning_raised_most_is_tried_first(tmp_path: Path) -> None:
    c = campaign(tmp_path, model={**SMALL["model"], "first": "raised"})  # type: ignore[dict-item]
    c.run()
    plain = CompactModel.load(c.storage.artifacts / c.storage.models()[-1].path)
    known = plain.guided(CompactModel.load(c.storage.artifacts / "models" / "base"), 0.0)
    for run in c.storage.runs(Stage.VALIDATE, 1):
        ratios = known.log_ratios(run.task.context, [candidate for candidate, _ in run.initial])
        assert ratios[0] == max(ratios)


def test_what_the_domain_cannot_do_is_said_before_anything_is_paid_for(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has no estimates"):
        campaign(tmp_path, model={**SMALL["model"], "first": "estimated"})  # type: ignore[dict-item]
    assert not (tmp_path / "s.db").exists()


def test_solutions_of_similar_tasks_are_retrieved_between_the_samples(tmp_path: Path) -> None:
    c = campaign(tmp_path, model={**SMALL["model"], "retrieval": 0.5})  # type: ignore[dict-item]
    c.run()
    for run in c.storage.runs(Stage.VALIDATE, 0):
        retrieved = {text for text, source in run.initial if source == "retrieval"}
        known = {o.candidate for x in c.parts.trajectories(0) for o in x.observations if o.complete}
        assert retrieved
        assert retrieved <= known  # of the tasks solved until then
        assert run.initial[0][1] == "llm"
    assert {source for run in c.storage.runs(Stage.TRAIN, 1) for _, source in run.initial} >= {"default", "retrieval"}


def test_training_runs_may_retrieve_where_validation_is_of_the_samples_alone(tmp_path: Path) -> None:
    c = campaign(tmp_path, run={**SMALL["run"], "retrieval": 0.5})  # type: ignore[dict-item]
    c.run()
    sources = [
        {source for run in c.storage.runs(stage, 1) for _, source in run.initial}
        for stage in (Stage.TRAIN, Stage.VALIDATE)
    ]
    assert sources[0] >= {"default", "llm", "retrieval"}
    assert sources[1] == {"llm"}
    c.optimize(Task("new", c.validation[0].context, dict(c.validation[0].data)), 10)
    assert {source for run in c.storage.runs(Stage.SINGLE) for _, source in run.initial} >= {
        "default",
        "llm",
        "retrieval",
    }


def test_a_finished_campaign_pays_for_nothing_again(tmp_path: Path) -> None:
    first = campaign(tmp_path).run()
    log = tmp_path / "log"
    assert campaign(tmp_path, Quadratic(log)).run().rows == first.rows
    assert not log.exists()


def test_a_campaign_that_got_more_rounds_ends_as_if_it_had_had_them(tmp_path: Path) -> None:
    longer = tmp_path / "longer"
    first = campaign(longer, rounds=(3,))
    first.run()
    second = campaign(longer)
    assert first.finished
    assert not second.finished
    second.run()
    whole = campaign(tmp_path / "whole")
    whole.run()
    assert content(second.storage) == content(whole.storage)


def test_proposals_are_valid_and_distinct_before_and_after_training(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    task = make_tasks(1, 9, "new")[0]
    before = c.propose(task, 4)
    assert before[0] == "0 0 0"
    c.run()
    after = c.propose(task, 4)
    for text in after:
        assert Quadratic().space(task).canonical(text) == text
    assert len(set(after)) == 4
    assert c.propose(task, 4) == after
    assert len(c.optimize(task, 10).observations) == 10


SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from pathlib import Path
from support.quadratic import Quadratic
from support.small_campaign import campaign
if __name__ == "__main__":
    campaign(Path({path!r}), Quadratic(Path({log!r}), delay=0.02), workers=2).run()
"""


@pytest.mark.slow
def test_killed_again_and_again_it_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    (tmp_path / "calm").mkdir()
    (tmp_path / "killed").mkdir()
    log = tmp_path / "log"
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(TESTS), path=str(tmp_path / "killed"), log=str(log)))
    # as many threads as here: on some CPUs another number gives other last bits
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads()), "XDG_CACHE_HOME": str(tmp_path)}
    kills = 0
    for attempt in range(40):
        process = subprocess.Popen([sys.executable, str(script)], env=environment, stderr=subprocess.PIPE)
        try:
            # always later, so that it ends; at moments that fall into every stage
            _, errors = process.communicate(timeout=1.5 + 0.9 * attempt)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.communicate()
            kills += 1
            time.sleep(0.3)  # its workers notice and end
            continue
        assert process.returncode == 0, errors.decode()
        break
    assert kills >= 2
    calm = campaign(tmp_path / "calm")
    calm.run()
    killed = campaign(tmp_path / "killed")
    assert content(killed.storage) == content(calm.storage)
    # what was in flight when a kill came was lost: at most one call for each worker and kill
    assert len(log.read_text().splitlines()) <= len(content(calm.storage)) + 2 * kills


def test_first_candidates_outlive_a_kill_part_by_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "TOGETHER", 2)
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    whole = campaign(tmp_path / "whole", rounds=(5, 1))
    whole.run()
    cut = campaign(tmp_path / "cut", rounds=(5, 1))
    propose, asked = InitialDesign.propose, []

    def dying(self: InitialDesign, tasks: Sequence[Task], *rest: Any) -> Any:
        asked.append([task.id for task in tasks])
        if "t4" in asked[-1] and len(asked) == 4:  # the last part of the first round, after the reference's one
            raise KeyboardInterrupt
        return propose(self, tasks, *rest)

    monkeypatch.setattr(InitialDesign, "propose", dying)
    with pytest.raises(KeyboardInterrupt):
        cut.run()
    monkeypatch.setattr(InitialDesign, "propose", propose)
    assert asked == [["v0", "v1"], ["t0", "t1"], ["t2", "t3"], ["t4"]]
    assert [r.task.id for r in cut.storage.runs(Stage.TRAIN)] == ["t0", "t1", "t2", "t3"]
    cut.run()
    assert content(cut.storage) == content(whole.storage)


def test_a_dead_oracle_stops_the_campaign_and_the_next_start_goes_on(tmp_path: Path) -> None:
    with pytest.raises(OracleUnavailable, match="start it again"):
        campaign(tmp_path, Quadratic(fail="gone")).run()
    with pytest.raises(OracleUnavailable, match="start it again"):
        campaign(tmp_path, Quadratic(fail="gone"), workers=2).run()
    assert campaign(tmp_path).run().tasks_done == 6


def test_an_oracle_that_only_fails_leaves_nothing_to_learn_from(tmp_path: Path) -> None:
    c = campaign(tmp_path, Quadratic(fail="nan"))
    with pytest.raises(ValueError, match="nothing to learn from"):
        c.run()
    assert {o.status for t in c.trajectories() for o in t.observations} == {Status.FAILED}


@pytest.mark.parametrize("damage", ["truncate", "remove", "json"])
def test_a_corrupt_model_is_one_clear_error(tmp_path: Path, damage: str) -> None:
    c = campaign(tmp_path)
    c.run()
    folder = c.storage.artifacts / "models" / "round-2"
    if damage == "truncate":
        weights = next(folder.glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:1000])
    elif damage == "remove":
        next(folder.glob("*.safetensors")).unlink()
    else:
        (folder / "boltbo.json").write_text("{")
    with pytest.raises(CorruptModel, match="round-2"):
        campaign(tmp_path).propose(make_tasks(1)[0], 2)


def test_ids_must_differ_and_rounds_must_fit(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="'t0'"):
        Campaign(Quadratic(), make_tasks(2), make_tasks(1), storage=tmp_path / "a.db")
    with pytest.raises(ValueError, match="ask for 9 training tasks"):
        Campaign(Quadratic(), make_tasks(2), settings=Settings(rounds=(9,)), storage=tmp_path / "b.db")
