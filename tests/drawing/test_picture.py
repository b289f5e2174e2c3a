"""`--picture`: the page's own figures as one file that carries its colours."""

from __future__ import annotations

import re
import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from boltbo.drawing import picture as module
from boltbo.drawing.chart import Figure, figure
from boltbo.drawing.lines import Axis, Level, Line
from boltbo.drawing.palette import LIGHT, LINES
from boltbo.drawing.picture import Panel, check_picture, picture, write_picture
from boltbo.errors import ConfigError

NASTY = "</text><script>alert(1)</script>&\"'"


def drawn(name: str = "BOLT-4") -> Figure:
    lines = [
        Line(name, "s3", [(1, 5.0), (10, 2.0)], [(1, 4.0, 6.0), (10, 1.0, 3.0)]),
        Line("Best@1", "s1", [(1, 4.0)], [(1, 3.0, 5.0)], "bars"),
    ]
    result = figure(lines, [Level("default", "default", 6.0)], Axis("calls", log=True), Axis("value"))
    assert result is not None
    return result


def test_a_picture_is_one_svg_that_needs_nothing_else() -> None:
    svg = picture(NASTY, [Panel(NASTY, drawn(NASTY)), Panel("right", drawn())])
    root = ElementTree.fromstring(svg.partition("?>")[2])
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    texts = ["".join(e.itertext()) for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert texts.count(NASTY) == 3  # the title, a heading, a key
    assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    assert not re.search(r"url\(|@import|href|var\(", svg)
    for style, (colour, _) in LINES.items():
        assert f".{style} {{ stroke: {LIGHT[colour]};" in svg


def test_many_keys_go_on_in_another_row_inside_the_picture() -> None:
    lines = [Line(f"a line of a rather long name {i}", "s1", [(1, 1.0), (2, 2.0)]) for i in range(12)]
    long = figure(lines, [], Axis("calls"), Axis("value"))
    assert long is not None
    one, many = (picture("", [Panel("", f)]) for f in (drawn(), long))
    heights = [int(re.findall(r'height="(\d+)"', svg)[0]) for svg in (one, many)]
    assert heights[0] < heights[1]
    places = [float(x) for x in re.findall(r'<line class="key s1" x1="[\d.]+" x2="([\d.]+)"', many)]
    assert len(places) == 12
    assert max(places) < 640


def test_the_suffix_says_the_format(tmp_path: Path) -> None:
    svg = picture("title", [Panel("left", drawn())])
    write_picture(svg, tmp_path / "folder" / "p.svg")
    assert (tmp_path / "folder" / "p.svg").read_text(encoding="utf-8") == svg
    write_picture(svg, tmp_path / "p.PNG")
    content = (tmp_path / "p.PNG").read_bytes()
    width, height = struct.unpack(">II", content[16:24])
    wide, high = (int(v) for v in re.findall(r'<svg [^>]*width="(\d+)" height="(\d+)"', svg)[0])
    assert content.startswith(b"\x89PNG")
    assert (width, height) == (round(wide * module.ZOOM), round(high * module.ZOOM))
    with pytest.raises(ConfigError, match=r"p\.pdf cannot be drawn: a picture is an \.svg or a \.png"):
        check_picture(tmp_path / "p.pdf")
    (tmp_path / "q.svg").mkdir()
    with pytest.raises(ConfigError, match=r"cannot be written: .*; name another file with --picture"):
        write_picture(svg, tmp_path / "q.svg")


def test_a_png_says_what_to_install_and_an_svg_needs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"pip install 'boltbo\[report\]', or name a file that ends in \.svg"):
        check_picture(tmp_path / "p.png")
    check_picture(tmp_path / "p.svg")
