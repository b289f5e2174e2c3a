"""Persons and what they did: `name`, `aka_name`, `person_info`, `char_name`, `cast_info`.

Persons work where and when they live, mostly at their profession, and the popular ones have more of everything.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from boltbo.domains.plans.imdb.facts import MONTHS
from boltbo.domains.plans.imdb.harvest import Literals
from boltbo.domains.plans.imdb.random_draws import chance, choose, choose_members, fan_out, heavy_tail, zipf
from boltbo.domains.plans.imdb.soundex import phonetic_code
from boltbo.domains.plans.imdb.table import Column, Floats, Ints, Table, null, numbered, texts
from boltbo.domains.plans.imdb.titles import Titles, codes_of, invent
from boltbo.domains.plans.imdb.vocabulary import ERA_STARTS, SHARE, Word, blend, countries, vocabulary

PER_TITLE = 1.2
"""Persons for each title."""

ROLE_SHARE = (0.30, 0.17, 0.12, 0.10, 0.04, 0.04, 0.02, 0.07, 0.05, 0.07, 0.02, 0.005)
"""Shares of the professions, in the order of the dictionary of roles."""

ACTOR, ACTRESS, GUEST = 0, 1, 11

KIND_CAST = (1.25, 1.3, 1.1, 0.9, 1.1, 0.7, 0.75)
"""How large casts are, by the kind of title."""

INFO: dict[int, tuple[float, float]] = {
    19: (0.10, 1.0), 20: (0.30, 0.5), 21: (0.35, 0.5), 22: (0.15, 0.8), 23: (0.15, 0.5), 24: (0.10, 1.0),
    25: (0.10, 1.1), 26: (0.12, 0.7), 27: (0.02, 1.2), 28: (0.06, 0.9), 29: (0.03, 1.2), 31: (0.01, 1.2),
    32: (0.01, 1.2), 33: (0.02, 1.2), 34: (0.03, 1.2), 35: (0.04, 1.2), 36: (0.04, 1.2), 37: (0.03, 1.3),
    38: (0.03, 1.2), 39: (0.10, 0.6),
}  # fmt: skip
"""Info types about persons: expected rows at popularity 1, growth with popularity."""


@dataclass(frozen=True)
class People:
    """The hidden factors, one entry a person.

    Attributes:
        scene: Country and era, as in `Titles.scene`.
        profession: Position in the dictionary of roles.
        male: Half of the persons' gender is known to the table only if their job shows it.
        popularity: Heavy-tailed, mean 1.
        name: `Last, First`.
    """

    scene: Ints
    profession: Ints
    male: Ints
    popularity: Floats
    name: Column

    def __len__(self) -> int:
        return len(self.scene)

    @property
    def country(self) -> Ints:
        return self.scene // len(ERA_STARTS)

    @property
    def era(self) -> Ints:
        return self.scene % len(ERA_STARTS)


def make_people(rng: np.random.Generator, titles: Titles) -> People:
    """Draw the hidden factors of the persons that the titles need."""
    n = int(len(titles) * PER_TITLE)
    scene = titles.scene[rng.integers(len(titles), size=n)]
    profession = choose(rng, np.array(ROLE_SHARE), n)
    male = (rng.random(n) < 0.68).astype(np.int64)
    male[profession == ACTOR] = 1
    male[profession == ACTRESS] = 0
    male[profession == 6] = rng.random(int((profession == 6).sum())) < 0.25
    return People(scene, profession, male, heavy_tail(rng, n, 1.1, 100.0), _full_names(rng, scene, male))


def _full_names(rng: np.random.Generator, scene: Ints, male: Ints) -> Column:
    """`Last, First` in the manner of the country, frequent names first in their lists."""
    people = vocabulary()["people"]
    country = scene // len(ERA_STARTS)
    names = np.empty(len(scene), dtype=object)
    suffixes = ("", "", "", "", " Jr.", "son", "ova", "sky", "man", "ton", "ini", "berg", "er", "ez", "ell")
    for at in np.unique(country):
        culture = people[countries()[at].culture]
        for gender, key in enumerate(("f", "m")):
            rows = np.flatnonzero((country == at) & (male == gender))
            first = choose(rng, zipf(len(culture[key]), 0.6), len(rows))
            last = choose(rng, zipf(len(culture["last"]), 0.5), len(rows))
            end = np.where(rng.random(len(rows)) < 0.5, 0, rng.integers(0, len(suffixes), len(rows)))
            names[rows] = [
                f"{culture['last'][b]}{suffixes[c]}, {culture[key][a]}"
                for a, b, c in zip(first, last, end, strict=True)
            ]
    return texts(list(names))


def name_table(rng: np.random.Generator, people: People, literals: Literals) -> Table:
    """The table `name`. Phonetic codes that a workload asks for are frequent."""
    n = len(people)
    # unknown gender is a matter of the crew, and of the less known
    hidden = np.where(people.profession <= ACTRESS, 0.05, 0.55) / np.maximum(people.popularity, 0.5) ** 0.3
    gender = np.where(rng.random(n) < hidden, -1, people.male)
    return numbered(
        {
            "name": people.name,
            "imdb_index": Column(np.where(rng.random(n) < 0.1, rng.integers(0, 3, n), -1), ("I", "II", "III")),
            "imdb_id": null(n),
            "gender": Column(gender, ("f", "m")),
            "name_pcode_cf": _asked(rng, people, codes_of(people.name), literals.get("name.name_pcode_cf")),
            "name_pcode_nf": _asked(
                rng, people, codes_of(_spoken(people.name)), literals.get("name.name_pcode_nf"), missing=0.08
            ),
            "surname_pcode": _asked(
                rng, people, _surname_codes(people.name), literals.get("name.surname_pcode"), missing=0.03
            ),
            "md5sum": null(n),
        }
    )


def _spoken(names: Column) -> Column:
    """`First Last` of `Last, First`."""
    return Column(names.codes, [" ".join(reversed(word.split(", "))) for word in names.words or ()])


def _surname_codes(names: Column) -> Column:
    """Surnames' codes are shorter: four characters at most."""
    return codes_of(Column(names.codes, [word.split(", ")[0][:6] for word in names.words or ()]))


