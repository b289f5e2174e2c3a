"""The phonetic code of IMDB's `*_pcode*` columns: a Soundex of up to five characters without padding."""

from __future__ import annotations

import unicodedata

_DIGIT = {
    c: d for d, cs in {"1": "BFPV", "2": "CGJKQSXZ", "3": "DT", "4": "L", "5": "MN", "6": "R"}.items() for c in cs
}


def phonetic_code(text: str) -> str | None:
    """The code of a name or a title; None where no letter is in it.

    >>> phonetic_code("Robert Smith")
    'R1632'
    """
    plain = unicodedata.normalize("NFKD", text).upper()
    letters = [c for c in plain if "A" <= c <= "Z"]
    if not letters:
        return None
    code = letters[0]
    for letter in letters[1:]:
        digit = _DIGIT.get(letter)
        if digit is not None and code[-1] != digit:
            code += digit
            if len(code) == 5:
                break
    return code
