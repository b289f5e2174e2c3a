"""A domain brings its own drawing: the page names no domain, and a storage names no module."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from markupsafe import Markup
from typer.testing import CliRunner

import boltbo.report
from boltbo import Observation, Settings, Status, Task
from boltbo.cli.app import app
from boltbo.cli.drawings import built_in_drawing
from boltbo.drawing import Drawing, Solution
from boltbo.errors import InvalidCandidate
from boltbo.report.campaign import Gathered, campaign_page
from boltbo.storage import Run, Stage, open_storage


class Dots(Drawing):
    """Draws what is written in dots."""

    styles = ".dot { color: red; } </style><b>"

    def unit(self, task: Task) -> str:
        return "dots"

    def candidate(self, task: Task, candidate: str) -> Markup | str:
        if candidate.startswith("x"):
            raise InvalidCandidate("no dots")
        return Markup('<i class="dot">{}</i>').format(candidate) if candidate != "plain" else "<b>plain</b>"


class Together(Dots):
    """Draws all in one, but not the best one's neighbours."""

    def together(self, task: Task, solutions: list[Solution]) -> Markup | None:
        if any(s.observation.candidate == "x" for s in solutions):
            raise InvalidCandidate("no dots")
        return Markup("<p>all: {}</p>").format(", ".join(f"{s.name} {s.value}" for s in solutions))


def stored(path: Path, domain: str, *candidates: str) -> Path:
    """A storage with one run that tried these, each better than the one before; the first is the default."""
    with open_storage(str(path)) as store:
        store.attach("small", domain, Settings().resolved(), "0")
        observed = [
            Observation(c, 9.0 - i, Status.COMPLETE, 0.1, "bo" if i else "default") for i, c in enumerate(candidates)
        ]
        run = Run(Stage.REFERENCE, 0, Task("a", "context"), ((candidates[0], "default"),), len(observed), done=True)
        store.add_runs([run], {"a": observed})
    return path


def page(path: Path, drawing: Drawing | None) -> str:
    with open_storage(str(path)) as store:
        store.find(None)
        return campaign_page(Gathered.read(store), drawing)


def test_a_page_shows_what_the_domain_draws(tmp_path: Path) -> None:
    path = stored(tmp_path / "s.db", "dots", ". <", "x", "..")
    text = page(path, Dots())
    assert '<i class="dot">. &lt;</i>' in text
    assert '<i class="dot">..</i>' in text
    assert "STBO, best: 7.00 dots" in text
    assert ">best value in dots</text>" in text
    assert "</style><b>" not in text
    assert "<p>all: default 9.00, STBO, best 7.00</p>" in page(path, Together())


def test_what_cannot_be_drawn_is_shown_as_text(tmp_path: Path) -> None:
    text = page(stored(tmp_path / "s.db", "dots", "plain", "x"), Together())
    assert "&lt;b&gt;plain&lt;/b&gt;" in text
    assert '<p class="candidate">x</p>' in text


def test_no_name_in_a_storage_is_imported(tmp_path: Path) -> None:
    (tmp_path / "evil_domain.py").write_text("raise SystemExit('imported')")
    path = stored(tmp_path / "s.db", "evil_domain", "one", "two")
    out = tmp_path / "page.html"
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(tmp_path)
        done = CliRunner().invoke(app, ["report", "--storage", str(path), "--html", str(out)], catch_exceptions=False)
    assert done.exit_code == 0
    assert "evil_domain" not in sys.modules
    assert '<p class="candidate">two</p>' in out.read_text(encoding="utf-8")
    assert built_in_drawing("os") is None
    assert built_in_drawing("plans") is not None


@pytest.mark.parametrize("use", ["my_dots", "my_dots:make"])
def test_the_users_own_configuration_names_the_drawing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    (tmp_path / "my_dots.py").write_text(
        "from boltbo.drawing import Drawing\n"
        "from markupsafe import Markup\n"
        "def build(*args): ...\n"
        "make = build\n"
        "class Mine(Drawing):\n"
        "    def candidate(self, task, candidate):\n"
        "        return Markup('<i>mine: {}</i>').format(candidate)\n"
        "drawing = Mine()\n"
    )
    (tmp_path / "mine.toml").write_text(f'[domain]\nuse = "{use}"\n')
    path, out = stored(tmp_path / "s.db", "dots", "one", "two"), tmp_path / "page.html"
    monkeypatch.syspath_prepend(tmp_path)
    words = ["report", "--storage", str(path), "--html", str(out), "--config", str(tmp_path / "mine.toml")]
    assert CliRunner().invoke(app, words, catch_exceptions=False).exit_code == 0
    assert "<i>mine: two</i>" in out.read_text(encoding="utf-8")


def test_the_report_names_no_domain() -> None:
    for path in Path(boltbo.report.__file__).parent.rglob("*.*"):
        if path.suffix != ".pyc":
            text = path.read_text(encoding="utf-8")
            assert not any(word in text for word in ("boltbo.domains", "plans", "peptides")), path
