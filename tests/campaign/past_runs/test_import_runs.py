"""Imports of old runs: what is checked, what a run does with them, and that a kill changes nothing."""

from __future__ import annotations

import contextlib
import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from boltbo import Observation, Status, Task, Trajectory
from boltbo.campaign import run as one_run
from boltbo.campaign.past_runs import rows_of
from boltbo.campaign.results import progress_of
from boltbo.campaign.rounds import solve
from boltbo.errors import CampaignBusy, InvalidRuns
from boltbo.storage import Run, Stage, Storage, open_storage
from support.quadratic import Quadratic, make_tasks
from support.small_campaign import SMALL, campaign, content

T0 = make_tasks(6)[0]
GOOD = """task,candidate,value,status,seconds
t0,5  5 5,12.5,,0.25
t0,6 6 6,3,censored,
t5,"1 2 3",,failed,1
"""


def written(path: Path, text: str, name: str = "runs.csv") -> Path:
    (path / name).write_text(text)
    return path / name


def test_csv_and_jsonl_say_the_same(tmp_path: Path) -> None:
    lines = [
        {"task": "t0", "candidate": "5 5  5", "value": 12.5, "seconds": 0.25},
        {"task": "t0", "candidate": "6 6 6", "value": 3, "status": "CENSORED"},
        {"task": "t5", "candidate": "1 2 3", "value": None, "status": "failed", "seconds": 1},
    ]
    found = []
    for name, text in [("runs.csv", "\ufeff" + GOOD), ("runs.jsonl", "\n\n".join(map(json.dumps, lines)) + "\n")]:
        (tmp_path / name[-3:]).mkdir()
        c = campaign(tmp_path / name[-3:])
        report = c.import_runs(written(tmp_path, text, name))
        assert (report.tasks, report.observations, report.repeated, report.skipped) == (2, 3, 0, ())
        found.append(content(c.storage))
        assert [r.done for r in c.storage.runs(Stage.IMPORT)] == [True, True]
        first, second = c.trajectories()[0].observations
        assert first == Observation("5 5 5", 12.5, Status.COMPLETE, 0.25, "import")
        assert second == Observation("6 6 6", 3.0, Status.CENSORED, 0.0, "import")
    assert [x[:5] for x in found[0]] == [x[:5] for x in found[1]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column 'task'"),
        ("task;candidate;value\n", "separated by commas"),
        ("task,candidate,value,colour\n", "'colour' is no column"),
        ("task,task,candidate,value\n", "twice"),
        ("task,candidate,value\n", "holds no observation"),
        ("task,candidate,value\nt0,1 2 3\n", "line 2: 2 cells where the header has 3"),
        ("task,candidate,value\n\nt0,1 2 3,1\nt0,1 2,1\n", "line 4, column candidate: expected 3 symbols"),
        ('task,candidate,value\nt0,"1 2\n3",1\nx,1 2 3,1\n', "line 4, column task: 'x' is no task"),
        ("task,candidate,value\nt0,1 2 16,1\n", "line 2, column candidate: symbol 2 is '16'"),
        ("task,candidate,value\nt0,1 2 3,fast\n", "line 2, column value: 'fast' is no number"),
        ("task,candidate,value\nt0,1 2 3,nan\n", "line 2, column value: 'nan' is no finite number"),
        ("task,candidate,value\nt0,1 2 3,\n", "line 2, column value: is empty"),
        ("task,candidate,value\nt0,,1\n", "line 2, column candidate: is empty"),
        ("task,candidate,value,status\nt0,1 2 3,1,great\n", "line 2, column status: 'great' is none of complete"),
        ("task,candidate,value,seconds\nt0,1 2 3,1,-1\n", "line 2, column seconds: -1.0 is below 0"),
        ("task,candidate,value\nv0,1 2 3,1\n", "line 2, column task: 'v0' is a validation task"),
        (f"task,candidate,value,context\nx,1 2 3,1,{make_tasks(2, 1, 'v')[1].context}\n", "as a validation task"),
        ("task,candidate,value,context\nx,1 2 3,1,a\nx,1 2 3,1,b\n", "described in two ways"),
        ("task,candidate,value,context,data\nx,1 2 3,1,a,{\n", "is no JSON"),
        ('task,candidate,value\nt0,"1 2 3,1\n', "is no CSV: line 2"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_error_that_says_where(tmp_path: Path, text: str, message: str) -> None:
    c = campaign(tmp_path)
    with pytest.raises(InvalidRuns, match=r"runs\.csv") as error:
        c.import_runs(written(tmp_path, text))
    assert message in str(error.value)
    assert c.storage.runs() == []


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: is no JSON"),
        ("[1]", "line 1: is no JSON object"),
        ('{"task": "t0", "candidate": "1 2 3", "values": 1}', "line 1: 'values' is no column"),
        ('{"task": 0, "candidate": "1 2 3", "value": 1}', "line 1, column task: expected text, got 0"),
        ('{"task": "t0", "candidate": [1, 2, 3], "value": 1}', "line 1, column candidate: expected text"),
        ('{"task": "t0", "candidate": "1 2 3", "value": true}', "line 1, column value: True is no finite number"),
        ('{"task": "t0", "candidate": "1 2 3", "value": [1]}', "line 1, column value: '[1]' is no number"),
        ('{"task": "t0", "candidate": "1 2 3", "value": NaN}', "line 1, column value: nan is no finite number"),
        ('{"task": "t0", "candidate": "1 2 3", "value": 1e999}', "line 1, column value: inf is no finite number"),
        ('{"task": "x", "candidate": "1 2 3", "value": 1, "context": 3}', "line 1, column context: expected text"),
    ],
)
def test_a_line_that_cannot_be_used_is_one_error_that_says_where(tmp_path: Path, line: str, message: str) -> None:
    with pytest.raises(InvalidRuns) as error:
        campaign(tmp_path).import_runs(written(tmp_path, line, "runs.jsonl"))
    assert message in str(error.value)


