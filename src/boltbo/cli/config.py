"""A campaign from a TOML file.

name = "my queries"
rounds = [20, 20, 20]

[domain]
use = "plans"                       # or a module of your own with a `build`, or "my_package.my_module:my_build"
workload = "folder/with/sql"

[run]
budget = 100
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from boltbo.cli.drawings import built_in_drawing
from boltbo.domains.build import Build
from boltbo.errors import ConfigError
from boltbo.settings import Settings, explain
from boltbo.system.named import is_named, load_named

if TYPE_CHECKING:
    from boltbo.drawing import Drawing

BUILT_IN = {"plans": "boltbo.domains.plans.build", "peptides": "boltbo.domains.peptides.build"}


@dataclass(frozen=True, slots=True)
class Config:
    """A TOML file, checked as far as it can be without its domain.

    Attributes:
        settings: All settings but the domain's.
        build: The function that makes the domain.
        options: The options of the [domain] table.
        path: The file.
        use: The name of a built-in domain, a module with a `build`, or `module:Name`.
    """

    settings: Settings
    build: Build
    options: Mapping[str, Any]
    path: Path
    use: str

    @property
    def drawing(self) -> Drawing | None:
        """How the domain shows its solutions: the `drawing` of the module that `use` names; None: as text."""
        if self.use in BUILT_IN:
            return built_in_drawing(self.use)
        drawing: Drawing | None = getattr(import_module(self.use.partition(":")[0]), "drawing", None)
        return drawing


def load_config(path: Path, changes: Sequence[str] = ()) -> Config:
    """Read and check a TOML file.

    Args:
        path: The file.
        changes: `key=value` texts that go before what the file says, such as `domain.workload=queries`.

    Raises:
        ConfigError: The file is missing, is no TOML, has an unknown key or a wrong type, or names no domain.
    """
    try:
        table = tomllib.loads(path.read_text())
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}") from error
    for change in changes:
        _apply(change, table)
    options = table.pop("domain", None)
    if not isinstance(options, dict) or not isinstance(options.get("use"), str):
        raise ConfigError(
            f'{path} cannot be used:\n  domain.use: missing; say [domain] use = "plans" or a module of your own'
        )
    try:
        settings = Settings(**{"name": path.stem, **table})
    except ValidationError as error:
        raise explain(error, path) from error
    use = options.pop("use")
    return Config(settings, _builder(use, path), options, path, use)


def _apply(change: str, table: dict[str, Any]) -> None:
    key, equals, text = change.partition("=")
    *tables, last = key.strip().split(".")
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text.strip()  # a word without quotes
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            raise ConfigError(f"--set {change}: {name} is no table")
    if not equals or not last:
        raise ConfigError(f"--set {change}: write key=value, such as run.budget=50")
    table[last] = value


def _builder(use: str, path: Path) -> Build:
    """The function that makes the domain: of a built-in domain, or what `module:Name` names, or a module's `build`."""
    name = use if is_named(use) else f"{BUILT_IN.get(use, use)}:build"
    try:
        build: Build = load_named(name, "domain")
    except ConfigError as error:
        raise ConfigError(f"{path}: domain.use = {use!r}: {error}; built in: {', '.join(BUILT_IN)}") from error
    if not callable(build):
        raise ConfigError(f"{path}: domain.use = {use!r}: {name} is no function that builds a domain")
    return build
