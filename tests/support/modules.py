"""The modules of this repository and what they import of each other, read from their sources without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.places import ROOT

PACKAGES = {"boltbo": ROOT / "src" / "boltbo", "boltbo_bench": ROOT / "research" / "boltbo_bench"}


@dataclass(frozen=True, eq=False)
class Module:
    """A module, its file, and the modules of ours that it imports anywhere, each with the first line that does so."""

    name: str
    path: Path
    imports: Mapping[str, int]
    strings: Mapping[str, int]
    """Its string constants, docstrings excepted, each with its first line"""

    def at(self, line: int) -> str:
        return f"{self.path.relative_to(ROOT)}:{line}"


@dataclass
class _Names:
    found: dict[str, int] = field(default_factory=dict)

    def add(self, name: str, line: int) -> None:
        self.found.setdefault(name, line)


def modules() -> dict[str, Module]:
    """All modules of both packages, by name."""
    paths = {
        ".".join((package, *path.relative_to(folder).with_suffix("").parts)).removesuffix(".__init__"): path
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    }
    return {name: _read(name, path, paths) for name, path in paths.items()}


def circles(imports: Mapping[str, set[str]]) -> list[list[str]]:
    """The groups of more than one that import each other, directly or by others (Tarjan's strong components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in sorted(imports.get(name, ())):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            if len(group) > 1 or name in imports.get(name, ()):
                groups.append(sorted(group))

    for name in imports:
        if name not in index:
            visit(name)
    return groups


def _read(name: str, path: Path, paths: Mapping[str, Path]) -> Module:
    tree = ast.parse(path.read_text())
    imports, strings = _Names(), _Names()
    texts = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        for imported in _imported(node, paths):
            imports.add(imported, getattr(node, "lineno", 0))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in texts:
            strings.add(node.value, node.lineno)
    return Module(name, path, imports.found, strings.found)


def _imported(node: ast.AST, paths: Mapping[str, Path]) -> Iterator[str]:
    """The modules of ours that a statement names; of a package, the part that is meant."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if alias.name in paths)
    elif isinstance(node, ast.ImportFrom) and node.module is not None:
        assert node.level == 0, f"a relative import of {node.module}"
        parts = (f"{node.module}.{alias.name}" for alias in node.names)
        yield from (part if part in paths else node.module for part in parts if node.module in paths)
