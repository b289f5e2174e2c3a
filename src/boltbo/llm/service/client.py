"""Requests to an OpenAI-compatible service: retried with back-off, paced, and with errors that never hold the key."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from boltbo.errors import ModelUnavailable
from boltbo.llm.service.journal import Journal, Usage

T = TypeVar("T")

INSTALL = "pip install 'boltbo[openai]'"
OPENAI = "https://api.openai.com/v1"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
LATER = "try again later: nothing that was paid for is lost"
NO_CREDIT = "insufficient_quota"
NO_CREDIT_HELP = "the account has no credit: add some and run the command again; nothing that was paid for is lost"
HELP: dict[int | None, str] = {
    400: "the service does not take this request: check the model's name, and what is added to each request",
    401: "the key is wrong",
    403: "the key may not do this",
    404: "the service does not know this model or this call: check base_url and name",
    429: "the service's limits are reached: lower per_minute or at_once; nothing that was paid for is lost",
}


@dataclass(frozen=True)
class Connection:
    """The address and the limits of a service.

    Attributes:
        base_url: Address of the service, such as `https://host/v1`; None means OpenAI's.
        key_variable: The environment variable that holds the key. A service on this machine may do without.
        retries: Number of retries of a request that failed for now (429, 5xx, no connection), with exponential back-off and
            jitter, or after as many seconds as the service says, up to two minutes. Where the account has no credit, there
            are none.
        per_minute: The most requests of a minute, retries among them; 0 sets no limit.
        at_once: The most requests at the same time.
        timeout: The most seconds of one request.
        poll: Seconds between two looks at a job.
    """

    base_url: str | None = None
    key_variable: str = "OPENAI_API_KEY"
    retries: int = 6
    per_minute: float = 0.0
    at_once: int = 8
    timeout: float = 120.0
    poll: float = 20.0


class Client:
    """A lazily opened client. Picklable: the key is read from the environment where it is used, and kept nowhere.

    Args:
        connection: The address and limits of the service.
        journal: The journal in which retries are counted.
    """

    def __init__(self, connection: Connection, journal: Journal) -> None:
        self.connection = connection
        self.journal = journal
        self._client: Any = None
        self._opening, self._pace = threading.Lock(), threading.Lock()
        self._next = 0.0

    def __getstate__(self) -> Mapping[str, Any]:
        return {"connection": self.connection, "journal": self.journal}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]

    def ask(self, what: str, request: Callable[[Any], T], *, retries: int | None = None) -> T:
        """The answer of `request(client)`.

        Args:
            what: Name of the request in error messages.
            request: One call of the client.
            retries: Number of retries in place of the connection's; 0 for a request that must not be made twice.

        Raises:
            ModelUnavailable: The service does not answer, refuses, or does not speak the protocol.
            ModuleNotFoundError: A package is missing; the message says how to get it.
        """
        client = self._open()
        import openai

        if retries is not None:
            client = client.with_options(max_retries=retries)
        said, status, remedy = "the answer is not JSON", None, "check base_url: it often ends in /v1"
        with suppress(json.JSONDecodeError):
            try:
                answer = request(client)
                if not isinstance(answer, str):
                    return answer
            except openai.OpenAIError as error:
                said, status = self._without_key(str(error)).rstrip("."), getattr(error, "status_code", None)
                spent = NO_CREDIT in (getattr(error, "code", None), getattr(error, "type", None))
                remedy = NO_CREDIT_HELP if spent else HELP.get(status, LATER)
        # raised out here, since the caught error, which holds the request with its headers, would be this one's context
        raise Refused(
            f"{what} at {self._where()} failed: {said}. {remedy[:1].upper()}{remedy[1:]}.",
            status,
            remedy is not NO_CREDIT_HELP,
        )

    def _wait(self, request: Any) -> None:
        """Wait until it is the turn of this attempt at a request."""
        if request.headers.get("x-stainless-retry-count", "0") != "0":
            self.journal.count(Usage(retries=1))
        if self.connection.per_minute:
            with self._pace:
                turn = max(self._next, time.monotonic())
                self._next = turn + 60.0 / self.connection.per_minute
            time.sleep(max(0.0, turn - time.monotonic()))

    def _open(self) -> Any:
        try:
            import openai
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(f"a service needs the package openai: {INSTALL}") from error
        with self._opening:
            if self._client is None:
                c = self.connection
                hooks: dict[str, list[Callable[..., Any]]] = {"request": [self._wait], "response": [_without_credit]}
                self._client = openai.OpenAI(
                    api_key=self._key(), base_url=c.base_url or OPENAI, max_retries=c.retries, timeout=c.timeout,
                    http_client=openai.DefaultHttpxClient(event_hooks=hooks),
                )  # fmt: skip
            return self._client

    def _key(self) -> str:
        key = os.environ.get(self.connection.key_variable, "").strip()
        if not key.isascii() or not key.isprintable():
            raise ModelUnavailable(f"what {self.connection.key_variable} holds cannot be a key: it is not plain ASCII")
        if not key and urlsplit(self.connection.base_url or "").hostname not in LOOPBACK:
            raise ModelUnavailable(
                f"{self._where()} wants a key: put it into the environment variable {self.connection.key_variable}"
            )
        return key or "none"

    def _where(self) -> str:
        parts = urlsplit(self.connection.base_url or OPENAI)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self.connection.key_variable, "").strip()
        return text.replace(key, "***") if key else text


def _without_credit(response: Any) -> None:
    """Forbid a retry where the account has no credit: the service answers 429, as it does to too many requests."""
    if response.status_code == 429 and NO_CREDIT.encode() in response.read():
        response.headers["x-should-retry"] = "false"


class Refused(ModelUnavailable):
    """A request that failed.

    Attributes:
        status: HTTP's status; None where there was no answer.
        for_now: Whether the request may succeed soon.
    """

    def __init__(self, message: str, status: int | None = None, credit: bool = True) -> None:
        super().__init__(message)
        self.status = status
        self.for_now = credit and (status is None or status == 429 or status >= 500)
