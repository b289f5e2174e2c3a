"""Queries for the generated data: templates with constants drawn anew for each.

A template is SQL with blanks: `{genre 1 5}` becomes an IN list of one to five genres, `{years}` a range of years. How
frequent the drawn constants are varies from query to query, and with them which plan is the best.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from itertools import count
from pathlib import Path

import numpy as np

from boltbo.domains.plans.imdb.facts import MONTHS
from boltbo.domains.plans.imdb.soundex import phonetic_code
from boltbo.domains.plans.imdb.vocabulary import countries, vocabulary
from boltbo.system.files import write_whole

Named = tuple[str, str]
"""(id, SQL)"""

TITLE_FACTS = ("genres", "color info", "sound mix", "languages", "countries", "certificates", "tech info")
PERSON_FACTS = (
    "birth date",
    "birth notes",
    "height",
    "death date",
    "trade mark",
    "spouse",
    "other works",
    "birth name",
)

_BLANK = re.compile(r"\{(\w+)((?: \w+)*)\}")


def generate_workload(n: int, seed: int, templates: Sequence[str] | None = None) -> list[Named]:
    """n different queries, the templates in turn.

    A larger n only adds queries to those of a smaller one.

    Args:
        n: How many.
        seed: Of the constants.
        templates: Names of the templates to use, such as `w03`; all by default.

    Raises:
        ValueError: There is no such template.
    """
    known = templates_by_name()
    names = list(templates) if templates is not None else list(known)
    missing = [name for name in names if name not in known]
    if missing or not names:
        raise ValueError(f"no template {', '.join(missing) or 'named'}: there are {', '.join(known)}")
    seen: set[str] = set()
    queries = []
    for i in range(n):
        name = names[i % len(names)]
        number = i // len(names) + 1
        for attempt in count():
            rng = np.random.default_rng([seed, int(name[1:]), number, attempt])
            sql = fill(known[name], rng)
            if sql not in seen:
                break
        seen.add(sql)
        queries.append((f"{name}-{number:04d}", sql))
    return queries


def write_workload(directory: Path, n: int, seed: int) -> list[Path]:
    """Write n queries as `TEMPLATE/ID.sql` files; returns them."""
    paths = []
    for name, sql in generate_workload(n, seed):
        path = directory / name.split("-")[0] / f"{name}.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, sql)
        paths.append(path)
    return paths


@cache
def templates_by_name() -> Mapping[str, str]:
    """name -> SQL with blanks."""
    folder = files(__package__).joinpath("templates")
    found = sorted((f for f in folder.iterdir() if f.name.endswith(".sql")), key=lambda f: f.name)
    return {f.name.removesuffix(".sql"): f.read_text(encoding="utf-8") for f in found}


def fill(template: str, rng: np.random.Generator) -> str:
    """A template with its blanks filled."""

    def draw(blank: re.Match[str]) -> str:
        name, arguments = blank[1], blank[2].split()
        if name in _TESTS:
            return _TESTS[name](rng, *arguments)
        low, high = map(int, arguments)
        return _in_list(rng, _lists()[name], int(rng.integers(low, high + 1)))

    return _BLANK.sub(draw, template)


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def _in_list(rng: np.random.Generator, words: Sequence[str], size: int) -> str:
    """Distinct words, frequent ones or rare ones: the lists start with the frequent."""
    steepness = rng.choice([0.0, 0.7, 1.5])
    weights = np.arange(1, len(words) + 1) ** -steepness
    chosen = rng.choice(len(words), min(size, len(words)), replace=False, p=weights / weights.sum())
    return "(" + ", ".join(quoted(words[i]) for i in sorted(chosen)) + ")"


@cache
def _lists() -> Mapping[str, Sequence[str]]:
    """What IN lists are drawn from, the frequent first."""
    known = vocabulary()
    by_share = sorted(countries(), key=lambda c: -c.share)
    first = [w for words in zip(*(ws[:5] for ws in known["keywords"].values()), strict=True) for w in words]
    return {
        "genre": known["genres"],
        "country": [c.name for c in by_share[:40]],
        "country_code": [f"[{c.code}]" for c in by_share[:40]],
        "language": _distinct([c.languages[0] for c in by_share[:45]]),
        "certificate": [f"{c.name}:{t}" for c in by_share[:30] for t in c.certificates[:4]],
        "place": [f"{p}, {c.name}" for c in by_share[:25] for p in c.places[:4]],
        "color": ["Color", "Black and White"],
        "sound": _distinct([row[0] for row in known["era"]["6"]]),
        "tech": _distinct([row[0] for row in known["era"]["7"]]),
        "kind": ["movie", "episode", "tv series", "video movie", "tv movie", "video game", "tv mini series"],
        "role": known["dictionaries"]["role_type"][:11],
        "company_type": known["dictionaries"]["company_type"][:2],
        "link": known["dictionaries"]["link_type"],
        "company": [row[1] for row in sorted(known["companies"]["big"], key=lambda row: -row[3])],
        "keyword": first,
        "title_fact": TITLE_FACTS,
        "person_fact": PERSON_FACTS,
    }


def _distinct(words: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _pick(rng: np.random.Generator, words: Sequence[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _years(rng: np.random.Generator) -> str:
    width = int(rng.choice([3, 8, 15, 30, 60, 100]))
    until = int(rng.integers(max(1930, 1900 + width), 2016))
    return f"BETWEEN {until - width} AND {until}"


def _ratings(rng: np.random.Generator) -> str:
    low = float(rng.choice([1.0, 4.0, 5.5, 6.5, 7.5]))
    return f"BETWEEN {low} AND {low + float(rng.choice([1.0, 2.0, 4.0]))}"


def _gender(rng: np.random.Generator, alias: str) -> str:
    forms = (
        "{a}.gender = 'm'",
        "{a}.gender = 'f'",
        "{a}.gender IN ('f', 'm')",
        "{a}.gender IS NULL",
        "({a}.gender = 'f' OR {a}.gender IS NULL)",
    )
    return _pick(rng, forms).format(a=alias)


def _note(rng: np.random.Generator, alias: str) -> str:
    notes = (
        "'(uncredited)'",
        "'(voice)', '(uncredited)'",
        "'(producer)', '(executive producer)'",
        "'(writer)', '(screenplay)', '(story)'",
    )
    if rng.random() < 0.5:
        return f"{alias}.note IN ({_pick(rng, notes)})"
    return f"{alias}.note IS {_pick(rng, ('NULL', 'NOT NULL'))}"


def _code(rng: np.random.Generator, length: int, cultures: Sequence[str], *, surname: bool) -> str:
    """The beginning of a phonetic code of some name."""
    people = vocabulary()["people"][_pick(rng, cultures)]
    first, last = _pick(rng, people["m"] + people["f"]), _pick(rng, people["last"])
    code = phonetic_code(last if surname else f"{first} {last}") or ""
    return quoted(f"{code[:length]}%")


_CULTURES = ("english", "english", "english", "french", "german", "italian", "spanish", "indian")

_TESTS: Mapping[str, Callable[..., str]] = {
    "years": _years,
    "ratings": _ratings,
    "gender": _gender,
    "note": _note,
    "votes": lambda rng: str(int(rng.choice([5, 20, 60, 150, 500, 2000]))),
    "code_like": lambda rng: _code(rng, int(rng.integers(1, 4)), _CULTURES, surname=False),
    "surname_like": lambda rng: _code(rng, int(rng.integers(1, 4)), _CULTURES, surname=True),
    "company_like": lambda rng: quoted(
        f"%{_pick(rng, ('film', 'broad', 'home', 'pict', 'tele', 'prod', 'co', 'entert'))}%"
    ),
    "country_like": lambda rng: quoted(
        f"{_pick(rng, [c.name for c in countries()[:20]])}:%{_pick(rng, ('', '19', '20', '5'))}%"
    ),
    "date_like": lambda rng: quoted(
        f"%{_pick(rng, [*MONTHS, '189', '190', '191', '192', '193', '194', '195', '19'])}%"
    ),
    "character_like": lambda rng: quoted(f"%{_pick(rng, [w[:4] for w in vocabulary()['words']['nouns']])}%"),
    "subject": lambda rng: quoted(_pick(rng, ("cast", "crew"))),
    "status_like": lambda rng: quoted(_pick(rng, ("complete", "%verified", "complete%"))),
}
"""Blanks that are no IN lists: name -> what to write."""
