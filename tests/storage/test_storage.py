from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from boltbo.errors import CampaignBusy, CampaignMismatch, StorageError
from boltbo.problem import Observation, Status, Task
from boltbo.storage import ModelVersion, Run, Stage, Step, Storage, calls_made, open_storage
from boltbo.storage.sql import SqlStorage


def opened(path: Path, **config: object) -> Storage:
    store = open_storage(str(path / "s.db"))
    store.attach("c", "d", config, "0")
    return store


def a_run(task_id: str = "t") -> Run:
    return Run(Stage.TRAIN, 0, Task(task_id, "context", {"x": [1, 2]}), (("a", "default"),), budget=3, seed=7)


def test_what_was_written_is_read_by_another_process(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.add_runs([a_run()])
        [run] = store.runs()
        store.record(run.id, 0, Observation("a", 1.5, Status.COMPLETE, 0.1, "default", "fine"))
        store.record(run.id, 1, Observation("b", math.nan, Status.FAILED, 0.1, "bo"))
        store.checkpoint(run.id, {"asked": ["b"]})
        store.add_model(ModelVersion(0, "models/round-1", ("t",), {"loss": 0.5}))
    with opened(tmp_path) as again:
        [run] = again.runs(Stage.TRAIN, 0)
        assert (run.task, run.initial, run.seed, run.state) == (a_run().task, a_run().initial, 7, {"asked": ["b"]})
        first, second = again.observations(run.id)
        assert first == Observation("a", 1.5, Status.COMPLETE, 0.1, "default", "fine")
        assert second.status is Status.FAILED
        assert math.isnan(second.value)
        assert again.models() == [ModelVersion(0, "models/round-1", ("t",), {"loss": 0.5})]


def test_calls_are_told_as_they_come_and_those_of_finished_runs_are_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(tmp_path) as store:
        store.add_runs(
            [a_run("x"), a_run("y"), a_run("z")], {"z": [Observation("a", 1.0, Status.COMPLETE, 0.0, "import")]}
        )
        x, y, z = (r.id for r in store.runs())
        calls = calls_made(store, [x, y, z])
        read: list[int] = []
        plain = SqlStorage.count
        monkeypatch.setattr(SqlStorage, "count", lambda own, ids: (read.extend(ids), plain(own, ids))[1])
        assert calls() == 0
        for i in range(3):
            store.record(x, i, Observation(f"a{i}", 1.5, Status.COMPLETE, 0.1, "bo"))
            assert calls() == i + 1
        store.finish(x, {})
        assert calls() == 3
        store.record(y, 0, Observation("a", 1.5, Status.COMPLETE, 0.1, "bo"))
        read.clear()
        assert calls() == 4
        assert sorted(read) == [y, z]
        for run in (y, z):
            store.finish(run, {})
        assert calls() == calls() == 4


def test_an_observation_is_never_written_twice(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.add_runs([a_run()])
        [run] = store.runs()
        store.record(run.id, 0, Observation("a", 1.5, Status.COMPLETE, 0.1, "default"))
        with pytest.raises(StorageError, match="UNIQUE"):
            store.record(run.id, 0, Observation("b", 2.5, Status.COMPLETE, 0.1, "default"))
        assert [o.candidate for o in store.observations(run.id)] == ["a"]


def test_runs_are_added_all_or_none(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        with pytest.raises(Exception, match="UNIQUE"):
            store.add_runs([a_run("x"), a_run("x")], {"x": [Observation("a", 1.0, Status.COMPLETE, 0.0, "import")]})
        assert store.runs() == []
    with sqlite3.connect(tmp_path / "s.db") as c:
        assert c.execute("SELECT count(*) FROM observations").fetchone() == (0,)


def test_a_campaign_keeps_its_settings(tmp_path: Path) -> None:
    opened(tmp_path, run={"budget": 5}).close()
    opened(tmp_path, run={"budget": 5}).close()
    with pytest.raises(CampaignMismatch, match=r"run\.budget: 5 -> 6"):
        opened(tmp_path, run={"budget": 6})


def test_rounds_can_be_added_but_not_changed(tmp_path: Path) -> None:
    opened(tmp_path, rounds=[3, 3]).close()
    opened(tmp_path, rounds=[3, 3, 6]).close()
    for others in ([3, 3], [3, 4, 6], [6], []):
        with pytest.raises(CampaignMismatch, match=r"rounds: \[3, 3, 6\] -> "):
            opened(tmp_path, rounds=others)
    opened(tmp_path / "thirds", rounds=[]).close()
    with pytest.raises(CampaignMismatch, match=r"rounds: \[\] -> \[3\]"):
        opened(tmp_path / "thirds", rounds=[3])


def test_how_to_augment_can_be_chosen_until_it_is_done(tmp_path: Path) -> None:
    opened(tmp_path, rounds=[3], augment={"samples": 10}).close()
    opened(tmp_path, rounds=[3, 0], augment={"samples": 50}).close()
    with pytest.raises(CampaignMismatch, match=r"augment\.samples: 50 -> 20"):
        opened(tmp_path, rounds=[3, 0], augment={"samples": 20})
    with pytest.raises(CampaignMismatch, match=r"augment\.samples: 50 -> 20"):
        opened(tmp_path, rounds=[3, 0, 0], augment={"samples": 20})


def test_one_process_at_a_time_runs_a_campaign(tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as two:
        with one.hold(), pytest.raises(CampaignBusy), two.hold():
            pass
        with two.hold():
            pass


def test_a_storage_of_another_version_is_one_clear_error(tmp_path: Path) -> None:
    opened(tmp_path).close()
    with sqlite3.connect(tmp_path / "s.db") as other:
        other.execute("ALTER TABLE observations DROP COLUMN asked")
    with pytest.raises(StorageError, match=r"another version.*observations has no asked"):
        opened(tmp_path)


def test_steps_are_logged_with_the_oracle_calls_that_they_led_to(tmp_path: Path) -> None:
    with opened(tmp_path) as store:
        store.add_runs([a_run()])
        [run] = store.runs()
        store.checkpoint(run.id, {"asked": ["b"]}, Step(0, 1, {"fit": 0.25}))
        assert store.steps(Stage.TRAIN) == [Step(0, 1, {"fit": 0.25})]
        store.record(run.id, 0, Observation("b", 1.5, Status.COMPLETE, 0.5, "bo"))
        assert store.steps(Stage.TRAIN) == [Step(0, 1, {"fit": 0.25, "oracle": 0.5})]
        assert store.steps(Stage.REFERENCE) == []


def test_a_run_may_begin_with_what_was_observed_elsewhere_which_is_no_oracle_call(tmp_path: Path) -> None:
    known = (
        Observation("x", 2.0, Status.COMPLETE, 9.0, "import"),
        Observation("y", 3.0, Status.CENSORED, 9.0, "import"),
    )
    with opened(tmp_path) as store:
        store.add_runs([a_run("t"), a_run("u")], {"u": known})
        t, u = store.runs()
        assert (store.observations(t.id), store.observations(u.id)) == ((), known)
        store.record(u.id, 2, Observation("a", 1.5, Status.COMPLETE, 0.5, "default"))
        assert store.count([t.id, u.id]) == 1


def test_a_file_that_is_no_storage_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "s.db").write_bytes(b"this is no database, it is a letter" * 100)
    with pytest.raises(StorageError, match="not a database"):
        open_storage(str(tmp_path / "s.db"))


def test_naming_an_unknown_campaign_lists_the_known(tmp_path: Path) -> None:
    with opened(tmp_path) as store, pytest.raises(StorageError, match="it holds: c"):
        store.find("other")
