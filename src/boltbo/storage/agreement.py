"""Whether a campaign in the storage may go on with the settings that it is opened with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SETTINGS = ("run.", "distil.", "augment.", "model.", "validation.")
"""What the names of settings begin with that a later version may have added"""


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What of `old`, as it was begun, is otherwise in `new`, each as text.

    Rounds added to the end are no difference, nor are settings that did not exist when it was begun, nor what is said of
    self-augmentation before there is a round of it.
    """
    before, now = _flatten(old), _flatten(new)
    later = {k for k in now.keys() - before.keys() if k.removeprefix("campaign.").startswith(SETTINGS)}
    rounds, more = before.get("rounds"), now.get("rounds")
    if rounds and more and more[: len(rounds)] == rounds:
        later.add("rounds")
        if 0 not in rounds:  # no round of self-augmentation was asked for yet
            later |= {k for k in before.keys() & now.keys() if k.startswith("augment.")}
    return [
        f"{k}: {before.get(k)!r} -> {now.get(k)!r}"
        for k in sorted((before | now).keys() - later)
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
