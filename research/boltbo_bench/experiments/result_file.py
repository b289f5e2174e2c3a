"""The result file of an experiment: what a campaign's storage and that of its arms say, small enough to be committed."""

from __future__ import annotations

import json
import os
import platform
import shlex
import statistics
import subprocess
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.past_runs import own_calls
from boltbo.campaign.results import labels
from boltbo.errors import ConfigError
from boltbo.storage import Run, Stage, Storage, open_storage
from boltbo.storage.agreement import differences
from boltbo.system.files import write_whole
from boltbo_bench.experiments import calls
from boltbo_bench.experiments.arm_storage import arm_prefix, arms_url, noted
from boltbo_bench.experiments.experiment import Experiment

RESULTS = Path("research") / "results"
PACKAGES = ("boltbo", "torch", "numpy", "transformers")
PLACES = (100, 1400)
WINDOW = 50
"""Tasks around a place whose median seconds are told"""


def result_path(folder: Path, name: str) -> Path:
    return folder / f"bench-{name}.json"


def add_part(path: Path, experiment: Experiment, part: Mapping[str, Any]) -> None:
    """Put a part into the result file in the place of an earlier one of the same variant and seed."""
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    same = known.get("experiment") == experiment.name and known.get("version") == experiment.version
    key = (part["variant"], part["seed"])
    parts = [p for p in known.get("parts", []) if (p["variant"], p["seed"]) != key] if same else []
    parts = sorted([*parts, part], key=lambda p: (p["variant"], p["seed"]))
    about = {
        "experiment": experiment.name,
        "version": experiment.version,
        "title": experiment.title,
        "question": experiment.question,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps({**about, "parts": parts}, indent=1, allow_nan=False) + "\n")