def test_other_files_are_refused_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"task,candidate,value\n\xff\xfe\x00")
    for name, message in [("x.txt", "should end in"), ("none.csv", "No such file"), ("x.csv", "no UTF-8")]:
        with pytest.raises(InvalidRuns, match=message):
            rows_of(tmp_path / name)


@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("any")
    for name in ("a.csv", "a.jsonl"):
        (folder / name).write_bytes(text.encode("utf-8", "surrogatepass"))
        with contextlib.suppress(InvalidRuns):
            assert rows_of(folder / name)


def test_wrong_rows_may_be_left_out_and_are_reported(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    path = written(tmp_path, GOOD + "t0,1 2,1,,\nt9,1 2 3,1,,\n" + "t0,5 5 5,12.5,,\n")
    report = c.import_runs(path, skip_invalid=True)
    assert (report.tasks, report.observations, report.repeated) == (2, 3, 1)
    assert [s.partition(":")[0] for s in report.skipped] == ["line 5, column candidate", "line 6, column task"]
    again = c.import_runs(path, skip_invalid=True)
    assert (again.tasks, again.observations, again.repeated) == (0, 0, 4)
    assert progress_of(c.storage)["imported"] == {"tasks": 2, "observations": 3}


def observed(task: Task, *values: tuple[str, float]) -> Trajectory:
    return Trajectory(task, tuple(Observation(c, v, Status.COMPLETE, 0.5, "somebody") for c, v in values))


WANTED = " ".join(map(str, T0.data["wanted"]))


@pytest.mark.parametrize("how", ["add", "replace"])
def test_a_task_starts_from_what_was_imported(tmp_path: Path, how: str) -> None:
    log = tmp_path / "log"
    c = campaign(tmp_path, Quadratic(log))
    plain = campaign(tmp_path / "plain")
    solve(plain.parts, 0, c.tasks[:1])
    [before] = plain.storage.runs(Stage.TRAIN)
    c.import_runs([observed(T0, ("0 0 0", 99.0), ("7 7 7", 50.0), (before.initial[1][0], 40.0))], how)  # type: ignore[arg-type]
    solve(c.parts, 0, c.tasks[:1])
    [run] = c.storage.runs(Stage.TRAIN)
    observations = c.storage.observations(run.id)
    assert [o.source for o in observations[:3]] == ["import"] * 3
    assert run.initial == (before.initial[2:] if how == "add" else ())
    own = observations[3:]
    assert [o.source for o in own] == ["design"] * len(run.initial) + ["bo"] * (14 - len(run.initial))
    assert len({o.candidate for o in observations}) == 17
    assert log.read_text().splitlines() == [f"t0 {o.candidate}" for o in own]
    assert run.timings["oracle"] == pytest.approx(sum(o.seconds for o in own))
    assert [s.position for s in c.storage.steps(Stage.TRAIN)] == list(range(3 + len(run.initial), 17))
    progress = progress_of(c.storage)
    assert progress["stages"] == {"train": "1 of 1 runs done, 14 oracle calls"}
    assert progress["observations"] == {"complete": 14}
    assert c.results().oracle_calls == 14
    [merged] = c.trajectories()
    assert sorted(o.candidate for o in merged.observations) == sorted(o.candidate for o in observations)


def test_the_last_import_of_a_task_says_how_and_its_own_run_goes_on_without_later_ones(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    runs = [observed(T0, ("7 7 7", 50.0))]
    c.import_runs(runs, "replace")
    assert c.import_runs(runs, "add").repeated == 1
    solve(c.parts, 0, c.tasks[:1])
    assert len(c.storage.runs(Stage.TRAIN)[0].initial) == 6
    report = c.import_runs([observed(T0, ("7 7 8", 51.0))], "add")
    assert (report.observations, report.begun) == (1, ("t0",))
    assert "7 7 8" in {o.candidate for o in c.trajectories()[0].observations}
    with pytest.raises(ValueError, match="'add' or 'replace', got 'merge'"):
        c.import_runs(runs, "merge")  # type: ignore[arg-type]


def test_models_learn_from_imports_also_of_tasks_that_the_campaign_does_not_have(tmp_path: Path) -> None:
    c = campaign(tmp_path, rounds=(2, 0), augment={"samples": 3})
    new = Task("elsewhere", "want 3 4 5")
    c.import_runs([observed(new, ("3 4 5", 0.0), ("3 4 6", 1.0)), observed(c.tasks[4], ("1 1 1", 7.0))])
    results = c.run()
    assert [m["tasks"] for m in results.models] == [4, 4]
    assert set(c.storage.models()[0].tasks) == {"t0", "t1", "elsewhere", "t4"}
    # no oracle call is made for a task of another place, nor for one that is still to be solved
    assert {r.task.id for r in c.storage.runs(Stage.AUGMENT)} == {"t0", "t1"}
    assert results.tasks_done == 2
    assert c.import_runs([observed(Task("elsewhere", "?"), ("3 4 7", 2.0))]).tasks == 1
    assert c.trajectories()[-2].task == new


def test_optimize_starts_from_imports_too(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    task = Task("new", T0.context, dict(T0.data))
    c.import_runs([observed(task, (WANTED, 0.0))], "replace")
    found = c.optimize(task, 4)
    assert [o.source for o in found.observations] == ["import", "bo", "bo", "bo", "bo"]
    assert found.best is not None
    assert found.best.candidate == WANTED


def test_a_campaign_that_runs_takes_nothing_in(tmp_path: Path) -> None:
    c = campaign(tmp_path)
    with campaign(tmp_path).storage.hold(), pytest.raises(CampaignBusy):
        c.import_runs([observed(T0, ("7 7 7", 50.0))])


@pytest.mark.parametrize("optimizer", ["turbo", "local", "random"])
@pytest.mark.parametrize("how", ["add", "replace"])
@pytest.mark.parametrize("calls", [0, 2, 5])
def test_a_run_that_starts_from_imports_and_is_cut_short_ends_as_the_uninterrupted_one(
    tmp_path: Path, optimizer: str, how: str, calls: int
) -> None:
    class Killed(BaseException):
        pass

    class Dying(Quadratic):
        left = calls

        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return super().evaluate(task, candidate, best)

    def stored(name: str) -> tuple[Storage, int]:
        store = open_storage(str(tmp_path / f"{name}.db"))
        store.attach("c", "quadratic", {}, "0")
        initial = (("8 8 8", "design"), ("15 0 15", "design")) if how == "add" else ()
        known = [Observation(c, v, Status.COMPLETE, 0.0, "import") for c, v in [("7 7 7", 50.0), ("3 3 3", 60.0)]]
        failed = Observation("1 1 1", math.nan, Status.FAILED, 0.0, "import")
        store.add_runs([Run(Stage.TRAIN, 0, T0, initial, 9, 2, optimizer, seed=3)], {T0.id: [*known, failed]})
        return store, store.runs()[0].id

    whole = one_run.solve(Quadratic(), *stored("whole")).observations
    store, run_id = stored("cut")
    with pytest.raises(Killed):
        one_run.solve(Dying(), store, run_id)
    assert len(store.observations(run_id)) == 3 + calls
    log = tmp_path / "log"
    resumed = one_run.solve(Quadratic(log), store, run_id).observations
    assert [(o.candidate, o.status, o.source) for o in resumed] == [(o.candidate, o.status, o.source) for o in whole]
    assert (len(whole), len(log.read_text().splitlines())) == (12, 9 - calls)


def test_a_whole_campaign_with_imports_killed_in_between_ends_the_same(tmp_path: Path) -> None:
    class Killed(BaseException):
        pass

    class Dying(Quadratic):
        left = 0

        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return super().evaluate(task, candidate, best)

    assert SMALL["rounds"] == (3, 3)
    runs = [observed(T0, ("7 7 7", 50.0)), observed(make_tasks(6)[4], ("1 2 3", 20.0), ("2 2 3", 21.0))]
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
        campaign(tmp_path / name).import_runs(runs, "replace")
    calm = campaign(tmp_path / "calm")
    calm.run()
    for left in (3, 30, 60):
        domain = Dying()
        domain.left = left
        with pytest.raises(Killed):
            campaign(tmp_path / "killed", domain).run()
    killed = campaign(tmp_path / "killed")
    killed.run()
    assert content(killed.storage) == content(calm.storage)
    starts = {r.task.id: killed.storage.observations(r.id)[0].source for r in killed.storage.runs(Stage.TRAIN)}
    assert starts == {"t0": "import", "t4": "import", **dict.fromkeys(("t1", "t2", "t3", "t5"), "default")}
