"""The contract of every `LanguageModel` as checks, which a user's own backend can be run through as well.

check_language_model(lambda: MyModel(...), tmp_path)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from boltbo.domain import END
from boltbo.errors import CorruptModel, InvalidCandidate
from boltbo.llm.backend import Example, LanguageModel, Prompt


class Brackets:
    """A grammar for the checks: balanced brackets of two kinds around words of which one begins another."""

    separator = " "
    words = ("mi", "mi1", "mi12", "t")
    pairs = {"(": ")", "[": "]"}  # noqa: RUF012
    depth = 3

    def start(self) -> tuple[int, str]:
        return 0, ""

    def allowed(self, state: tuple[int, str]) -> Sequence[str]:
        length, stack = state
        closing = [self.pairs[stack[-1]]] if stack else []
        if length >= 8:
            return closing or [END]
        opening = list(self.pairs) if len(stack) < self.depth else []
        return [*self.words, *opening, *closing, *([] if stack or not length else [END])]

    def advance(self, state: tuple[int, str], symbol: str) -> tuple[int, str]:
        length, stack = state
        if symbol in self.pairs:
            return length + 1, stack + symbol
        return length + 1, stack[:-1] if symbol in self.pairs.values() else stack

    def canonical(self, text: str) -> str:
        state = self.start()
        for symbol in text.split():
            if symbol not in self.allowed(state):
                raise InvalidCandidate(f"{symbol!r} may not stand there in {text!r}")
            state = self.advance(state, symbol)
        if END not in self.allowed(state):
            raise InvalidCandidate(f"{text!r} is not finished")
        return " ".join(text.split())


EXAMPLES = [
    Example("first", "mi ( t ) mi1"),
    Example("first", "mi ( t )"),
    Example("second", "mi12 [ t mi ]"),
    Example("second", "mi12 [ t ]"),
]
PROMPTS = [Prompt("first", Brackets()), Prompt("never seen: ünïcode", Brackets())]


def check_language_model(make: Callable[[], LanguageModel], folder: Path, *, epochs: float = 4) -> None:
    """Raise AssertionError if the model breaks the contract; the message says in what.

    Args:
        make: Returns a fresh model, the same every time.
        folder: An empty folder to save models in.
        epochs: A number of epochs that lowers the loss of `fit` on four examples.
    """
    model = make()
    _samples_are_valid(model, 12)
    report = model.fit(EXAMPLES, epochs=epochs, seed=1)
    assert report.steps > 0 and report.tokens > 0, f"fit reports no work: {report}"
    assert report.losses[-1][1] < report.losses[0][1], f"fit did not lower the loss: {report.losses}"
    _samples_are_valid(model, 12)
    _is_deterministic(model)
    _survives_saving(model, folder)
    _refuses_damage(model, folder)


def _samples_are_valid(model: LanguageModel, n: int) -> None:
    lists = model.sample(PROMPTS, n, temperature=1.0, seed=3)
    assert len(lists) == len(PROMPTS), f"{len(lists)} lists for {len(PROMPTS)} prompts"
    for prompt, samples in zip(PROMPTS, lists, strict=True):
        assert 0 < len(samples) <= n, f"{len(samples)} samples where 1 to {n} were to come"
        texts = [s.text for s in samples]
        assert len(set(texts)) == len(texts), f"repeats although unique: {texts}"
        for s in samples:
            assert prompt.grammar.canonical(s.text) == s.text, f"not canonical: {s.text!r}"
            assert s.logprob <= 1e-6, f"log-probability {s.logprob} of {s.text!r}"
            assert 0 <= s.valid_mass <= 1 + 1e-6, f"valid mass {s.valid_mass} of {s.text!r}"


def _is_deterministic(model: LanguageModel) -> None:
    first, repeated, another_seed = (model.sample(PROMPTS, 6, temperature=1.0, seed=seed) for seed in (5, 5, 6))
    assert first == repeated, "the same seed gives other samples"
    assert first != another_seed, "another seed gives the same samples"
    alone = model.sample(PROMPTS[1:], 6, temperature=1.0, seed=5)
    assert [s.text for s in alone[0]] == [s.text for s in first[1]], "samples depend on the other prompts of a call"


def _survives_saving(model: LanguageModel, folder: Path) -> None:
    model.save(folder / "model")
    loaded = type(model).load(folder / "model")
    texts = [[[s.text for s in samples] for samples in m.sample(PROMPTS, 6, seed=5)] for m in (model, loaded)]
    assert texts[0] == texts[1], "a loaded model samples otherwise"
    loaded.fit(EXAMPLES, epochs=1, seed=2)  # and can learn on


def _refuses_damage(model: LanguageModel, folder: Path) -> None:
    model.save(folder / "damaged")
    weights = sorted((folder / "damaged").glob("*.safetensors"))
    for file in weights or sorted((folder / "damaged").iterdir()):  # a model that lives elsewhere has no weights here
        file.write_bytes(file.read_bytes()[:100])
    for broken in (folder / "damaged", folder / "none"):
        try:
            type(model).load(broken)
        except CorruptModel as error:
            assert str(broken) in str(error), f"the error does not name {broken}: {error}"
        else:
            raise AssertionError(f"a damaged or missing directory was loaded: {broken}")
