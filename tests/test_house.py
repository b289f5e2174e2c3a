"""The rules of the house: imports point down, faces are on top, the laboratory stands beside, files are short."""

from __future__ import annotations

from statistics import median

import pytest

from support.modules import PACKAGES, Module, circles, modules

MODULES = modules()
FACES = ("boltbo.cli", "boltbo.report", "boltbo.integrations")
MEDIAN, LONGEST = 130, 400


def is_face(module: Module) -> bool:
    return module.name in ("boltbo", "boltbo.__main__", *FACES) or module.name.startswith(tuple(f"{f}." for f in FACES))


def told(violations: list[str]) -> str:
    return "\n".join(["", *violations])


@pytest.mark.parametrize("package", PACKAGES)
def test_no_modules_import_each_other(package: str) -> None:
    imports = {name: set(m.imports) for name, m in MODULES.items() if name.split(".")[0] == package}
    # the package itself is the topmost face: the names that it gives away are loaded at their first use
    found = circles({name: others - {package} for name, others in imports.items() if name != package})
    assert not found, told([" <-> ".join(group) for group in found])


def test_no_rooms_import_each_other() -> None:
    """A room is a module or package right below `boltbo`."""
    rooms: dict[str, set[str]] = {}
    for m in MODULES.values():
        room, *_ = m.name.split(".")[1:] or [""]
        if m.name.startswith("boltbo.") and room != "__main__":
            others = {name.split(".")[1] for name in m.imports if name.startswith("boltbo.")}
            rooms.setdefault(room, set()).update(others - {room})
    found = circles(rooms)
    assert not found, told([" <-> ".join(group) for group in found])


def test_nothing_below_the_faces_imports_the_package_itself() -> None:
    inside = [m for m in MODULES.values() if m.name.startswith("boltbo.") and not is_face(m)]
    found = [m.at(m.imports["boltbo"]) for m in inside if "boltbo" in m.imports]
    assert not found, told(found)


def test_nothing_below_the_faces_imports_a_face() -> None:
    inside = [m for m in MODULES.values() if m.name.startswith("boltbo.") and not is_face(m)]
    found = [f"{m.at(line)} {other}" for m in inside for other, line in m.imports.items() if is_face(MODULES[other])]
    assert not found, told(found)


def test_nothing_but_faces_names_a_domain() -> None:
    found = []
    for m in MODULES.values():
        if m.name.split(".")[0] != "boltbo" or is_face(m):
            continue
        for name, line in [*m.imports.items(), *m.strings.items()]:
            where = name.split(".")[:3]
            if where[:2] != ["boltbo", "domains"] or name in ("boltbo.domains", "boltbo.domains.build"):
                continue
            if not f"{m.name}.".startswith(".".join(where) + "."):
                found.append(f"{m.at(line)} {name}")
    assert not found, told(found)


def test_the_product_does_not_know_the_laboratory() -> None:
    found = [
        f"{m.at(line)} {name}"
        for m in MODULES.values()
        if m.name.split(".")[0] == "boltbo"
        for name, line in [*m.imports.items(), *m.strings.items()]
        if name.split(".")[0] == "boltbo_bench"
    ]
    assert not found, told(found)


@pytest.mark.parametrize("package", PACKAGES)
def test_files_are_short(package: str) -> None:
    lines = {m: len(m.path.read_text().splitlines()) for m in MODULES.values() if m.name.split(".")[0] == package}
    too_long = [f"{m.at(n)}" for m, n in lines.items() if n > LONGEST]
    assert not too_long, told(too_long)
    assert median(lines.values()) <= MEDIAN


def test_a_circle_is_found() -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a", "d"}}) == [["b", "c"], ["d"]]
