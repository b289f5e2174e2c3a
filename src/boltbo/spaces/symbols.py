"""Candidates cut into symbols, with or without a separator."""

from __future__ import annotations

from collections.abc import Sequence


def split_symbols(text: str, separator: str) -> list[str]:
    """Return the symbols of a candidate."""
    return text.split() if separator == " " else text.split(separator) if separator else list(text)


def inseparable(symbols: Sequence[str], separator: str) -> list[str]:
    """Return the symbols that could not be told from their neighbours in a candidate."""
    return [s for s in symbols if (separator in s if separator else len(s) != 1)]
