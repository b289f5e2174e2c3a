"""The sequence VAE on a language small enough to be learnt in seconds, and the box made of it."""

import json

import numpy as np
import pytest

from boltbo.errors import CorruptModel
from boltbo.latent.space import LatentSpace
from boltbo.latent.vae import SequenceVAE

LETTERS = "abcd"


def words(n, seed):
    """Words of three letters, each written twice in a row: one in 64 random strings of the same length is one."""
    rng = np.random.default_rng(seed)
    return [[x for x in rng.choice(list(LETTERS), 3).tolist() for _ in range(2)] for _ in range(n)]


def fresh(**options):
    return SequenceVAE.create(list(LETTERS), 6, latent=8, width=32, layers=1, heads=2, slots=2, **options)


def trained(seed=0):
    vae = fresh(seed=seed)
    vae.fit(words(400, 0), seed=seed, epochs=25, tokens=256, rate=1e-2)
    return vae


@pytest.fixture(scope="module")
def vae():
    return trained()


def test_what_was_held_out_comes_back(vae):
    found = vae.reconstruction(words(200, 1))
    assert found.exact > 0.9
    assert found.per_symbol > 0.95
    assert fresh().reconstruction(words(200, 1)).exact < 0.1


def test_random_points_are_words(vae):
    decoded = vae.decode(vae.random_points(200, 0))
    good = [len(s) == 6 and s[::2] == s[1::2] for s in decoded]
    assert np.mean(good) > 0.5  # one in 64 of random strings
    assert len({tuple(s) for s in decoded}) > 20


def test_points_nearby_are_words_nearby(vae):
    codes, rng = vae.encode(words(200, 2)), np.random.default_rng(0)
    here = vae.decode(codes)
    near = vae.decode(codes + 0.05 * vae.spread * rng.standard_normal(codes.shape))
    assert np.mean([a == b for a, b in zip(here, near, strict=True)]) > 0.7


def test_batches_do_not_matter(vae):
    some = [*words(5, 3), [], ["a"]]
    together = vae.encode(some)
    assert np.allclose(together, np.vstack([vae.encode([s]) for s in some]), atol=1e-4)
    assert vae.decode(together) == [s for code in together for s in vae.decode(code)]


def test_lengths_are_bounded(vae):
    assert vae.encode([["a"] * 50]).shape == (1, 8)
    assert max(map(len, vae.decode(vae.random_points(300, 1)))) <= 6
    assert max(map(len, vae.decode(1e3 * vae.random_points(20, 1)))) <= 6
    assert np.array_equal(vae.encode([["a", "?", "a"]]), vae.encode([["a", "a"]]))


def test_a_seed_makes_everything():
    def quick(seed):
        vae = fresh(seed=seed)
        vae.fit(words(40, 0), seed=seed, epochs=2)
        return vae.encode(words(4, 1))

    assert np.array_equal(quick(1), quick(1))
    assert not np.array_equal(quick(1), quick(2))


def test_it_goes_to_disk_and_back(vae, tmp_path):
    vae.save(tmp_path)
    again = SequenceVAE.load(tmp_path)
    codes = vae.encode(words(20, 4))
    assert np.array_equal(again.encode(words(20, 4)), codes)
    assert again.decode(codes) == vae.decode(codes)
    assert np.array_equal(again.random_points(5, 0), vae.random_points(5, 0))


