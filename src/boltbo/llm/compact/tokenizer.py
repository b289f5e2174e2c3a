"""The compact model's tokenizer: a word is a token, a word that it does not know is spelled in bytes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

PAD, BEGIN, ANSWER, STOP, SPELL, LINE = range(6)
"""Special tokens: padding, start of text, end of the context, end of the solution, start of a spelled word, end of line."""

FIRST_BYTE = 6
FIRST_WORD = FIRST_BYTE + 256


class Tokenizer:
    """Text to ids and back.

    A text is words parted by blanks and line ends. A solution's symbols are its words, or its characters where the separator is
    empty; either way one known symbol is one token.

    Args:
        words: The vocabulary, most frequent first.
        separator: The text between the symbols of a solution.
    """

    def __init__(self, words: Sequence[str], separator: str = " ") -> None:
        self.words = tuple(words)
        self.separator = separator
        self._ids = {word: FIRST_WORD + i for i, word in enumerate(self.words)}

    @classmethod
    def learn(cls, contexts: Iterable[str], solutions: Iterable[str], separator: str, limit: int = 4000) -> Tokenizer:
        """A vocabulary of every symbol of the solutions and the most frequent words of the contexts."""
        symbols = Counter(s for text in solutions for s in split(text, separator))
        words = Counter(w for text in contexts for w in text.split())
        ordered = [*sorted(symbols), *(w for w, n in words.most_common() if n > 1 and w not in symbols)]
        return cls(ordered[: max(limit, len(symbols))], separator)

    @property
    def size(self) -> int:
        return FIRST_WORD + len(self.words)

    def context(self, text: str) -> list[int]:
        """The ids of a prompt, from BEGIN to ANSWER."""
        ids = [BEGIN]
        for i, line in enumerate(text.split("\n")):
            ids += [LINE] if i else []
            for word in line.split():
                ids += self.symbol(word)
        return [*ids, ANSWER]

    def solution(self, text: str) -> list[int]:
        """The ids of a solution, with STOP."""
        return [i for s in split(text, self.separator) for i in self.symbol(s)] + [STOP]

    def symbol(self, symbol: str) -> tuple[int, ...]:
        """The ids of one symbol or word."""
        word_id = self._ids.get(symbol)
        return (word_id,) if word_id is not None else (SPELL, *(FIRST_BYTE + b for b in symbol.encode()))

    def decode(self, ids: Sequence[int]) -> list[str]:
        """The symbols or words that `ids` write; special tokens other than SPELL are passed over."""
        symbols: list[bytes] = []
        for i in ids:
            if i >= FIRST_WORD:
                symbols.append(self.words[i - FIRST_WORD].encode())
            elif i == SPELL:
                symbols.append(b"")
            elif i >= FIRST_BYTE and symbols:
                symbols[-1] += bytes([i - FIRST_BYTE])
        return [symbol.decode(errors="replace") for symbol in symbols]

    def save(self, path: Path) -> None:
        path.write_text(json.dumps({"separator": self.separator, "words": self.words}))

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        stored = json.loads(path.read_text())
        words, separator = stored["words"], stored["separator"]
        if not isinstance(separator, str) or not isinstance(words, list) or not all(isinstance(w, str) for w in words):
            raise ValueError("the separator must be text and the words a list of texts")
        if len(set(words)) < len(words):
            raise ValueError("a word stands there twice")
        return cls(words, separator)


def split(text: str, separator: str) -> list[str]:
    """A solution's symbols."""
    return [s for s in text.split(separator) if s] if separator else list(text)
