"""The statements of a text with many of them, as psql would read it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<line_comment>--[^\n]*)
  | (?P<comment>/\*)
  | (?P<escaped>\b[eE]'(?:[^'\\]|''|\\.)*')
  | (?P<text>'(?:[^']|'')*')
  | (?P<name>"(?:[^"]|"")*")
  | (?P<dollar>(?<![\w$])\$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$)
  | (?P<command>\\[^\n]*)
  | (?P<end>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_SENDS = re.compile(r"\\(?:g|gx|gset|gexec|gdesc|watch|crosstabview|bind|parse)\b")
"""psql's commands that end a statement as a semicolon does"""

_COMMENT_EDGE = re.compile(r"/\*|\*/")
_COPY = re.compile(r"\s*COPY\b.*\bFROM\s+STDIN\b", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement without its semicolon and without what stands around it, or a command of psql's; and its first line's
    number in the text, from 1."""

    text: str
    line: int

    @property
    def command(self) -> bool:
        return self.text.startswith("\\")


def split(text: str) -> list[Piece]:
    """Statements and psql's commands, in order.

    Semicolons within quotes, dollar quotes, names and (nested) comments part nothing. The data of a COPY from the text
    itself are left out. Hints, comments that begin with `/*+`, stay with their statement; other comments before it do not.
    """
    return list(_pieces(text))


def _pieces(text: str) -> Iterator[Piece]:
    start = at = 0
    while (token := _TOKEN.search(text, at)) is not None:
        at = token.end()
        if token["comment"]:
            at = _end_of_comment(text, token.end())
        elif token["end"]:
            yield from _piece(text, start, token.start())
            start = at = _after_data(text, at) if _COPY.match(text, start, token.start()) else at
        elif token["command"]:
            blank = not list(_piece(text, start, token.start()))
            if blank or _SENDS.match(token[0]):
                yield from _piece(text, start, token.start())
                yield Piece(token[0].rstrip(), text.count("\n", 0, token.start()) + 1)
                start = at
    yield from _piece(text, start, len(text))


def _piece(text: str, start: int, end: int) -> Iterator[Piece]:
    """The statement between two positions; nothing where there are only blanks and comments."""
    while True:
        start += len(text[start:end]) - len(text[start:end].lstrip())
        if text.startswith("--", start, end):
            newline = text.find("\n", start, end)
            start = end if newline < 0 else newline
        elif text.startswith("/*", start, end) and not text.startswith("/*+", start, end):
            start = min(end, _end_of_comment(text, start + 2))
        else:
            break
    if text[start:end].strip():
        yield Piece(text[start:end].rstrip(), text.count("\n", 0, start) + 1)


def _end_of_comment(text: str, at: int) -> int:
    """Where a comment ends that began before `at`; they nest."""
    depth = 1
    while depth and (edge := _COMMENT_EDGE.search(text, at)) is not None:
        depth += 1 if edge[0] == "/*" else -1
        at = edge.end()
    return at if not depth else len(text)


def _after_data(text: str, at: int) -> int:
    """The position behind the line `\\.` that ends the data of a COPY."""
    end = re.compile(r"^\\\.[ \t\r]*$", re.MULTILINE).search(text, at)
    return end.end() if end else len(text)