def _asked(
    rng: np.random.Generator, people: People, codes: Column, literals: Mapping[str, float] | None, missing: float = 0.0
) -> Column:
    """Codes of which a share is of the workload's, most of all the popular persons', and some are NULL."""
    n = len(codes)
    words = list(codes.words or ())
    result = codes.codes.copy()
    if literals:
        chosen = chance(rng, SHARE * people.popularity**0.6)
        picks = choose(rng, np.array([sqrt(count) for count in literals.values()]), len(chosen))
        places = {word: i for i, word in enumerate(words)}
        place = np.array([places.setdefault(word, len(places)) for word in literals])
        result[chosen] = place[picks]
        words = list(places)
    result[rng.random(n) < missing] = -1
    return Column(result, words)


def aka_name_table(rng: np.random.Generator, people: People) -> Table:
    """The table `aka_name`."""
    person = fan_out(rng, 0.45 * people.popularity**0.8)
    n = len(person)
    other = people.name.codes[rng.permutation(len(people))[rng.integers(0, len(people), n)]]
    names = Column(other, people.name.words)
    return numbered(
        {
            "person_id": Column(person + 1),
            "name": names,
            "imdb_index": null(n),
            "name_pcode_cf": codes_of(names),
            "name_pcode_nf": codes_of(_spoken(names)),
            "surname_pcode": _surname_codes(names),
            "md5sum": null(n),
        }
    )


def person_info_table(rng: np.random.Generator, people: People) -> Table:
    """The table `person_info`, ordered by person."""
    born = np.array(ERA_STARTS)[people.era] - 40 + rng.integers(0, 25, len(people))
    parts: list[tuple[Ints, Ints, list[str]]] = []
    for kind, (rate, growth) in INFO.items():
        expected = rate * people.popularity**growth * np.where(people.profession <= ACTRESS, 1.4, 0.7)
        if kind in (23, 39):
            expected = np.where(born < 1930, expected * 2.5, expected * 0.1)
        person = fan_out(rng, expected)
        if kind in (20, 21, 22, 23, 26, 39):
            person = np.unique(person)  # said once of a person
        parts.append((person, np.full(len(person), kind), _sayings(rng, kind, people, person, born)))
    person, kinds = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    order = np.lexsort((kinds, person))
    info = texts([text for part in parts for text in part[2]])
    n = len(order)
    return numbered(
        {
            "person_id": Column(person[order] + 1),
            "info_type_id": Column(kinds[order]),
            "info": Column(info.codes[order], info.words),
            "note": Column(
                np.where(rng.random(n) < 0.2, rng.integers(0, 3, n), -1), ("Volker Boehm", "A. Nonymous", "Anonymous")
            ),
        }
    )


