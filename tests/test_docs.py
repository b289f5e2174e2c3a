"""What is written for people holds: examples run, links lead somewhere, the page of settings is up to date."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.places import ROOT

PAGES = [
    *ROOT.glob("*.md"),
    *(ROOT / "docs").rglob("*.md"),
    *(ROOT / "research").rglob("*.md"),
]
"""Every page that people read"""
INTEGRATIONS = ROOT / "docs" / "integrations.md"


def test_the_examples_of_integrations_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna", reason="needs the extra optuna")
    pytest.importorskip("botorch", reason="needs the extra botorch")
    examples = re.findall(r"```python\n(.*?)```", INTEGRATIONS.read_text(), re.DOTALL)
    assert len(examples) == 6
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "integrations"}
    for i, example in enumerate(examples):
        exec(compile(example, f"{INTEGRATIONS.name}, example {i + 1}", "exec"), scope)


def test_every_relative_link_leads_to_a_file_and_a_heading_that_exist() -> None:
    broken = [f"{page.relative_to(ROOT)}: {link}" for page in PAGES for link in links(page) if not leads(page, link)]
    assert not broken, "\n".join(broken)


def links(page: Path) -> list[str]:
    """The relative links of a page, outside code blocks."""
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    return [
        link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link and not link.startswith("mailto:")
    ]


def leads(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = page.parent / name if name else page
    return target.exists() and (not anchor or anchor in anchors(target))


def anchors(page: Path) -> set[str]:
    """What GitHub makes of the headings: lower case, blanks to hyphens, no punctuation."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_page_of_settings_is_what_the_command_prints() -> None:
    from boltbo.cli.settings import reference

    assert (ROOT / "docs" / "settings.md").read_text() == reference(), "boltbo settings > docs/settings.md"


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 200


def test_every_page_of_a_script_has_its_script() -> None:
    pages = {page.stem for page in (ROOT / "docs" / "results" / "scripts").glob("*.md")} - {"index", "demo"}
    assert pages <= {script.stem for script in (ROOT / "research" / "scripts").rglob("*.py")}
