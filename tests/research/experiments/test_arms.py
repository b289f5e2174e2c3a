"""Arms on a family with a known rule, with the real compact model: what they ask, and that a kill costs nothing."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from boltbo import Settings, Task
from boltbo.campaign.campaign import Campaign
from boltbo.campaign.past_runs import own_calls
from boltbo.errors import ConfigError
from boltbo.llm.backend import Example
from boltbo.proposers import Retrieval, Solved
from boltbo.proposers.retrieval import Contexts
from boltbo.proposers.transplant import transplanted
from boltbo.spaces import Strings
from boltbo.storage import Stage
from boltbo_bench.experiments.arm_models import shuffled
from boltbo_bench.experiments.arm_storage import arms_url, open_arm
from boltbo_bench.experiments.arms import parse_arm
from boltbo_bench.experiments.experiment import Experiment
from boltbo_bench.experiments.measured import Measured
from boltbo_bench.experiments.proposers import Perturbed, Random
from boltbo_bench.experiments.result_file import add_part, part_of, told_command
from boltbo_bench.experiments.runner import run_arms
from support.places import TESTS
from support.quadratic import Quadratic, make_tasks

SMALL = {
    "rounds": (3, 3),
    "run": {"budget": 10, "initial": 5, "optimizer": "local"},
    "distil": {"top_k": 3},
    "model": {"pretraining_pairs": 40, "pretraining_epochs": 1, "epochs": 1},
    "validation": {"samples": 4, "reference_budget": 8},
}
ARMS = (
    "bolt+bo", "bolt+design+bo", "bolt+bo,retrieval=0.5", "retrieval=0.5", "random", "commonest", "retrieval", "perturb",
    "default", "again", "temperature=1.0", "samples=6",
    "perturbed,share=0.5", "shuffled", "tasks=2", "top_k=1,gap=inf", "augmented,samples=2", "augmented,samples=3,retrieval=0.5",
    "transfer:rgpe", "transfer:rgpe@2", "transfer:trajectory", "transfer:trajectory@2,calls=7", "stbo,calls=12",
)  # fmt: skip
TRANSFERRED = ("transfer:rgpe", "transfer:rgpe@2", "transfer:trajectory", "transfer:trajectory@2,calls=7")
SEARCHES = ("bolt+bo", "bolt+design+bo", "bolt+bo,retrieval=0.5", "perturb", *TRANSFERRED)


def campaign(path: Path, log: Path | None = None, delay: float = 0.0) -> Campaign:
    return Campaign(
        Quadratic(log, delay=delay), make_tasks(6), make_tasks(3, 1, "v"), settings=Settings(**SMALL), storage=path / "s.db"
    )  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished campaign and all arms; in `before` the campaign as it was without arms."""
    path = tmp_path_factory.mktemp("arms")
    c = campaign(path)
    c.run()
    c.storage.close()
    (path / "before").mkdir()
    for part in ("s.db", "s.artifacts"):
        (shutil.copytree if part == "s.artifacts" else shutil.copy)(path / part, path / "before" / part)
    run_arms(campaign(path), ARMS)
    return path


def observed(path: Path, arm: str, stage: Stage = Stage.VALIDATE) -> dict[str, list[tuple[str, str]]]:
    """Task -> (candidate, source) of each call of an arm."""
    c = campaign(path)
    with open_arm(c, parse_arm(arm, c.settings)) as store:
        own = map(own_calls, store.trajectories(store.runs(stage)))
        return {x.task.id: [(o.candidate, o.source) for o in x.observations] for x in own}


