"""What can be set of a campaign: typed, checked once at the edge, plain values inside.

The same names serve in Python (`Settings(rounds=(20, 20))`) and in a TOML file (`[run] budget = 100`).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from boltbo.errors import ConfigError

Count = Annotated[int, Field(ge=1)]
Number = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


class Frozen(BaseModel):
    """A settings table: unknown keys and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


Each = TypeVar("Each")


def nth(value: Each | tuple[Each, ...] | list[Each], i: int) -> Each:
    """The same for all, or the `i`-th of a list, whose last stands for all after it."""
    return value[min(i, len(value) - 1)] if isinstance(value, list | tuple) else value


class RunSettings(Frozen):
    """One run on one training task."""

    budget: Count = Field(100, description="oracle calls of a run, initial candidates included")
    initial: Count = Field(50, description="initial candidates of a run")
    batch: Count = Field(1, description="candidates that the optimizer asks for at a time")
    optimizer: Literal["auto", "turbo", "lolbo", "local", "random", "edits", "screened", "evolution"] = Field(
        "auto",
        description="what goes on from the initial candidates: in a box `turbo`, `local`, `random`, in a latent space also"
        " `lolbo`; on strings `edits`, `screened`, `evolution`; auto: `turbo` or `edits`, among plans' moves `screened`",
    )
    design_share: Share = Field(0.2, description="share of the initial candidates that stays the domain's own design")
    retrieval: Share | None = Field(
        None,
        description="share of the initial candidates, the design's apart, that is retrieved; none: as `model.retrieval`",
    )


class DistilSettings(Frozen):
    """From trajectories to training pairs."""

    top_k: Count = Field(10, description="solutions of each run that become training pairs")
    diversity: Share = Field(
        0.1, description="least distance between them, as a share of their symbols; 0: plain top-K"
    )
    gap: Annotated[float, Field(ge=0.0)] = Field(
        0.5, description="share of the gain over the default that a solution may lack; inf: any, as plain top-K"
    )


class AugmentSettings(Frozen):
    """A round of 0 new tasks: the model's own samples for the tasks solved so far, scored, teach the next model."""

    samples: Count | Annotated[tuple[Count, ...], Field(min_length=1)] = Field(
        10, description="oracle calls for each task solved so far; or a list: of the first such round, the second, …"
    )
    retrieval: Share | Annotated[tuple[Share, ...], Field(min_length=1)] | None = Field(
        None, description="share of these that is retrieved, where it is not `model.retrieval`; or a list, as `samples`"
    )

    def calls(self, i: int) -> int:
        """Oracle calls for each task in the `i`-th such round, from 0 on."""
        return nth(self.samples, i)

    def retrieved(self, i: int) -> float | None:
        """Share of them that is retrieved; None: as anywhere else."""
        return None if self.retrieval is None else nth(self.retrieval, i)


class ServiceSettings(Frozen):
    """Where an OpenAI-compatible service is; the key is read from the environment and kept nowhere."""

    base_url: str | None = Field(None, description="such as https://host/v1; none: OpenAI's own")
    key_variable: str = Field("OPENAI_API_KEY", description="the environment variable that holds the key")
    retries: Number = Field(6, description="of a request that failed for now")
    per_minute: Annotated[float, Field(ge=0)] = Field(0.0, description="requests at most; 0: no limit")
    at_once: Count = Field(8, description="requests at the same time")
    timeout: Annotated[float, Field(gt=0)] = Field(120.0, description="seconds for one request")
    poll: Annotated[float, Field(gt=0)] = Field(20.0, description="seconds between two looks at a fine-tuning job")

    @field_validator("base_url")
    @classmethod
    def _without_key(cls, url: str | None) -> str | None:
        """What is set here is stored with the campaign."""
        if url is not None and "@" in urlsplit(url).netloc:
            raise ValueError("has a key or a password in it: put it into the environment variable of key_variable")
        return url


class LoraSettings(Frozen):
    """How a pretrained model is adapted."""

    rank: Count = 16
    rate: Annotated[float, Field(gt=0)] = 5e-4
    tokens: Count = Field(2048, description="of a batch, at most")
    micro_tokens: Count = Field(2048, description="computed at a time; parts of a batch add their gradients up")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto: a GPU where there is one")


