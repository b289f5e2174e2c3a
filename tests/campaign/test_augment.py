"""Self-augmentation, what a fine-tuning reads, and the cache of pretrained models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from pydantic import ValidationError

from boltbo import Campaign, Evaluation, Settings, Task
from boltbo.campaign.past_runs import solved_before
from boltbo.campaign.rounds import distil
from boltbo.llm.backend import Example, FitReport
from boltbo.llm.compact.model import CompactModel
from boltbo.settings import explain
from boltbo.storage import Stage
from support.quadratic import Quadratic, make_tasks
from support.small_campaign import SMALL, campaign


def test_a_round_without_tasks_scores_the_models_own_samples(tmp_path: Path) -> None:
    log = tmp_path / "log"
    c = campaign(tmp_path, Quadratic(log), rounds=(3, 3, 0), augment={"samples": 4})
    results = c.run()
    runs = c.storage.runs(Stage.AUGMENT)
    assert [r.task.id for r in runs] == [f"t{i}" for i in range(6)]
    trained = {t.task.id: t for t in c.storage.trajectories(c.storage.runs(Stage.TRAIN))}
    for run in runs:
        begun, *found = c.storage.observations(run.id)
        best = trained[run.task.id].best
        assert best is not None
        assert (begun.candidate, begun.value, begun.source) == (best.candidate, best.value, "import")
        assert len(found) == 4
        assert {o.source for o in found} == {"llm"}
        assert not {o.candidate for o in found} & {o.candidate for o in trained[run.task.id].observations}
        merged = next(t for t in c.trajectories() if t.task.id == run.task.id)
        assert merged.observations == (*trained[run.task.id].observations, *found)
    assert [t.task.id for t in c.parts.trajectories(1)] == [t.task.id for t in c.trajectories()]
    assert all(len(t.observations) == 14 for t in c.parts.trajectories(1))
    assert results.tasks_done == 6
    assert {r.method.split()[0] for r in results.rows if "BOLT" in r.method} == {"BOLT-3", "BOLT-6", "BOLT-6+"}
    assert c.finished
    calls = log.read_text().count("\n")
    assert results.oracle_calls == calls
    assert campaign(tmp_path, Quadratic(log), rounds=(3, 3, 0), augment={"samples": 4}).run().rows == results.rows
    assert log.read_text().count("\n") == calls


def test_what_self_augmentation_finds_is_learnt(tmp_path: Path) -> None:
    c = campaign(tmp_path, rounds=(3, 0), augment={"samples": 4})
    c.run()
    before, after = (
        [t.observations for t in c.parts.trajectories(0)],
        [t.observations for t in c.parts.trajectories(1)],
    )
    assert [len(b) for b in before] == [14] * 3
    assert [len(a) for a in after] == [18] * 3
    best = {t.task.id: min(t.observations, key=lambda o: o.value).candidate for t in c.parts.trajectories(1)}
    assert {task: pairs[0].solution for task, pairs in distil(c.parts, 1).items()} == best


def test_the_oracle_is_told_the_best_that_is_known(tmp_path: Path) -> None:
    told: dict[str, list[float | None]] = {}

    class Watched(Quadratic):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            told.setdefault(task.id, []).append(best)
            return super().evaluate(task, candidate, best)

    c = campaign(tmp_path, Watched(), rounds=(3, 0), augment={"samples": 4})
    c.run()
    for x in c.parts.trajectories(0):
        assert x.best is not None
        assert told[x.task.id][-4] == x.best.value


def test_no_estimates_are_asked_for_where_all_samples_are_scored(tmp_path: Path) -> None:
    class Estimated(Quadratic):
        def estimates(self, task: Task, candidates: Sequence[str]) -> list[float]:
            asked.append(task.id)
            return [0.0] * len(candidates)

    asked: list[str] = []
    model = {**SMALL["model"], "first": "estimated"}  # type: ignore[dict-item]
    c = campaign(tmp_path, Estimated(), rounds=(3, 0), augment={"samples": 4}, model=model)
    c.run()
    assert len(c.storage.runs(Stage.AUGMENT)) == 3
    assert set(asked) == {t.id for t in c.validation}


def test_what_was_asked_for_is_not_asked_for_again(tmp_path: Path) -> None:
    """An oracle that scores another candidate than it was asked for, as a server that does not follow a plan."""

    class Stubborn(Quadratic):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> Evaluation:  # type: ignore[override]
            first, *rest = candidate.split()
            scored = " ".join([str(int(first) // 2 * 2), *rest])
            return Evaluation(super().evaluate(task, scored, best), scored=scored)

    c = campaign(tmp_path, Stubborn(), rounds=(3, 0), augment={"samples": 4})
    c.run()
    asked = {t.task.id: {o.asked for o in t.observations if o.asked} for t in c.parts.trajectories(0)}
    assert any(asked.values())
    for task, texts in asked.items():
        assert texts <= set(solved_before(c.parts.trajectories(0))[task].scored)
        again = next(r for r in c.storage.runs(Stage.AUGMENT) if r.task.id == task)
        assert texts.isdisjoint(candidate for candidate, _ in again.initial)


def test_a_continued_model_can_do_without_new_solutions(tmp_path: Path) -> None:
    class Dry(Quadratic):
        def evaluate(self, task: Task, candidate: str, best: float | None) -> float:
            if task.id in ("t3", "t4", "t5"):
                raise ZeroDivisionError("no value at all")
            return super().evaluate(task, candidate, best)

    model = {**SMALL["model"], "start": "continued", "replay": 0.0}  # type: ignore[dict-item]
    assert len(campaign(tmp_path, Dry(), model=model).run().models) == 2


def test_a_key_in_a_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValidationError) as raised:
        Settings(model={"service": {"base_url": "https://me:secret@models.example/v1"}})
    message = str(explain(raised.value, "mine.toml"))
    assert "key_variable" in message
    assert "secret" not in message


def test_the_first_round_needs_tasks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="the first round has no task"):
        campaign(tmp_path, rounds=(0, 3))


class Spy(CompactModel):
    """A compact model that keeps what it was given to read."""

    read: list[set[str]] = []  # noqa: RUF012

    def fit(self, examples: list[Example], **rest: object) -> FitReport:  # type: ignore[override]
        Spy.read.append({e.context for e in examples})
        return super().fit(examples, **rest)  # type: ignore[arg-type]


def what_was_read(path: Path, **model: object) -> list[set[str]]:
    tasks = make_tasks(12)
    base = Spy.create([Example(t.context, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15") for t in tasks], width=16, layers=1)
    settings = Settings(**{**SMALL, "rounds": (6, 3, 3), "model": {**SMALL["model"], **model}})  # type: ignore[dict-item]
    Spy.read = []
    Campaign(Quadratic(), tasks, settings=settings, storage=path / "s.db", model=base).run()
    return Spy.read


def contexts(first: int, last: int) -> set[str]:
    return {t.context for t in make_tasks(12)[first:last]}


def test_a_fresh_start_reads_everything(tmp_path: Path) -> None:
    read = what_was_read(tmp_path, start="fresh", replay=0.0)
    assert read == [contexts(0, 6), contexts(0, 9), contexts(0, 12)]


@pytest.mark.parametrize(("replay", "least", "most"), [(0.0, 0, 0), (0.5, 1, 8), (1.0, 9, 9)])
def test_a_continued_one_reads_the_new_and_a_share_of_the_old(
    tmp_path: Path, replay: float, least: int, most: int
) -> None:
    first, _, third = what_was_read(tmp_path, start="continued", replay=replay)
    assert first == contexts(0, 6)
    assert contexts(9, 12) <= third
    assert least <= len(third) - 3 <= most


def test_a_base_is_pretrained_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    own = CompactModel.pretrain

    def counted(self: CompactModel, *args: object, **rest: object) -> FitReport:
        calls.append(1)
        return own(self, *args, **rest)  # type: ignore[arg-type]

    monkeypatch.setattr("boltbo.campaign.pretraining.cache", lambda: tmp_path / "kept")
    monkeypatch.setattr(CompactModel, "pretrain", counted)
    rows = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        rows.append(campaign(tmp_path / name).run().rows)
    assert rows[0] == rows[1]
    assert len(calls) == 1
    (tmp_path / "c").mkdir()
    campaign(tmp_path / "c", seed=1).run()
    assert len(calls) == 2
    for kept in (tmp_path / "kept").iterdir():
        (kept / "model.safetensors").write_bytes(b"torn")
    (tmp_path / "d").mkdir()
    assert campaign(tmp_path / "d").run().rows == rows[0]
    assert len(calls) == 3