def test_each_arm_asks_what_it_says(finished: Path) -> None:
    for arm in ARMS:
        found = observed(finished, arm)
        assert sorted(found) == ["v0", "v1", "v2"]
        calls = {"default": 1, "samples=6": 6, "transfer:trajectory@2,calls=7": 7, "stbo,calls=12": 12}.get(
            arm, 8 if arm in SEARCHES else 4
        )
        assert {len(own) for own in found.values()} == {calls}, arm
    first = {arm: {s for own in observed(finished, arm).values() for _, s in own[:5]} for arm in ARMS}
    assert first["bolt+bo"] == {"llm"}
    assert first["retrieval=0.5"] == first["bolt+bo,retrieval=0.5"] == {"llm", "retrieval"}
    assert first["augmented,samples=3,retrieval=0.5"] == {"llm", "retrieval"}
    assert first["bolt+design+bo"] >= {"llm", "default"}
    assert first["random"] == {"random"}
    assert first["commonest"] == first["retrieval"] == first["perturb"] == {"retrieval"}
    assert first["default"] == {"default"}
    for arm in (
        "again",
        "temperature=1.0",
        "samples=6",
        "perturbed,share=0.5",
        "shuffled",
        "tasks=2",
        "top_k=1,gap=inf",
        "augmented,samples=2",
    ):
        assert first[arm] == {"llm"}
    more = {arm: observed(finished, arm, Stage.AUGMENT).values() for arm in ARMS if arm.startswith("augmented")}
    for arm, runs in more.items():
        assert {len(own) for own in runs} == {3 if "retrieval" in arm else 2}, arm
    assert {s for own in more["augmented,samples=2"] for _, s in own} == {"llm"}
    assert {s for own in more["augmented,samples=3,retrieval=0.5"] for _, s in own} == {"llm", "retrieval"}
    c = campaign(finished)
    for r in c.storage.runs(Stage.REFERENCE):  # other multi-task methods begin as STBO did
        stbo = [(o.candidate, o.source) for o in c.storage.observations(r.id)]
        for arm in TRANSFERRED:
            assert observed(finished, arm)[r.task.id][:5] == stbo[:5]
        longer = observed(finished, "stbo,calls=12")[r.task.id]
        assert longer[:8] == stbo
        assert not {candidate for candidate, _ in longer[8:]} & {candidate for candidate, _ in stbo}
    for r in c.storage.runs(Stage.VALIDATE, 1):
        assert observed(finished, "again")[r.task.id] == [(o.candidate, o.source) for o in c.storage.observations(r.id)]


def test_arms_share_the_base_and_read_what_they_say(finished: Path) -> None:
    c = campaign(finished)
    base = (c.storage.artifacts / "models" / "base" / "model.safetensors").read_bytes()
    read = {}
    for arm in ("shuffled", "tasks=2", "top_k=1,gap=inf", "transfer:trajectory", "transfer:trajectory@2,calls=7"):
        with open_arm(c, parse_arm(arm, c.settings)) as store:
            assert (store.artifacts / "models" / "base" / "model.safetensors").read_bytes() == base
            [version] = store.models()
            read[arm] = version
    assert read["tasks=2"].tasks == ("t0", "t1")
    assert read["transfer:trajectory@2,calls=7"].tasks == ("t0", "t1")
    assert len(read["shuffled"].tasks) == len(read["transfer:trajectory"].tasks) == 6
    assert read["transfer:trajectory"].metrics["pairs"] > read["transfer:trajectory@2,calls=7"].metrics["pairs"] > 2
    assert read["top_k=1,gap=inf"].metrics["pairs"] == 6


def test_arms_from_before_a_round_do_not_count(finished: Path, tmp_path: Path) -> None:
    for part in ("s.db", "s-arms.db", "s.artifacts", "s-arms.artifacts"):
        (shutil.copytree if part.endswith("artifacts") else shutil.copy)(finished / part, tmp_path / part)

    def change(arm: str, at: str, value: str) -> None:
        with sqlite3.connect(tmp_path / "s-arms.db") as c:
            query = f"UPDATE campaigns SET config = {value} WHERE name LIKE ?"
            assert c.execute(query, (at, f"%: {arm}")).rowcount == 1

    change("default", "$.campaign.rounds", "json_set(config, ?, json_array(3))")
    found = part_of(campaign(tmp_path), "", "boltbo-bench run toy", {})["methods"]
    assert "random" in found
    assert "default" not in found