class ModelSettings(Frozen):
    """The language model and how it is tuned and sampled."""

    backend: Literal["compact", "transformers", "openai"] = Field(
        "compact", description="compact: small, embedded; transformers: LoRA; openai: a service, see [model.service]"
    )
    name: str = Field(
        "smollm2", description="transformers: a Hugging Face name or path, or smollm2; openai: the service's name of it"
    )
    service: ServiceSettings = ServiceSettings()
    lora: LoraSettings = LoraSettings()
    start: Literal["fresh", "continued"] = Field(
        "fresh", description="each fine-tuning starts from the base or the last"
    )
    replay: Share = Field(
        1.0, description="start continued only: share of the earlier tasks that is read again in each fine-tuning"
    )
    epochs: Annotated[float, Field(gt=0)] = Field(6.0, description="passes over the training pairs of each fine-tuning")
    temperature: Annotated[float, Field(gt=0)] = 0.7
    guidance: Annotated[float, Field(ge=0)] = Field(
        0.0, description="compact only: samples follow what the fine-tuning changed so many times further than it went"
    )
    pool: Count = Field(
        1,
        description="so many times the samples wanted are drawn, and those taken that `first` says, or else the likeliest",
    )
    first: Literal["consensus", "estimated", "likeliest", "normalized", "raised", "drawn"] = Field(
        "consensus",
        description="the sample that is tried first: the one nearest to all others; the one that is near to them and that"
        " the domain itself guesses to be good (estimated; plans: the server's cost); the one that the model holds most likely;"
        " as they come (drawn). Or the order of all, those that are far from each other first: the likeliest by symbol"
        " (normalized); compact only: those that fine-tuning raised most (raised)",
    )
    retrieval: Share = Field(
        0.0,
        description="share of the candidates, in turn with the samples, that are solutions of the solved tasks with the most"
        " similar contexts",
    )
    pretraining_pairs: Annotated[int, Field(ge=0)] = Field(
        4000, description="compact only: pretraining pairs before the first round"
    )
    pretraining_epochs: Annotated[float, Field(gt=0)] = 2.0

    def sampling(self) -> dict[str, Any]:
        """What a `ModelProposer` takes of these."""
        return self.model_dump(include={"temperature", "first", "pool"})


class ValidationSettings(Frozen):
    """The tasks that no model learns from."""

    samples: Count = Field(50, description="Best@k is reported up to this k")
    budget: Annotated[int, Field(ge=0)] = Field(
        0, description="oracle calls if an optimizer goes on from the samples; 0: none does"
    )
    reference_budget: Annotated[int, Field(ge=0)] = Field(100, description="oracle calls of STBO on each; 0: no STBO")


class Settings(Frozen):
    """All of one campaign but its domain and tasks."""

    name: str = "campaign"
    seed: int = 0
    rounds: tuple[Number, ...] = Field(
        (), description="tasks solved before each fine-tuning, 0: self-augmentation; empty: thirds of all tasks"
    )
    workers: Count = Field(
        1, description="runs at a time; more than 1 disturbs an oracle that measures time, unless it is calibrated"
    )
    run: RunSettings = RunSettings()
    distil: DistilSettings = DistilSettings()
    augment: AugmentSettings = AugmentSettings()
    model: ModelSettings = ModelSettings()
    validation: ValidationSettings = ValidationSettings()

    def resolved(self) -> dict[str, Any]:
        """What a resume must agree with: everything but what cannot change a result."""
        pace = {"retries", "per_minute", "at_once", "timeout", "poll", "key_variable"}
        return self.model_dump(mode="json", exclude={"workers": True, "name": True, "model": {"service": pace}})


_SECRET = re.compile(r"//[^/\s]*@")
"""What stands before the host in a URL"""


def explain(error: ValidationError, where: str | Path) -> ConfigError:
    """Pydantic's findings as one message for people."""
    lines = []
    for e in error.errors():
        # of a value that may be a number or a list, pydantic names the two kinds, too
        parts = [str(part) for part in e["loc"] if not str(part).startswith(("constrained-", "tuple["))]
        key = ".".join(parts) or "(top level)"
        if e["type"] == "extra_forbidden":
            lines.append(f"  {key}: no such key")
        else:
            lines.append(f"  {key}: {e['msg']}, got {_SECRET.sub('//***@', repr(e['input']))}")
    return ConfigError(f"{where} cannot be used:\n" + "\n".join(lines))
