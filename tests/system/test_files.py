"""Files that are there whole or not at all."""

import os
from pathlib import Path

import pytest

from boltbo.system.files import whole_folder, write_whole


def test_a_file_is_replaced_whole_and_nothing_lies_beside(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    write_whole(path, b"\x00")
    assert path.read_bytes() == b"\x00"
    assert list(tmp_path.iterdir()) == [path]


def test_what_was_there_survives_a_write_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    write_whole(path, "old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_gets_its_name_when_it_is_full(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with whole_folder(path) as folder:
        (folder / "weights").write_text("new")
        assert not path.exists()
    assert (path / "weights").read_text() == "new"

    def fail() -> None:
        with whole_folder(path) as folder:
            (folder / "weights").write_text("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (path / "weights").read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_of_one_folder_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with whole_folder(path) as one, whole_folder(path) as other:
        assert one != other
        for folder in (one, other):
            (folder / "weights").write_text("same")
    assert (path / "weights").read_text() == "same"
