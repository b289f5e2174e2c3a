"""Answers of a service as candidates: its texts are untrusted, and chat models put something around them."""

from __future__ import annotations

import math
import re
from contextlib import suppress
from typing import Any

from boltbo.domain import Grammar
from boltbo.errors import InvalidCandidate

_FENCED = re.compile(r"```\w*\n(.*?)(?:\n?```|$)", re.DOTALL)


def candidate(grammar: Grammar, raw: str) -> str | None:
    """The candidate that a raw text writes, as it stands or by its plain answer, in canonical form; None if it writes none."""
    for text in (raw.strip(), plain_answer(raw)):
        if text:
            with suppress(InvalidCandidate):
                return grammar.canonical(text)
    return None


def plain_answer(text: str) -> str:
    """A text without the code fence, quotes and blank lines that chat models put around an answer."""
    fenced = _FENCED.search(text)
    lines = [line.strip() for line in (fenced[1] if fenced else text).splitlines()]
    text = " ".join(line for line in lines if line)
    while len(text) > 1 and text[0] == text[-1] and text[0] in "`\"'":
        text = text[1:-1].strip()
    return text


def text_of(choice: Any) -> str:
    """The text of a choice; empty where the service gives none, as in a refusal."""
    content = getattr(choice.message, "content", None)
    return content if isinstance(content, str) else ""


def logprob_of(choice: Any) -> float:
    """The log-probability of a choice's whole text; minus infinity where the service does not tell it."""
    content = choice.logprobs.content if choice.logprobs is not None else None
    return min(0.0, sum(token.logprob for token in content)) if content else -math.inf
