"""`boltbo settings`: everything that can be set, read from the models that check it. `docs/settings.md` is what it prints."""

from __future__ import annotations

from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from boltbo.domains.peptides.build import PeptidesOptions
from boltbo.domains.plans.options import PlansOptions
from boltbo.settings import Settings

HEAD = """\
# Settings

`boltbo run` takes a TOML file with these tables and keys; in Python the same names are arguments of `Settings`. Unknown keys
and wrong types are errors. [`examples/plans.toml`](../examples/plans.toml) is a commented file. `boltbo settings` prints this
page.
"""

DOMAINS: dict[str, type[BaseModel]] = {"plans": PlansOptions, "peptides": PeptidesOptions}


def reference() -> str:
    """Return the page of settings as Markdown."""
    lines = [HEAD]
    for table, model in _tables("", Settings):
        lines += [f"## `[{table}]`" if table else "## Top level", "", *_rows(model), ""]
    for name, model in DOMAINS.items():
        lines += [f'## `[domain]` with `use = "{name}"`', "", *_rows(model), ""]
    return "\n".join(lines).rstrip() + "\n"


def count() -> int:
    """Count the keys of all tables."""
    tables = [*(model for _, model in _tables("", Settings)), *DOMAINS.values()]
    return sum(len(_plain(model)) for model in tables)


def _tables(name: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield the table itself, then the tables inside it."""
    yield name, model
    for key, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _tables(f"{name}.{key}" if name else key, field.annotation)


def _plain(model: type[BaseModel]) -> dict[str, FieldInfo]:
    """Return the keys of a table that are not tables themselves."""
    return {
        key: field
        for key, field in model.model_fields.items()
        if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel))
    }


def _rows(model: type[BaseModel]) -> list[str]:
    rows = [
        f"| `{key}` | {_type(field.annotation)} | {_default(field.default)} | {_cell(field.description or '')} |"
        for key, field in _plain(model).items()
    ]
    return [
        _cell(" ".join((model.__doc__ or "").split())),
        "",
        "| key | type | default | |",
        "| --- | --- | --- | --- |",
        *rows,
    ]


def _type(annotation: Any) -> str:
    """Say in words which values a key takes."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _type(get_args(annotation)[0])
    if origin is Literal:
        return ", ".join(f"`{word}`" for word in get_args(annotation))
    if origin in (Union, UnionType):
        return " or ".join(_type(part) for part in get_args(annotation) if part is not NoneType)
    if origin is tuple:
        return f"list of {_type(get_args(annotation)[0])}"
    names = {str: "text", bool: "true or false", int: "whole number", float: "number"}
    return names.get(annotation, str(annotation))


def _default(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    return f'`"{value}"`' if isinstance(value, str) else f"`{list(value) if isinstance(value, tuple) else value}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
