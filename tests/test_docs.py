"""The examples of docs/integrations.md run as they stand there, one after the other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from support.places import ROOT

PAGE = ROOT / "docs" / "integrations.md"


def test_the_examples_of_integrations_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna", reason="needs the extra optuna")
    pytest.importorskip("botorch", reason="needs the extra botorch")
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(examples) == 6
    monkeypatch.chdir(tmp_path)
    scope: dict[str, object] = {"__name__": "integrations"}
    for i, example in enumerate(examples):
        exec(compile(example, f"{PAGE.name}, example {i + 1}", "exec"), scope)
