"""What a log says of long work."""

from __future__ import annotations

import pytest

from boltbo.system.progress import Bars


def test_a_log_says_how_far_long_work_is(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr("boltbo.system.progress.time.monotonic", lambda: clock[0])
    with Bars().track("screen queries", 9) as update:
        for done, now in ((1, 30.0), (2, 70.0), (3, 90.0), (4, 140.0)):
            clock[0] = now
            update(done, 9)
    assert capsys.readouterr().err.splitlines() == [
        "screen queries: 2 of 9 in 70 s",
        "screen queries: 4 of 9 in 140 s",
        "screen queries: 4 in 140 s",
    ]


def test_a_quiet_log_says_nothing(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = [0.0]
    monkeypatch.setattr("boltbo.system.progress.time.monotonic", lambda: clock[0])
    with Bars(False).track("screen queries", 9) as update:
        clock[0] = 100.0
        update(9, 9)
    assert capsys.readouterr().err == ""