def part_of(campaign: Campaign, variant: str, command: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All that a finished campaign and its arms have to say.

    Args:
        campaign: The campaign; arms that are not at their end are left out.
        variant: Of the experiment.
        command: That made this.
        options: Of the [domain] table; paths lose their folders.

    Raises:
        ConfigError: The campaign has no finished reference runs.
    """
    store = campaign.storage
    reference = [r for r in store.runs(Stage.REFERENCE) if r.done]
    if not reference:
        raise ConfigError(
            f"campaign {campaign.settings.name!r} has no finished STBO runs to compare with: set "
            "validation.reference_budget and begin it anew"
        )
    stbo = {x.task.id: x.observations for x in store.trajectories(reference)}
    first = {task: [o for o in obs if o.source in ("default", "design")] for task, obs in stbo.items()}
    learnt = labels(store.models())
    methods: dict[str, Any] = {"STBO": _method(store, reference)}
    for t, label in learnt.items():
        methods[label] = _method(store, [r for r in store.runs(Stage.VALIDATE, t) if r.done])
    train = [r for stage in (Stage.TRAIN, Stage.AUGMENT) for r in store.runs(stage) if r.done]
    base = store.artifacts / "models" / "base" / "boltbo.json"
    return {
        "variant": variant,
        "seed": campaign.settings.seed,
        "domain": campaign.domain.name,
        "command": command,
        "commit": commit(),
        "versions": versions(),
        "machine": {"cores": os.cpu_count(), "architecture": platform.machine(), "system": platform.system()},
        "settings": _plain(campaign.settings.resolved()),
        "options": {k: _short(v) for k, v in options.items()},
        "validation": len(stbo),
        "train": {**_seconds(store, train), "models": _base_seconds(base), "tasks": _task_seconds(store)},
        "models": [{"label": learnt[m.round], "tasks": len(m.tasks), **_rounded(m.metrics)} for m in store.models()],
        "default": {task: _digits(obs[0].value) for task, obs in first.items() if obs and obs[0].complete},
        "design": {task: len(obs) for task, obs in first.items()},
        "methods": {**methods, **_arms(campaign)},
    }


def _arms(campaign: Campaign) -> dict[str, Any]:
    """Those at their end, under their texts."""
    prefix, found = arm_prefix(campaign.settings.name), dict[str, Any]()
    with open_storage(arms_url(campaign.storage.url)) as store:
        for name in [n for n in store.names() if n.startswith(prefix)]:
            row = store.find(name)
            runs = store.runs(Stage.VALIDATE)
            unfinished = len(runs) < len(campaign.validation) or not all(r.done for r in runs)
            before, now = _plain(row["config"]["campaign"]), _plain(campaign.settings.resolved())
            # after rounds that were added the last model is another
            if unfinished or before["rounds"] != now["rounds"] or differences(before, now):
                continue
            about: dict[str, Any] = noted(store)
            if models := store.models():
                about["model"] = {"tasks": len(models[-1].tasks), **_rounded(models[-1].metrics)}
            if augmented := store.runs(Stage.AUGMENT):
                about["augment"] = _seconds(store, augmented)
            found[name.removeprefix(prefix)] = {**_rounded(about), **_method(store, runs)}
    return found


def _method(store: Storage, runs: Sequence[Run]) -> dict[str, Any]:
    lines = {x.task.id: calls.write(own_calls(x).observations) for x in store.trajectories(runs)}
    return {**_seconds(store, runs), "values": lines}


def _seconds(store: Storage, runs: Sequence[Run]) -> dict[str, Any]:
    """Oracle calls of these runs, a model's samples among their first candidates, and the seconds by activity."""
    seconds: dict[str, float] = {}
    for run in runs:
        for key, value in run.timings.items():
            seconds[key] = seconds.get(key, 0.0) + value
    asked = [r for r in runs if any(source == "llm" for _, source in r.initial)]
    return {
        "runs": len(runs),
        "calls": store.count([r.id for r in runs]),
        "samples": sum(source == "llm" for r in asked for _, source in r.initial),
        "sampled_runs": len(asked),
        "timed_runs": sum("propose" in r.timings for r in asked),
        "sampling_seconds": float(f"{sum(r.timings.get('propose', 0.0) for r in asked):.4g}"),
        "seconds": _rounded(seconds),
    }


def _base_seconds(path: Path) -> dict[str, float]:
    """How long the base took: short where it came from the cache."""
    try:
        return {"base_seconds": round(float(json.loads(path.read_text()).get("seconds", 0.0)), 2)}
    except (OSError, ValueError):
        return {}


def _task_seconds(store: Storage) -> dict[str, float]:
    """Place of a training task -> the median seconds of the runs around it, everything within a run included."""
    runs = [r for r in store.runs(Stage.TRAIN) if r.done]
    found = {}
    for place in PLACES:
        near = runs[max(0, place - WINDOW // 2) : place + WINDOW // 2]
        if len(runs) >= place:
            found[str(place)] = round(statistics.median(sum(r.timings.values()) for r in near), 3)
    return found


def commit() -> str:
    """The commit of boltbo's own working tree, with + where it was changed since; '' where there is none."""
    here = Path(__file__).parent

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=False)
        return done.stdout.strip() if done.returncode == 0 else ""

    try:
        found = git("rev-parse", "--short", "HEAD")
        return found + "+" * bool(found and git("status", "--porcelain", "--", str(here.parent)))
    except OSError:
        return ""


def versions() -> dict[str, str]:
    """Of Python, of boltbo and of the packages that results depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def told_command(words: Sequence[str]) -> str:
    """A command as others could repeat it: paths lose their folders."""
    parted = [word.rpartition("=") for word in words]
    return shlex.join(f"{key}{equals}{_short(value)}" for key, equals, value in parted)


def _short(value: Any) -> Any:
    """A text that is a path, without its folders."""
    return Path(value).name if isinstance(value, str) and value.startswith(("/", "./", "../", "~")) else value


def _digits(value: float) -> float:
    return float(f"{value:.{calls.DIGITS}g}")


def _rounded(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers of seconds and shares with what digits they deserve; NaN as null."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            found[key] = _rounded(value)
        elif isinstance(value, float):
            found[key] = None if value != value else float(f"{value:.4g}")
        else:
            found[key] = value
    return found


def _plain(settings: Mapping[str, Any]) -> dict[str, Any]:
    """As JSON has it: an infinite gap is null there."""
    return dict(json.loads(json.dumps(settings).replace("Infinity", "null")))
