"""The command as a user runs it: another process, the example domain, the real model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.command import ENVIRONMENT, boltbo, boltbo_here
from support.places import EXAMPLES


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage with a finished campaign of the example."""
    path = tmp_path_factory.mktemp("cli") / "dials.db"
    out = boltbo("run", EXAMPLES / "dials.toml", "--storage", path, "--picture", path.with_suffix(".svg"))
    assert "BOLT-12 Best@10" in out
    assert path.with_suffix(".svg").read_text().startswith("<?xml")
    return path


def test_status_and_report_read_what_run_wrote(finished: Path) -> None:
    status = json.loads(boltbo("status", "--storage", finished, "--format", "json"))
    assert status["stages"]["train"].startswith("12 of 12 runs done, 240 oracle calls")
    assert {(stage, activity): t["steps"] for stage, own in status["steps"].items() for activity, t in own.items()} == {
        (stage, activity): n
        for stage, n in (("train", 12 * 10), ("reference", 4 * 10))
        for activity in ("fit", "acquire", "decode", "oracle")
    }
    assert "median ms" in boltbo_here("status", "--storage", finished)
    assert status["models"] == ["BOLT-4 (round 1)", "BOLT-8 (round 2)", "BOLT-12 (round 3)"]
    report = json.loads(boltbo_here("report", "--storage", finished, "--format", "json"))
    assert {r["method"] for r in report["rows"]} >= {"default", "initial design", "STBO", "BOLT-12 Best@1"}
    assert "BOLT-12 Best@1" in boltbo("report", "--storage", finished)
    assert "BOLT-12" in boltbo_here("status", "--storage", finished)


def test_propose_and_optimize_one_task(finished: Path) -> None:
    config = EXAMPLES / "dials.toml"
    out = boltbo("propose", config, "--task", "t1", "-n", "3", "--storage", finished, "--format", "json")
    assert len(json.loads(out)["candidates"]) == 3
    out = boltbo("optimize", config, "--task", "t1", "--budget", "8", "--storage", finished, "--format", "json")
    found = json.loads(out)
    assert found["calls"] == 8
    assert found["best"] <= found["default"]


def test_a_second_run_says_that_all_is_done_and_scratch_can_be_asked_for(finished: Path) -> None:
    config = EXAMPLES / "dials.toml"
    assert "BOLT-12 Best@10" in boltbo("run", config, "--storage", finished)
    words = ("optimize", config, "--task", "t2", "--start", "design", "--storage", finished, "--format", "json")
    short, long = (json.loads(boltbo_here(*words, "--budget", n)) for n in ("4", "9"))
    assert (short["calls"], long["calls"]) == (4, 9)
    assert short["source"] in ("default", "design")


