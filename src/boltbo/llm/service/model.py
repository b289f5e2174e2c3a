"""The backend `openai`: any service that speaks OpenAI's protocol."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from boltbo.errors import CorruptModel, ModelUnavailable
from boltbo.llm.backend import Example, FitReport, Progress, Prompt, Sample
from boltbo.llm.pretrained.templates import VERSION, messages
from boltbo.llm.service.answers import candidate, logprob_of, text_of
from boltbo.llm.service.client import Client, Connection, Refused
from boltbo.llm.service.jobs import tune
from boltbo.llm.service.journal import Journal, Usage

FORMAT = 1
ROUNDS = 6
"""The most rounds of requests for missing samples."""

WARMER = 1.15
"""The factor by which repeats raise the temperature, as in the local backends."""

MOST_TEMPERATURE = 2.0
MOST_CHOICES = 128
"""The most choices of one request, which is OpenAI's limit."""

OPTIONAL = ((), ("logprobs",), ("logprobs", "n"))
"""The parameters that are left out of requests, one set after the other, where a service refuses them as they are."""


class ServiceModel:
    """A `LanguageModel` at a service.

    Its texts are untrusted: they are parsed and checked against the task, and those that are no candidates are counted and
    drawn again up to a bound. `Sample.valid_mass` is the share of its prompt's raw samples that were valid;
    `Sample.logprob` is minus infinity where the service tells no probabilities.

    A vLLM server with a LoRA adapter that was trained here is one too: see `docs/services.md`.

    Args:
        base: The name of the model that fine-tuning begins from.
        instruction: The system prompt of the domain.
        connection: The address and limits of the service.
        model: The name of the model as it is now; by default the base.
        journal: A file that records the jobs; without one, a restart pays again. `load` puts it beside the model's directory.
        max_tokens: The most tokens of one sample.
        extra: Parameters added to the body of every chat request, such as `{"structured_outputs": {…}}` for vLLM.
    """

    def __init__(
        self,
        base: str,
        instruction: str = "",
        connection: Connection = Connection(),  # noqa: B008  (frozen)
        *,
        model: str | None = None,
        journal: Path | None = None,
        max_tokens: int = 400,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        self.base = base
        self.model = model or base
        self.instruction = instruction
        self.max_tokens = max_tokens
        self.extra = dict(extra or {})
        self._journal = Journal(journal)
        self._client = Client(connection, self._journal)
        self._left_out = 0

    @property
    def usage(self) -> Usage:
        """Requests, tokens and samples since the journal began."""
        return self._journal.usage

    def fit(
        self,
        examples: Sequence[Example],
        *,
        epochs: float,
        seed: int,
        progress: Progress | None = None,
    ) -> FitReport:
        """Fine-tune the model as it is now by a supervised job of whole epochs, at least one.

        A second call with the same arguments goes on with the job that was begun.

        Raises:
            ValueError: There is no example.
            ModelUnavailable: The service does not answer, refuses, or the job failed.
        """
        if not examples:
            raise ValueError("there is no example to learn from")
        began = time.perf_counter()
        lines = "".join(json.dumps({"messages": self._messages(e.context, e.solution)}) + "\n" for e in examples)
        tuned = tune(
            self._client, self._journal, self.model, lines.encode(), max(1, round(epochs)), seed % 2**31, progress
        )
        self.model = tuned.model
        steps = max([1, *(step for step, _ in tuned.losses)])
        tokens = tuned.tokens or len(lines) // 4  # where the service does not count: about four characters each
        return FitReport(steps, tokens, time.perf_counter() - began, tuned.losses)

    def sample(
        self,
        prompts: Sequence[Prompt],
        n: int,
        *,
        temperature: float = 0.7,
        unique: bool = True,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> list[list[Sample]]:
        """See `LanguageModel.sample`; shorter lists where the model does not write enough valid texts.

        Raises:
            ModelUnavailable: The service does not answer, or refuses.
            ValueError: `n` or the temperature is out of range.
        """
        if n < 0 or not (0 < temperature < math.inf):
            raise ValueError(f"expected n >= 0 and a positive temperature, got {n=}, {temperature=}")
        with ThreadPoolExecutor(self._client.connection.at_once) as pool:
            futures = {pool.submit(self._one, p, n, temperature, unique, seed): i for i, p in enumerate(prompts)}
            samples: list[list[Sample]] = [[] for _ in prompts]
            try:
                for done, future in enumerate(as_completed(futures), 1):
                    samples[futures[future]] = future.result()
                    if progress is not None:
                        progress(done, len(prompts))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return samples

    def _one(self, prompt: Prompt, n: int, temperature: float, unique: bool, seed: int) -> list[Sample]:
        """Samples for one prompt: missing ones are asked for until there are enough, or the bound is reached."""
        candidates: list[tuple[str, float]] = []
        drawn = valid = 0
        heat = temperature
        for attempt in range(ROUNDS):
            missing = n - len(candidates)
            if missing <= 0:
                break
            answers = self._raw_texts(prompt.context, missing, heat, _seed(seed, attempt, prompt.context))
            drawn += len(answers)
            repeats = False
            for raw, logprob in answers:
                if (text := candidate(prompt.grammar, raw)) is None:
                    continue
                valid += 1
                if unique and text in {t for t, _ in candidates}:
                    repeats = True
                else:
                    candidates.append((text, logprob))
            if repeats:
                heat = min(heat * WARMER, max(temperature, MOST_TEMPERATURE))
        self._journal.count(Usage(drawn=drawn, valid=valid))
        return [Sample(text, logprob, valid / drawn) for text, logprob in candidates]

    def _raw_texts(self, context: str, n: int, temperature: float, seed: int) -> list[tuple[str, float]]:
        """`n` raw texts with their log-probabilities, also from services that answer one at a time."""
        texts: list[tuple[str, float]] = []
        requests = 0
        while len(texts) < n and requests < n:
            choices = min(n - len(texts), MOST_CHOICES)
            request = {
                "model": self.model, "messages": self._messages(context), "n": choices, "temperature": temperature,
                "max_tokens": self.max_tokens, "seed": seed + requests, "logprobs": True,
                "extra_body": self.extra,
            }  # fmt: skip
            answer = self._chat(request)
            requests += 1
            usage = answer.usage
            self._journal.count(
                Usage(
                    requests=1,
                    prompt_tokens=getattr(usage, "prompt_tokens", 0) or 0,
                    completion_tokens=getattr(usage, "completion_tokens", 0) or 0,
                )
            )
            texts += [(text_of(choice), logprob_of(choice)) for choice in answer.choices]
        return texts[:n]

    def _chat(self, request: dict[str, Any]) -> Any:
        for level in range(self._left_out, len(OPTIONAL)):
            accepted = {name: value for name, value in request.items() if name not in OPTIONAL[level]}
            try:
                answer = self._client.ask("a sample", lambda c: c.chat.completions.create(**accepted))  # noqa: B023
            except Refused as error:
                if error.status not in (400, 422) or level == len(OPTIONAL) - 1:
                    raise
            else:
                self._left_out = level
                if not answer.choices:
                    raise ModelUnavailable(f"the service answers for {self.model} without a text. Try again later.")
                return answer
        raise AssertionError("the last request returns or raises")

    def _messages(self, context: str, solution: str | None = None) -> list[dict[str, str]]:
        chat = messages(self.instruction, context)
        return chat if solution is None else [*chat, {"role": "assistant", "content": solution}]

    def save(self, directory: Path) -> None:
        """Write the names of the models and the connection, but never the key."""
        directory.mkdir(parents=True, exist_ok=True)
        config = {
            "format": FORMAT, "template": VERSION, "base": self.base, "model": self.model, "instruction": self.instruction,
            "max_tokens": self.max_tokens, "extra": self.extra, "connection": asdict(self._client.connection),
        }  # fmt: skip
        (directory / "service.json").write_text(json.dumps(config, indent=1))

    @classmethod
    def load(cls, directory: Path) -> Self:
        """See `LanguageModel.load`. The service itself is asked only once the model is used."""
        try:
            config = json.loads((directory / "service.json").read_text())
            if (config["format"], config["template"]) != (FORMAT, VERSION):
                raise ValueError(
                    f"format and template {config['format']}, {config['template']}, not {FORMAT}, {VERSION}"
                )
            return cls(
                str(config["base"]), str(config["instruction"]), Connection(**config["connection"]),
                model=str(config["model"]), journal=directory.parent / "service-jobs.json",
                max_tokens=int(config["max_tokens"]), extra=config["extra"],
            )  # fmt: skip
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CorruptModel(
                f"{directory / 'service.json'} is missing or damaged ({error}). Restore it from a copy, or delete "
                f"{directory} and run the command again to make it anew: jobs that were paid for are found in the journal."
            ) from error


def _seed(seed: int, attempt: int, context: str) -> int:
    return int(hashlib.sha256(f"{seed} {attempt} {context}".encode()).hexdigest()[:7], 16)
