"""The door for a user's own: a thing named as `module:Name`."""

from __future__ import annotations

import re
from importlib import import_module
from typing import Any

from boltbo.errors import ConfigError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


def is_named(text: str) -> bool:
    """Whether the text has the form `module:Name`."""
    return _NAME.fullmatch(text) is not None


def load_named(text: str, what: str) -> Any:
    """Import what `module:Name` names.

    Args:
        text: Such as `my_package.search:Annealing`.
        what: What it should be, for the message: `optimizer`, `predictor`, …

    Raises:
        ConfigError: The text has another form, the module cannot be imported, or it has no such name.
    """
    if not is_named(text):
        raise ConfigError(f"{text!r} names no {what}: write module:Name")
    module, _, name = text.partition(":")
    try:
        value: Any = import_module(module)
        for part in name.split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"the {what} {text!r} cannot be imported ({error}): install its module, or name its folder in PYTHONPATH"
        ) from error
    return value


def name_of(thing: Any) -> str:
    """`module:Name` of a class or function, of the class of anything else."""
    named = thing if hasattr(thing, "__qualname__") else type(thing)
    return f"{named.__module__}:{named.__qualname__}"
