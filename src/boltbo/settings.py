"""The settings of a campaign: typed, checked once at the edge, plain values inside.

The same names serve in Python (`Settings(rounds=(20, 20))`) and in a TOML file (`[run] budget = 100`).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from boltbo.errors import ConfigError
from boltbo.system.named import is_named

Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


OPTIMIZERS = ("auto", "turbo", "lolbo", "local", "random", "edits", "screened", "evolution")


def _one_of(*names: str) -> Callable[[str], str]:
    """A strategy is a built-in one by name, or `module:Name`."""

    def check(text: str) -> str:
        if text not in names and not is_named(text):
            built_in = f"one of {', '.join(names)}" if len(names) > 1 else f"{names[0]!r}"
            raise ValueError(f"should be {built_in}, or module:Name")
        return text

    return check


class Frozen(BaseModel):
    """A settings table: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class RunSettings(Frozen):
    """One run on one training task."""

    budget: Count = Field(100, description="oracle calls of a run, initial candidates included")
    initial: Count = Field(50, description="initial candidates of a run")
    batch: Count = Field(1, description="candidates that the optimizer asks for at a time")
    optimizer: Annotated[str, AfterValidator(_one_of(*OPTIMIZERS))] = Field(
        "auto",
        description="what goes on from the initial candidates: in a box `turbo`, `local`, `random`, in a latent space also"
        " `lolbo`; on strings `edits`, `screened`, `evolution`; auto: `turbo` or `edits`, among plans' moves `screened`;"
        " or `module:Name` of your own",
    )
    proposer: Annotated[str, AfterValidator(_one_of("model"))] = Field(
        "model",
        description="what gives the initial candidates: `model`, the language model with the domain's design; or"
        " `module:Name` of your own, called with the domain; then no model is tuned",
    )
    design_share: Share = Field(0.2, description="share of the initial candidates that stays the domain's own design")
    retrieval: Share | None = Field(
        None,
        description="share of the initial candidates, the design's apart, that is retrieved; none: as `model.retrieval`",
    )


class DistilSettings(Frozen):
    """From trajectories to training pairs."""

    top_k: Count = Field(10, description="best solutions of each run that become training pairs")
    diversity: Share = Field(
        0.1, description="least distance between these solutions, as a share of their symbols; 0: plain top-K"
    )
    gap: Annotated[float, Field(ge=0.0)] = Field(
        0.5, description="share of the gain over the default that a solution may lack; inf: any, as plain top-K"
    )


class AugmentSettings(Frozen):
    """A round of 0 new tasks: the model's own samples for the tasks solved so far, scored, teach the next model."""

    samples: Count = Field(10, description="oracle calls for each task solved so far")
    retrieval: Share | None = Field(
        None, description="share of these that is retrieved, where it is not `model.retrieval`"
    )


class ServiceSettings(Frozen):
    """Where an OpenAI-compatible service is; the key is read from the environment and kept nowhere."""

    base_url: str | None = Field(None, description="such as https://host/v1; none: OpenAI's own")
    key_variable: str = Field("OPENAI_API_KEY", description="the environment variable that holds the key")
    retries: Number = Field(6, description="retries of a request that failed for now")
    per_minute: Annotated[float, Field(ge=0)] = Field(0.0, description="requests at most; 0: no limit")
    at_once: Count = Field(8, description="requests at the same time")
    timeout: Annotated[float, Field(gt=0)] = Field(120.0, description="seconds for one request")
    poll: Annotated[float, Field(gt=0)] = Field(20.0, description="seconds between two looks at a fine-tuning job")

    @field_validator("base_url")
    @classmethod
    def _without_key(cls, url: str | None) -> str | None:
        """Settings are stored with the campaign, so no key may stand in them."""
        if url is not None and "@" in urlsplit(url).netloc:
            raise ValueError("has a key or a password in it: put it into the environment variable of key_variable")
        return url


class LoraSettings(Frozen):
    """How a pretrained model is adapted."""

    rank: Count = Field(16, description="rank of the adapters")
    rate: Annotated[float, Field(gt=0)] = Field(5e-4, description="highest learning rate")
    tokens: Count = Field(2048, description="tokens of a batch, at most")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")


