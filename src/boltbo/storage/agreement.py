"""Whether a campaign in the storage may go on with the settings that it is opened with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """The settings that differ between a campaign as it was begun and as it is opened now, each as text.

    Rounds added to the end are no difference, nor are the settings of self-augmentation before there is a round of it.
    """
    before, now = _flatten(old), _flatten(new)
    free: set[str] = set()
    rounds, more = before.get("rounds"), now.get("rounds")
    if rounds and more and more[: len(rounds)] == rounds:
        free.add("rounds")
        if 0 not in rounds:  # no round of self-augmentation was asked for yet
            free |= {k for k in before.keys() & now.keys() if k.startswith("augment.")}
    return [
        f"{k}: {before.get(k)!r} -> {now.get(k)!r}"
        for k in sorted((before | now).keys() - free)
        if before.get(k) != now.get(k)
    ]


def _flatten(config: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = list(value) if isinstance(value, tuple) else value
    return flat