@pytest.mark.parametrize("what", ["missing", "format", "size", "symbols", "weights", "weights missing"])
def test_damage_is_told(vae, tmp_path, what):
    vae.save(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    if what == "missing":
        (tmp_path / "config.json").unlink()
    elif what == "weights":
        (tmp_path / "model.safetensors").write_bytes(b"no weights")
    elif what == "weights missing":
        (tmp_path / "model.safetensors").unlink()
    else:
        config |= {"format": 99} if what == "format" else {"symbols": ["a", "a"]} if what == "symbols" else {}
        config["size"]["width"] = 64 if what == "size" else 32
        (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CorruptModel, match="Delete the folder"):
        SequenceVAE.load(tmp_path)


def test_impossible_sizes_are_told():
    with pytest.raises(ValueError, match="twice"):
        SequenceVAE.create(["a", "a"], 6)
    with pytest.raises(ValueError, match="positive"):
        SequenceVAE.create(["a"], 6, latent=0)
    with pytest.raises(ValueError, match="heads"):
        SequenceVAE.create(["a"], 6, width=30, heads=4)
    with pytest.raises(ValueError, match="no sequence"):
        fresh().fit([], seed=0)


class Letters:
    """Every string is a candidate: itself, or `a` where there is nothing."""

    def symbols(self, candidate):
        return list(candidate)

    def candidate(self, symbols):
        return "".join(symbols) or "a"


def test_the_box_holds_what_was_learnt(vae):
    space = LatentSpace(vae, Letters())
    known = ["".join(w) for w in words(100, 5)]
    points = np.vstack([space.encode(w) for w in known])
    assert space.dim == 8
    assert points.shape == (100, 8)
    assert ((points > 0) & (points < 1)).all()
    assert np.mean([a == b for a, b in zip(space.decode(points), known, strict=True)]) > 0.9
    assert 0.1 < points.std() < 0.5  # they fill the box
    corners = np.random.default_rng(0).integers(0, 2, (20, 8)).astype(float)
    assert all(space.decode(corners))


def test_optimizers_search_in_it(vae):
    """A local search in the box for many a d: nothing is asked twice, and it finds most of them."""
    from boltbo.optimizers import make_optimizer
    from boltbo.problem import Observation, Status

    optimizer = make_optimizer("local", LatentSpace(vae, Letters()), seed=0)
    values: list[float] = []
    for _ in range(30):
        told = [Observation(c, 6.0 - c.count("d"), Status.COMPLETE, 0.0, "bo") for c in optimizer.ask(2)]
        values += [o.value for o in told]
        optimizer.tell(told)
    assert len(optimizer.history.seen) == 60
    assert min(values) <= 2.0


class Pairs:
    """A grammar: one or two letters, each twice in a row."""

    separator = ""

    def start(self):
        return ""

    def allowed(self, state):
        return (
            list(LETTERS)
            if len(state) == 0
            else [state[-1]]
            if len(state) % 2
            else [*LETTERS, ""][(len(state) > 3) * 4 :]
        )

    def advance(self, state, symbol):
        return state + symbol


def test_a_grammar_masks_what_is_decoded(vae):
    points = 3 * vae.random_points(100, 3)
    mask = vae.mask(Pairs())
    decoded = vae.decode(points, mask)
    assert {len(s) for s in decoded} <= {2, 4}
    assert all(s[::2] == s[1::2] for s in decoded)
    assert len({tuple(s) for s in decoded}) > 5
    assert decoded == [s for p in points for s in vae.decode(p, mask)]  # rows do not disturb each other
    free = vae.decode(points)
    assert any(len(s) > 4 for s in free)

    class Greek(Pairs):
        def allowed(self, state):
            return ["alpha"]

    with pytest.raises(ValueError, match="alpha"):
        vae.decode(points, vae.mask(Greek()))


def test_a_masked_space_decodes_to_relatives_of_a_template(vae):
    from boltbo.spaces import Strings

    class Relatives:
        def __init__(self):
            self.strings = Strings(LETTERS, (3, 6), template="aabbcc", edits=2)

        def symbols(self, candidate):
            return self.strings.symbols(candidate)

        def candidate(self, symbols):
            return self.strings.canonical("".join(symbols))  # raises if it is none

    codec = Relatives()
    space = LatentSpace(vae, codec, codec.strings)
    found = space.decode(np.random.default_rng(0).random((200, 8)))
    assert len(set(found)) > 5  # of doubled letters, which are all that this VAE knows
    assert max(map(codec.strings.distance, found)) == 2
    assert space.decode(space.encode("aabbcc")) == ["aabbcc"]