def test_finished_arms_pay_for_nothing_again(finished: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    run_arms(campaign(finished, log), ARMS)
    assert not log.exists()


def test_the_result_file_has_all_of_it(finished: Path, tmp_path: Path) -> None:
    e = Experiment("toy", 1, "a toy", "Does it work?", Path("toy.toml"), ())
    told = part_of(campaign(finished), "", "boltbo-bench run toy", {"workload": "/home/me/queries", "train": 6})
    assert told["options"] == {"workload": "queries", "train": 6}
    path = tmp_path / "bench-toy.json"
    add_part(path, e, told)
    add_part(path, e, {**told, "seed": 1})
    add_part(path, e, told)
    m = Measured.read(path)
    assert [p.seed for p in m.parts] == [0, 1]
    assert set(ARMS) | {"STBO", "BOLT-3", "BOLT-6"} == set(m.parts[0].methods)
    assert m.parts[0].last == "BOLT-6"
    assert m.parts[0].longest("bolt+bo") == m.parts[0].longest("STBO") == 8
    assert m.parts[0].longest("initial design") == 5
    arm = m.parts[0].methods["shuffled"]
    assert arm["model"]["tasks"] == 6
    assert arm["peak_mib"] > 0
    assert (arm["samples"], arm["sampled_runs"], arm["timed_runs"]) == (12, 3, 3)
    assert arm["sampling_seconds"] > 0
    assert m.parts[0].methods["augmented,samples=2"]["augment"]["calls"] == 12
    add_part(path, Experiment("toy", 2, "another", "Does it work?", Path("toy.toml"), ()), told)
    assert len(Measured.read(path).parts) == 1  # another version: what was measured before does not belong to it


SCRIPT = """
import sys
sys.path[:0] = [{tests!r}, {folder!r}]
from pathlib import Path
from test_arms import campaign
from boltbo_bench.experiments.runner import run_arms
if __name__ == "__main__":
    run_arms(campaign(Path({path!r}), Path({log!r}), delay=0.05), {arms!r})
"""


@pytest.mark.slow
def test_killed_in_the_middle_of_an_arm_nothing_is_asked_twice(finished: Path, tmp_path: Path) -> None:
    arms = ("shuffled", "bolt+bo", "augmented,samples=2")
    shutil.copytree(finished / "before", tmp_path, dirs_exist_ok=True)
    log, script, folder = tmp_path / "log", tmp_path / "script.py", Path(__file__).parent
    script.write_text(SCRIPT.format(tests=str(TESTS), folder=str(folder), path=str(tmp_path), log=str(log), arms=arms))
    wanted = 3 * 4 + 3 * 8 + 6 * 2 + 3 * 4
    kills = 0
    for stop_at in (3, 20, 40, 52, None):
        process = subprocess.Popen(
            [sys.executable, str(script)], env={**os.environ, "OMP_NUM_THREADS": "1"}, stderr=subprocess.PIPE
        )
        while stop_at is not None and process.poll() is None:
            if log.exists() and log.read_text().count("\n") >= stop_at:
                process.send_signal(signal.SIGKILL)
                kills += 1
                break
            try:
                process.wait(0.01)
            except subprocess.TimeoutExpired:
                continue
        _, errors = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), errors.decode()
    assert process.returncode == 0
    assert kills == 4
    asked = log.read_text().splitlines()
    assert wanted <= len(asked) <= wanted + kills  # what was being scored at a kill is scored again, nothing else
    for arm in arms:
        assert observed(tmp_path, arm) == observed(finished, arm)
    stages = (Stage.VALIDATE, Stage.AUGMENT)
    runs = [own for arm in arms for stage in stages for own in observed(tmp_path, arm, stage).items()]
    kept = Counter(f"{task} {candidate}" for task, own in runs for candidate, _ in own)
    assert sum((Counter(asked) - kept).values()) <= kills
    assert not kept - Counter(asked)


# --- parts ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bolt", "no arm is called 'bolt'"), ("temperature", "no arm is called"), ("tasks=0", "from 1 on"),
        ("tasks=x", "from 1 on"), ("odd=1", "no such key odd"), ("random,tasks=3", "no such key tasks here"),
        ("again,pool=2", "no such key pool here"),
        ("shuffled,share", "no key=value"), ("temperature=-1", "temperature"), ("perturbed,share=2", "share must be"),
        ("transfer:", "write transfer:NAME"), ("transfer:icm@x", "write transfer:NAME"), ("top_k=0", "top_k"),
        ("transfer:icm,tasks=3", "write transfer:NAME"), ("transfer:icm,calls=0", "from 1 on"),
        ("transfer:in-context@5", "learns from no other task"), ("stbo", "larger N"), ("stbo,calls=0", "from 1 on"),
    ],
)  # fmt: skip
def test_what_is_no_arm_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_arm(text, Settings())


def test_an_arm_changes_what_it_says_and_nothing_else() -> None:
    arm = parse_arm("top_k=3,gap=inf,temperature=1", Settings())
    distil = arm.settings.distil
    assert (arm.kind, distil.top_k, distil.gap, arm.settings.model.temperature) == ("refit", 3, float("inf"), 1.0)
    assert distil.diversity == Settings().distil.diversity
    assert parse_arm("pool=4", Settings()).kind == "samples"
    assert parse_arm("transfer:icm@20", Settings()).tasks == 20
    told = parse_arm("transfer:in-context,calls=40", Settings())
    assert (told.kind, told.method, told.tasks, told.calls) == ("transfer", "in-context", None, 40)
    guided = Settings(model={"guidance": 1.0})
    assert parse_arm("transfer:trajectory", guided).settings.model.guidance == 0.0
    assert parse_arm("tasks=2", guided).settings.model.guidance == 1.0


def test_no_task_keeps_its_context_when_shuffled() -> None:
    pairs = {f"t{i}": [Example(f"c{i}", f"s{i}")] for i in range(7)} | {"none": []}
    found = shuffled(pairs, 3)
    assert all(found[t][0].solution == own[0].solution for t, own in pairs.items() if own)
    assert all(found[t][0].context != own[0].context for t, own in pairs.items() if own)
    assert sorted(e.context for own in found.values() for e in own) == sorted(f"c{i}" for i in range(7))
    assert found["none"] == []