def _sayings(rng: np.random.Generator, kind: int, people: People, person: Ints, born: Ints) -> list[str]:
    """What an info type says of each person."""
    n = len(person)
    days, months = rng.integers(1, 29, n).tolist(), [MONTHS[i] for i in rng.integers(0, 12, n)]
    if kind in (20, 39):
        homes = [countries()[i] for i in people.country[person]]
        pick = rng.random(n)
        return [f"{c.places[int(u * len(c.places))]}, {c.name}" for c, u in zip(homes, pick, strict=True)]
    if kind in (21, 23):
        years = born[person] + (0 if kind == 21 else rng.integers(35, 90, n))
        return [f"{d} {m} {y}" for d, m, y in zip(days, months, years, strict=True)]
    if kind == 22:
        inches = np.round(rng.normal(64 + 6 * people.male[person], 2.5)).astype(int)
        return [f"{i // 12}' {i % 12}\"" for i in inches.tolist()]
    if kind in (26, 28):
        names = people.name.words or ()
        given = [names[i] for i in people.name.codes[person]]
        return [g if kind == 26 else g.rpartition(", ")[2][:5] + "y" for g in given]
    if kind in (36, 37, 38):
        places = [countries()[i].name for i in people.country[person]]
        years = np.minimum(born[person] + rng.integers(20, 60, n), 2015)
        forms = ("Playboy", "Film News", "TV Guide", "The Matinee", "Photoplay")
        return [
            f'"{forms[i % 5]}" ({p}), {d} {m} {y}, Vol. {d}, pg. {i % 90}'
            for i, (p, d, m, y) in enumerate(zip(places, days, months, years, strict=True))
        ]
    return invent(rng, ["The {A} {N} of the {P}", "{N} and {N2} in the {P}", "A {A} {N}, then a {N2}"], n)


def cast_tables(rng: np.random.Generator, titles: Titles, people: People, literals: Literals) -> tuple[Table, Table]:
    """The tables `char_name` and `cast_info`."""
    movie = fan_out(rng, 12.0 * titles.popularity**0.9 * np.array(KIND_CAST)[titles.kind])
    person = choose_members(rng, people.popularity, people.scene, titles.scene[movie], 0.85)
    n = len(movie)
    role = np.where(rng.random(n) < 0.75, people.profession[person], choose(rng, np.array(ROLE_SHARE), n))
    role[(role == ACTOR) & (people.male[person] == 0)] = ACTRESS
    role[(role == ACTRESS) & (people.male[person] == 1)] = ACTOR
    acting = (role == ACTOR) | (role == ACTRESS) | (role == GUEST)
    names = list(vocabulary()["words"]["characters"])
    names += invent(
        rng, ["{A} {N}", "{N}", "{L}", "{L} the {N}"], len(titles), L=vocabulary()["people"]["english"]["last"]
    )
    played = choose(rng, zipf(len(names), 0.7), n)
    char_name = numbered(
        {
            "name": Column(np.arange(len(names)), names),
            "imdb_index": null(len(names)),
            "imdb_id": null(len(names)),
            "name_pcode_nf": texts([phonetic_code(w) for w in names]),
            "surname_pcode": texts([phonetic_code(w.rpartition(" ")[2]) for w in names]),
            "md5sum": null(len(names)),
        }
    )
    return char_name, numbered(
        {
            "person_id": Column(person + 1),
            "movie_id": Column(movie + 1),
            "person_role_id": Column(np.where(acting & (rng.random(n) < 0.6), played + 1, -1)),
            "note": _notes(rng, role, literals.get("cast_info.note")),
            "nr_order": Column(np.where(acting & (rng.random(n) < 0.6), rng.integers(1, 40, n), -1)),
            "role_id": Column(role + 1),
        }
    )


def _notes(rng: np.random.Generator, role: Ints, literals: Mapping[str, float] | None) -> Column:
    """Notes that go with the role: producers have one, costume designers seldom."""
    places: dict[str, int] = {}
    codes = np.full(len(role), -1)
    for position, (_, notes) in enumerate(vocabulary()["notes"].items()):
        rows = np.flatnonzero(role == position)
        words: Sequence[Word] = [Word(text, weight) for text, weight in notes]
        ours = {text for each in vocabulary()["notes"].values() for text, _ in each}
        if position == 9 and literals:  # the crew's notes are of any kind
            words = blend(words, {text: count for text, count in literals.items() if text not in ours})
        picks = choose(rng, np.array([w.weight for w in words]), len(rows))
        place = np.array([places.setdefault(w.text, len(places)) if w.text else -1 for w in words])
        codes[rows] = place[picks]
    return Column(codes, tuple(places))