def test_old_runs_and_studies_are_imported_and_counted(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna", reason="needs the extra optuna")
    from boltbo import Slots
    from boltbo.integrations.optuna import SlotParameters

    config, path, old = EXAMPLES / "dials.toml", tmp_path / "s.db", tmp_path / "old.csv"
    more = ("--storage", path, "--format", "json")
    old.write_text("task,candidate,value\nt4,1 2 3,7\nt4,1 2 4,8\nt4,9 9,1\n")
    assert "line 4, column candidate: expected 3 symbols" in boltbo_here("import", config, old, *more, ok=False)
    found = json.loads(boltbo_here("import", config, old, *more, "--skip-invalid", "--how", "replace"))
    assert (found["observations"], found["tasks"], found["left out"]) == (2, 1, {"rows": 1})

    url = f"sqlite:///{tmp_path / 'study.db'}"
    parameters = SlotParameters(Slots([[str(i) for i in range(16)]] * 3), ["a", "b", "c"])
    study = optuna.create_study(storage=url, study_name="mine")
    study.optimize(lambda trial: float(len(parameters.suggest(trial))), n_trials=3)
    words = ("import", config, "--optuna", url, "--task", "t5", *more, "--study")
    assert json.loads(boltbo_here(*words, "mine", "--parameters", "a,b,c"))["tasks"] == 1
    assert json.loads(boltbo_here("status", *more))["imported"]["tasks"] == 2
    for arguments, message in [
        ((*words, "mine"), "no parameter 'x0'"),
        ((*words, "mine", "--parameters", "a,b"), "3 slots need"),
        ((*words, "none"), "it holds: mine"),
        (("import", config, *more), "say what to import"),
        (
            ("import", config, "--optuna", "sqlite:///none.db", "--study", "x", "--task", "t5", *more),
            "there is no file",
        ),
        (("import", config, tmp_path / "x.csv", *more), "No such file"),
        (("import", config, "--optuna", f"sqlite:///{old}", "--study", "x", "--task", "t5", *more), "not a database"),
    ]:
        error = boltbo_here(*arguments, ok=False)
        assert message in error
        assert "Traceback" not in error


SWALLOWS = """
import signal, time
from boltbo.cli.interrupts import deliver_interrupts

class Finalized:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)

signal.signal(signal.SIGINT, signal.default_int_handler)
DELIVER
swallowed = Finalized()
try:
    del swallowed
    for _ in range(100):
        time.sleep(0.02)
except KeyboardInterrupt:
    print("stopped")
else:
    print("went on")
"""


@pytest.mark.parametrize(("deliver", "said"), [("deliver_interrupts()", "stopped"), ("", "went on")])
def test_ctrl_c_within_a_finalizer_is_not_lost(deliver: str, said: str) -> None:
    """Without the hook, Python swallows it: what the second case shows."""
    code = SWALLOWS.replace("DELIVER", deliver)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == said, done.stderr


def test_ctrl_c_stops_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    # a shell's background jobs are born deaf to it, and so would be their children
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from boltbo.cli import main; main()"
    )
    command = [
        sys.executable,
        "-c",
        code,
        "run",
        EXAMPLES / "dials.toml",
        "--storage",
        path,
    ]
    process = subprocess.Popen(list(map(str, command)), env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not path.exists() and process.poll() is None:
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert "BOLT-12 Best@10" in boltbo("run", EXAMPLES / "dials.toml", "--storage", path)


def test_a_setting_can_be_given_on_the_command_line(tmp_path: Path) -> None:
    error = boltbo_here(
        "run", EXAMPLES / "dials.toml", "--set", "run.budget=none", "--storage", tmp_path / "s.db", ok=False
    )
    assert "run.budget" in error
    error = boltbo_here(
        "run", EXAMPLES / "dials.toml", "--set", "rounds=[99]", "--storage", tmp_path / "s.db", ok=False
    )
    assert "ask for 99" in error


def test_help_teaches_by_example() -> None:
    overview = boltbo("--help")
    for verb in ("run", "status", "report", "propose", "optimize", "import", "doctor"):
        assert f"boltbo {verb}" in boltbo_here(verb, "--help")
        assert f"boltbo {verb}" in overview


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rounds = [1", "is no TOML"),
        ("x = 1\n[domain]\nuse='dials'", "x: no such key"),
        ("[run]\nbudget = 'many'\n[domain]\nuse='dials'", "run.budget"),
        ("[run]\nbudget = 0\n[domain]\nuse='dials'", "run.budget"),
        ("[run]\noptimizer = 'best'\n[domain]\nuse='dials'", "run.optimizer"),
        ("rounds = [100]\n[domain]\nuse='dials'", "ask for 100 training tasks"),
        ("seed = 1", "domain.use: missing"),
        ("[domain]\nuse = 'no_such_module'", "no_such_module"),
        ("[domain]\nuse = 'dials:no_such_name'", "domain.use = 'dials:no_such_name'"),
        ("[domain]\nuse = 'no such module'", "domain.use = 'no such module'"),
        ("[domain]\nuse = 'dials:build'\ncolour = 'red'", "colour"),
        ("[domain]\nuse = 'dials'\ncolour = 'red'", "colour"),
        ("[domain]\nuse = 'plans'\ncolour = 'red'", "colour: no such key"),
        ("[domain]\nuse = 'plans'\nworkload = '/no/such/folder'", "/no/such/folder does not exist"),
    ],
)
def test_a_configuration_that_cannot_be_used_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "c.toml").write_text(text)
    error = boltbo_here("run", tmp_path / "c.toml", ok=False)
    assert message in error
    assert "Traceback" not in error


def test_a_missing_file_storage_or_task_is_one_clear_error(tmp_path: Path, finished: Path) -> None:
    for words, message in [
        (("run", tmp_path / "none.toml"), "cannot be read"),
        (("status", "--storage", tmp_path / "none.db"), "there is no storage"),
        (("propose", EXAMPLES / "dials.toml", "--task", "x", "--storage", finished), "no task 'x'"),
        (("propose", EXAMPLES / "dials.toml", "--storage", finished), "say which task"),
    ]:
        error = boltbo_here(*words, ok=False)
        assert message in error
        assert "Traceback" not in error


def test_importing_boltbo_loads_nothing_heavy() -> None:
    code = "import sys, boltbo; print([m for m in ('torch', 'scipy', 'sqlalchemy', 'psycopg') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