class ModelSettings(Frozen):
    """The language model and how it is tuned and sampled."""

    backend: Annotated[str, AfterValidator(_one_of("compact", "transformers", "openai"))] = Field(
        "compact",
        description="compact: small, embedded; transformers: LoRA; openai: a service, see [model.service]; or `module:Name`"
        " of a `LanguageModel` class of your own, called with instruction, separator and seed",
    )
    name: str = Field(
        "smollm2", description="transformers: a Hugging Face name or path, or smollm2; openai: the service's name of it"
    )
    service: ServiceSettings = ServiceSettings()
    lora: LoraSettings = LoraSettings()
    start: Literal["fresh", "continued"] = Field(
        "fresh", description="whether each fine-tuning starts from the base model or from the last one"
    )
    replay: Share = Field(
        1.0, description="start continued only: share of the earlier tasks that is read again in each fine-tuning"
    )
    epochs: Annotated[float, Field(gt=0)] = Field(6.0, description="passes over the training pairs of each fine-tuning")
    temperature: Annotated[float, Field(gt=0)] = Field(0.7, description="sampling temperature")
    guidance: Annotated[float, Field(ge=0)] = Field(
        0.0, description="compact only: guidance weight w; samples are drawn from log p + w (log p - log p_base)"
    )
    pool: Count = Field(
        1,
        description="oversampling factor: so many times more samples are drawn, of which `first`, or else likelihood, selects",
    )
    first: Literal["consensus", "estimated", "raised"] = Field(
        "consensus",
        description="which sample is tried first: `consensus`, the one nearest to all others; `estimated`, the one that is near"
        " to them and that the domain guesses to be good (plans: the server's cost). Or the order of all, samples that are far"
        " from each other first: `raised`, by how much fine-tuning raised their likelihood (compact only)",
    )
    retrieval: Share = Field(
        0.0,
        description="share of the candidates, interleaved with the samples, that are retrieved: solutions of the tasks with the"
        " most similar contexts",
    )
    pretraining_pairs: Annotated[int, Field(ge=0)] = Field(
        4000, description="compact only: pairs, which cost no oracle call, that the model reads before the first round"
    )
    pretraining_epochs: Annotated[float, Field(gt=0)] = Field(
        2.0, description="compact only: passes over the pretraining pairs"
    )

    def sampling(self) -> dict[str, Any]:
        """The arguments of a `ModelProposer` among these settings."""
        return self.model_dump(include={"temperature", "first", "pool"})


class ValidationSettings(Frozen):
    """The tasks that no model learns from."""

    samples: Count = Field(50, description="Best@k is reported up to this k")
    budget: Annotated[int, Field(ge=0)] = Field(
        0, description="oracle calls if an optimizer goes on from the samples; 0: none does"
    )
    reference_budget: Annotated[int, Field(ge=0)] = Field(100, description="oracle calls of STBO on each; 0: no STBO")


class Settings(Frozen):
    """Everything about a campaign but its domain and its tasks."""

    name: str = "campaign"
    seed: int = 0
    rounds: tuple[Number, ...] = Field(
        (), description="tasks solved before each fine-tuning, 0: self-augmentation; empty: thirds of all tasks"
    )
    workers: Count = Field(
        1, description="runs at a time; more than 1 disturbs an oracle that measures time, unless it is calibrated"
    )
    engine: Annotated[str, AfterValidator(_one_of("auto"))] = Field(
        "auto",
        description="where runs happen: auto, on this machine; or `module:Name` of your own, called with workers",
    )
    run: RunSettings = RunSettings()
    distil: DistilSettings = DistilSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    validation: ValidationSettings = ValidationSettings()

    def resolved(self) -> dict[str, Any]:
        """The settings that a resume must agree with: all but those that cannot change a result."""
        pace = {"retries", "per_minute", "at_once", "timeout", "poll", "key_variable"}
        return self.model_dump(
            mode="json", exclude={"workers": True, "engine": True, "name": True, "model": {"service": pace}}
        )


_SECRET = re.compile(r"//[^/\s]*@")
"""The user and password in a URL"""


def explain(error: ValidationError, where: str | Path) -> ConfigError:
    """Pydantic's findings as one message for people."""
    lines = []
    for e in error.errors():
        key = ".".join(map(str, e["loc"])) or "(top level)"
        if e["type"] == "extra_forbidden":
            lines.append(f"  {key}: no such key")
        else:
            lines.append(f"  {key}: {e['msg']}, got {_SECRET.sub('//***@', repr(e['input']))}")
    return ConfigError(f"{where} cannot be used:\n" + "\n".join(lines))
