"""What can be tried on the validation tasks of a finished campaign, each written as a short text.

    bolt+bo                 the last model's samples, then the optimizer, as many calls as STBO
    bolt+design+bo          the same with the share of the domain's design that the campaign's own runs have
    random                  random candidates of the task's space
    commonest               the solutions that the most training tasks have among their best
    retrieval               the best solutions of the tasks with the most similar contexts
    perturb                 `commonest`, then the optimizer from there on, as many calls as STBO
    stbo,calls=1000         STBO's own runs, from where they stopped up to so many calls
    default                 the default once more
    again                   the last model's samples once more: how far the machine's speed has drifted. Where values are
                            measured, other arms compare with this one rather than with the campaign
    temperature=1.0         the last model sampled otherwise: temperature, guidance, pool, first; retrieval=0.5: half of
                            the candidates as `retrieval` has them. After bolt+bo these may stand, too
    samples=1000            so many samples for each validation task
    perturbed,share=0.1     the last model, a tenth of each context's words replaced by other contexts'
    shuffled                a model fine-tuned on pairs whose contexts are shuffled among the tasks
    tasks=50                a model fine-tuned on the first 50 tasks alone
    top_k=5,diversity=0     a model fine-tuned on other pairs: top_k, diversity, gap, weight; or with other epochs, backend,
                            name
    augmented               self-augmentation: `samples` more calls for every training task, then fine-tuned on all; with
                            retrieval=0.5 half of these are retrieved, too
    transfer:NAME@50        a shared-surrogate method on the first 50 tasks (`boltbo_bench.transfer`), as many calls as STBO
    transfer:trajectory     a model fine-tuned on histories of runs asks for each candidate, as OptFormer does; @50 as above
    transfer:in-context     a pretrained model that is shown the run's own history asks for each candidate, as LLAMBO does

Keys can be combined: `shuffled,tasks=50`. Arms whose model is fine-tuned anew begin from the campaign's stored base. Where a
method of `transfer:` is slow, `transfer:NAME,calls=40` stops after so many calls.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from boltbo.errors import ConfigError
from boltbo.settings import Settings, explain
from boltbo_bench.experiments.measured import LONGER

Kind = Literal[
    "samples",
    "refit",
    "bolt+bo",
    "bolt+design+bo",
    "stbo",
    "random",
    "commonest",
    "retrieval",
    "perturb",
    "default",
    "transfer",
]

SAMPLING = ("temperature", "guidance", "pool", "first", "retrieval")
DISTIL = ("top_k", "diversity", "gap", "weight")
FITTING = ("epochs", "backend", "name")
PLAIN = ("bolt+bo", "bolt+design+bo", "random", "default")
RETRIEVING = ("commonest", "retrieval", "perturb")
SAMPLED = ("again", "perturbed", "shuffled", "augmented")
TRAJECTORY, IN_CONTEXT = "trajectory", "in-context"
SHARE, AUGMENT_SAMPLES = 0.1, 10


@dataclass(frozen=True, slots=True)
class Arm:
    """One arm.

    Attributes:
        text: As it was written: its name.
        kind: Where the first candidates come from.
        settings: The campaign's, with this arm's changes.
        tasks: How many training tasks a method reads; None: all.
        shuffled: Whether contexts are shuffled among the training tasks.
        perturbed: The share of words of a context that are replaced when the model is asked.
        augmented: Oracle calls for each training task before the fine-tuning.
        method: Of `boltbo_bench.transfer`.
        calls: How many oracle calls at most; None: as many as STBO.
    """

    text: str
    kind: Kind
    settings: Settings
    tasks: int | None = None
    shuffled: bool = False
    perturbed: float = 0.0
    augmented: int = 0
    method: str = ""
    calls: int | None = None


def parse_arm(text: str, settings: Settings) -> Arm:
    """Read an arm of a campaign with these settings.

    Raises:
        ConfigError: It is no arm, or a value cannot be used.
    """
    words = [w.strip() for w in text.split(",")]
    first = "" if "=" in words[0] else words.pop(0)
    if first.startswith("transfer:"):
        return _transfer(text, first, words, settings)
    if first and first not in (*PLAIN, *RETRIEVING, *SAMPLED, LONGER):
        known = ", ".join((*PLAIN, *RETRIEVING, *SAMPLED, LONGER))
        raise ConfigError(f"no arm is called {first!r}; there are {known}, transfer:NAME@T and key=value")
    keys = dict(_key(text, word) for word in words)
    if odd := sorted(set(keys) - set(_keys_of(first))):
        raise ConfigError(
            f"arm {text!r}: no such key {', '.join(odd)} here; {', '.join(_keys_of(first)) or 'none'} may be"
        )
    if first == LONGER:
        return _longer(text, keys, settings)
    tasks = _number(text, "tasks", keys.pop("tasks", None))
    samples = _number(text, "samples", keys.pop("samples", None))
    augmented = (samples or AUGMENT_SAMPLES) if first == "augmented" else 0
    perturbed = _share(text, keys.pop("share", SHARE)) if first == "perturbed" else 0.0
    fits = first in ("shuffled", "augmented") or tasks is not None or not set(keys) <= set(SAMPLING)
    kind: Any = first if first in (*PLAIN, *RETRIEVING) else "refit" if fits else "samples"
    if samples and not augmented:
        keys["samples"] = samples
    return Arm(text, kind, _changed(text, settings, keys), tasks, first == "shuffled", perturbed, augmented)


def _keys_of(first: str) -> tuple[str, ...]:
    """What can be set of an arm that begins with this word."""
    if first in ("bolt+bo", "bolt+design+bo"):
        return SAMPLING
    if first in (*PLAIN, "again"):
        return ()
    if first == LONGER:
        return ("calls",)
    if first in RETRIEVING:
        return ("tasks", *DISTIL)
    if first == "perturbed":
        return ("share", *SAMPLING)
    return ("samples", "tasks", *SAMPLING, *DISTIL, *FITTING)


def _key(text: str, word: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    if not equals:
        raise ConfigError(f"arm {text!r}: {word!r} is no key=value")
    return key, _value(value)


def _number(text: str, key: str, value: Any) -> int | None:
    if value is not None and (not isinstance(value, int) or value < 1):
        raise ConfigError(f"arm {text!r}: {key} must be a number from 1 on, got {value!r}")
    return value


def _longer(text: str, keys: dict[str, Any], settings: Settings) -> Arm:
    calls, known = _number(text, "calls", keys.get("calls")), settings.validation.reference_budget
    if calls is None or calls <= known:
        raise ConfigError(f"arm {text!r}: STBO's runs have {known} calls; write {LONGER},calls=N with a larger N")
    return Arm(text, "stbo", settings, calls=calls)


def _transfer(text: str, first: str, rest: list[str], settings: Settings) -> Arm:
    method, at, tasks = first.removeprefix("transfer:").partition("@")
    keys = dict(_key(text, word) for word in rest)
    if not method or set(keys) - {"calls"} or (at and (not tasks.isdigit() or int(tasks) < 1)):
        raise ConfigError(
            f"arm {text!r}: write transfer:NAME, or transfer:NAME@50 for the first 50 tasks; after either ,calls=40 may stand"
        )
    if at and method == IN_CONTEXT:
        raise ConfigError(f"arm {text!r}: {IN_CONTEXT} learns from no other task; write transfer:{IN_CONTEXT}")
    calls = _number(text, "calls", keys.get("calls"))
    # the base read no histories: what fine-tuning on them changed says nothing of what is good
    changed = _changed(text, settings, {"guidance": 0.0})
    return Arm(text, "transfer", changed, int(tasks) if at else None, method=method, calls=calls)


def _changed(text: str, settings: Settings, keys: dict[str, Any]) -> Settings:
    plain = settings.model_dump()
    plain["distil"] |= {k: v for k, v in keys.items() if k in DISTIL}
    plain["validation"] |= {k: v for k, v in keys.items() if k == "samples"}
    plain["model"] |= {k: v for k, v in keys.items() if k in (*SAMPLING, *FITTING)}
    try:
        return Settings(**plain)
    except ValidationError as error:
        raise explain(error, f"arm {text!r}") from error


def _value(text: str) -> Any:
    try:
        return float(text) if text == "inf" else json.loads(text)
    except json.JSONDecodeError:
        return text


def _share(text: str, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"arm {text!r}: share must be above 0 and at most 1, got {value!r}")
    return float(value)
