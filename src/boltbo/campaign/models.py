"""The language models of one campaign on disk: the base, and BOLT-T after each round.

A version is a directory `models/round-N` of safetensors and JSON. It is written under another name and renamed, then entered
in the storage: a kill in between costs the fine-tuning, never an oracle call, and leaves nothing half-written that counts.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from boltbo.campaign.pretraining import backend_class, make_base
from boltbo.domain import Domain
from boltbo.errors import CorruptModel
from boltbo.llm.backend import Example, FitReport, Guidable, LanguageModel, Prompt
from boltbo.problem import Task
from boltbo.proposers.base import seed_of
from boltbo.settings import ModelSettings
from boltbo.storage import ModelVersion, Storage
from boltbo.system.files import whole_folder
from boltbo.system.memory import begin_peak, peak_mib
from boltbo.system.progress import Bars

ABOUT = "boltbo.json"
"""The file that says how a model was made. It is written last: a folder without it is not whole."""


class ModelVersions:
    """Makes, tunes, saves and loads the models of one campaign.

    Args:
        store: Storage in which the versions are entered; its folder of artifacts holds them.
        domain: Domain whose instruction and pretraining pairs make the base.
        settings: Backend, epochs and pretraining.
        seed: Seed of the campaign.
        bars: Progress bars.
        base: A base model of the user's own, in place of the one that `settings` describes.
    """

    def __init__(
        self, store: Storage, domain: Domain, settings: ModelSettings, seed: int, bars: Bars, base: LanguageModel | None
    ) -> None:
        self.store = store
        self.domain = domain
        self.settings = settings
        self.seed = seed
        self.bars = bars
        self._users_base = base
        self._loaded: tuple[tuple[Path, float], LanguageModel] | None = None

    def __contains__(self, t: int) -> bool:
        return any(v.round == t for v in self.store.models())

    def __len__(self) -> int:
        return len(self.store.models())

    @property
    def _base(self) -> Path:
        return self.store.artifacts / "models" / "base"

    def load(self, t: int | None = None, *, guidance: float | None = None) -> LanguageModel | None:
        """The model of round `t`, the last one by default, guided as set or by `guidance`; None while there is none.

        Raises:
            CorruptModel: The folder of the model is damaged.
        """
        versions = [v for v in self.store.models() if t is None or v.round == t]
        if not versions:
            return None
        strength = self.settings.guidance if guidance is None else guidance
        key = self.store.artifacts / versions[-1].path, strength
        if self._loaded is None or self._loaded[0] != key:
            model = self._read(key[0])
            if isinstance(model, Guidable) and (strength or self._base.exists()):
                model = model.guided(self._read(self._base), strength)
            self._loaded = key, model
        return self._loaded[1]

    def fine_tune(
        self,
        t: int,
        pairs: Mapping[str, Sequence[Example]],
        *,
        pretraining_tasks: Sequence[Task],
        probe: Sequence[Task],
    ) -> None:
        """Tune the base (or the last version, if so set) on all pairs and keep the result as the model of round `t`.

        Args:
            t: The round.
            pairs: Task id -> training pairs of the task.
            pretraining_tasks: Tasks of which pretraining pairs may be made where there is no base yet.
            probe: Tasks on which the share of raw samples that the grammar would have refused is measured.

        Raises:
            ValueError: There is nothing to learn from.
        """
        if not any(pairs.values()):
            raise ValueError(f"round {t + 1}: no run found a single valid solution, so there is nothing to learn from")
        model = self._start(pretraining_tasks)
        examples = self._examples(t, pairs)
        began = begin_peak()
        with self.bars.track(f"fine-tune on {len(pairs)} tasks", 1) as update:
            seed = seed_of(self.seed, "fit", t)
            report = model.fit(examples, epochs=self.settings.epochs, seed=seed, progress=update)
        path = Path("models") / f"round-{t + 1}"
        metrics = {
            "pairs": len(examples),
            **_metrics("fit", report),
            "invalid_raw": self._invalid(model, probe),
            "peak_mib": peak_mib(began),
        }
        if not self.store.models():  # the time that the base took counts once
            metrics["pretraining_seconds"] = json.loads((self._base / ABOUT).read_text()).get("seconds", 0.0)
        self._write(model, self.store.artifacts / path, {"tasks": list(pairs), "metrics": metrics})
        self.store.add_model(ModelVersion(t, str(path), tuple(pairs), metrics))

    def _examples(self, t: int, pairs: Mapping[str, Sequence[Example]]) -> list[Example]:
        """The pairs that the fine-tuning of a round reads."""
        rng = np.random.default_rng(seed_of(self.seed, "parts", t))
        read = [task for task, examples in pairs.items() if examples]
        if self.settings.start == "continued" and (versions := [v for v in self.store.models() if v.round < t]):
            old = set(versions[-1].tasks)
            new = [task for task in read if task not in old]
            read = [task for task in read if task not in old or rng.random() < self.settings.replay] if new else read
        return [e for task in read for e in pairs[task]]

    def _invalid(self, model: LanguageModel, tasks: Sequence[Task]) -> float | None:
        """The share of samples that would be no candidates if the grammar did not steer; see `Sample.valid_mass`."""
        prompts = [Prompt(task.context, self.domain.grammar(task)) for task in tasks[:16]]
        lists = model.sample(prompts, 8, temperature=self.settings.temperature, unique=False, seed=self.seed)
        mass = [sample.valid_mass for samples in lists for sample in samples]
        return 1.0 - float(np.mean(mass)) if mass else None

    def _start(self, pretraining_tasks: Sequence[Task]) -> LanguageModel:
        """The model that this round's fine-tuning starts from, fresh from disk: `fit` changes it."""
        self._loaded = None
        versions = self.store.models() if self.settings.start == "continued" else []
        if versions:
            return self._read(self.store.artifacts / versions[-1].path)
        path = self._base
        if not path.exists():
            began = time.perf_counter()
            model = self._users_base or make_base(self.domain, self.settings, pretraining_tasks, self.seed, self.bars)
            self._write(model, path, {"seconds": time.perf_counter() - began})
        return self._read(path)

    def _read(self, path: Path) -> LanguageModel:
        """The model in a folder; its class is what the settings say, never what the folder says.

        Raises:
            CorruptModel: A file of the folder is missing or damaged.
        """
        try:
            json.loads((path / ABOUT).read_text())
        except (OSError, ValueError) as error:
            raise CorruptModel(
                f"{path / ABOUT} is missing or damaged ({error}). Delete {path} to make it again."
            ) from error
        kind = backend_class(self.settings.backend) if self._users_base is None else type(self._users_base)
        return kind.load(path)

    def _write(self, model: LanguageModel, path: Path, about: dict[str, Any]) -> None:
        with whole_folder(path) as folder:
            model.save(folder)
            (folder / ABOUT).write_text(json.dumps(about, indent=1))


def _metrics(prefix: str, report: FitReport) -> dict[str, Any]:
    last = report.losses[-1][1] if report.losses else float("nan")
    return {f"{prefix}_seconds": report.seconds, f"{prefix}_tokens": report.tokens, "loss": last}