class Words(Quadratic):
    """Strings near the template that the context names."""

    def initial_design(self, task: Task, n: int, rng: np.random.Generator) -> list[str]:
        return [task.context]

    def space(self, task: Task) -> Strings:  # type: ignore[override]
        return Strings("ABCDEFGH", (3, 12), template=task.context, edits=2)

    grammar = space


def test_the_commonest_solutions_come_first_and_their_edits_after_them() -> None:
    # the last task's solution is near enough to AAAAAB; of the first two tasks' only the edits are
    solved = [
        Solved(Task("a", "CCCCCC"), "CCCCCC", ("HCCCCC", "GCCCCC")),
        Solved(Task("b", "CCCCCD"), "CCCCCD", ("HCCCCC", "CCCCCG")),
        Solved(Task("c", "AAAAAA"), "AAAAAA", ("AAAAAE",)),
    ]
    [found] = Retrieval(Words(), solved, by="support").propose([Task("v", "AAAAAB")], 10, 0)
    assert found[0] == ("AAAAAE", "retrieval")
    assert {c for c, _ in found[1:]} == {
        "HAAAAB",
        "GAAAAB",
        "AAAAAG",
        "HAAAAA",
    }  # from b: H before all, no D at the end
    [found] = Retrieval(Words(), solved, by="support").propose([Task("v", "CCCCCC")], 2, 0)
    assert [c for c, _ in found] == ["HCCCCC", "CCCCCG"]  # two tasks have the first
    for context, order in (("CCCCCC", ["HCCCCC", "GCCCCC", "CCCCCG"]), ("CCCCCD", ["HCCCCC", "CCCCCG", "GCCCCC"])):
        [found] = Retrieval(Words(), solved, by="similarity").propose([Task("v", context)], 3, 0)
        assert [c for c, _ in found] == order  # the nearest task's best, the others' best, the nearest task's second


def test_contexts_are_alike_by_their_words_and_pairs() -> None:
    contexts = Contexts(["a b c d", "d c b a", "a b x y", "q r s t"])
    assert contexts.nearest("a b e f") == [0, 2, 1, 3]
    assert contexts.nearest("q r s")[0] == 3
    assert Contexts(["ACDE", "WYWY"]).nearest("WYW") == [1, 0]
    assert Contexts([]).nearest("WYW") == []


def test_edits_go_where_they_were_made() -> None:
    start, solution = list("GIGKFLHSAK"), list("KIGKLHSWAKR")  # G1K, -F5, +W8, +R10
    assert "".join(transplanted("AAAAAAAAAAAA", start, solution, 9)) == "KAAAAAAWAAAA"
    assert "".join(transplanted("AAAAAAAAAAAA", start, solution, 1)) == "KAAAAAAAAAAA"
    assert "".join(transplanted("AAAA", start, solution, 9)) == "KAAA"


def test_a_perturbed_context_keeps_its_blanks_and_most_words() -> None:
    p = Perturbed(Random(Quadratic()), ["x y z"], 0.25)
    text = "want  1 2\n3"
    spoilt = p.spoilt(text, 5)
    assert [w in "xyz" for w in spoilt.split()].count(True) == 1
    assert spoilt.count(" ") == text.count(" ")
    assert "\n" in spoilt
    assert p.spoilt(text, 5) == spoilt
    assert sum(a != b for a, b in zip("ACDEFGHI", Perturbed(p, ["x y"], 0.25).spoilt("ACDEFGHI", 1), strict=True)) == 2


def test_paths_in_a_command_lose_their_folders() -> None:
    words = [
        "boltbo-bench",
        "run",
        "plans",
        "--storage",
        "/tmp/x/ceb.db",
        "--set",
        "domain.workload=/data/ceb",
        "--seed=1",
    ]
    assert told_command(words) == "boltbo-bench run plans --storage ceb.db --set domain.workload=ceb --seed=1"
    assert told_command(["--variant", "", "--arm", "random"]) == "--variant '' --arm random"
    assert told_command(["--variant", "one round"]) == "--variant 'one round'"


def test_a_campaign_without_validation_tasks_has_no_arms(tmp_path: Path) -> None:
    c = Campaign(Quadratic(), make_tasks(6), settings=Settings(**SMALL), storage=tmp_path / "s.db")
    with pytest.raises(ConfigError, match="no validation tasks"):
        run_arms(c, ["random"])


def test_arms_of_another_database_are_in_it() -> None:
    assert arms_url("postgresql+psycopg://me@db/x") == "postgresql+psycopg://me@db/x"
    assert arms_url("sqlite:///a/b.db") == "sqlite:///a/b-arms.db"
