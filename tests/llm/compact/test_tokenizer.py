from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from boltbo.llm.compact.tokenizer import ANSWER, BEGIN, LINE, STOP, Tokenizer

words = st.text(st.characters(exclude_categories=("Cs", "Z", "Cc")), min_size=1, max_size=8)


@given(st.lists(words, max_size=12), st.lists(words, max_size=6))
def test_known_and_unknown_words_come_back(text: list[str], known: list[str]) -> None:
    tokenizer = Tokenizer(list(dict.fromkeys(known)))
    ids = tokenizer.solution(" ".join(text))
    assert ids[-1] == STOP
    assert tokenizer.decode(ids[:-1]) == text
    assert max(ids) < tokenizer.size


@given(st.text("ACDEFGHIKLMNPQRSTVWY", max_size=30))
def test_letters_are_symbols_where_nothing_parts_them(sequence: str) -> None:
    tokenizer = Tokenizer(list("ACDEFGHIKL"), separator="")
    assert "".join(tokenizer.decode(tokenizer.solution(sequence)[:-1])) == sequence


def test_a_known_word_is_one_token_and_lines_are_kept(tmp_path: Path) -> None:
    tokenizer = Tokenizer.learn(["t title\nk keyword", "t title once"], ["t hash k"], " ")
    assert set(tokenizer.words) == {"t", "hash", "k", "title"}
    ids = tokenizer.context("t title\nk")
    assert (ids[0], ids[-1], ids.count(LINE), len(ids)) == (BEGIN, ANSWER, 1, 6)
    tokenizer.save(tmp_path / "t.json")
    again = Tokenizer.load(tmp_path / "t.json")
    assert (again.words, again.separator) == (tokenizer.words, " ")
