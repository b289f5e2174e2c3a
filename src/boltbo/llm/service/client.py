"""Requests to an OpenAI-compatible service: retried with back-off, paced, and with errors that never hold the key."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlsplit

from boltbo.llm.backend import ModelUnavailable

T = TypeVar("T")

INSTALL = "pip install 'boltbo[openai]'"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
HELP = {
    401: "the key is wrong",
    403: "the key may not do this",
    404: "the service does not know this model or this call: check base_url and name",
    429: "the service's limits are reached, or the account has no credit",
}


@dataclass(frozen=True)
class Connection:
    """Where a service is and how it is spoken to.

    Attributes:
        base_url: Such as `https://host/v1`; None: OpenAI's own.
        key_variable: The environment variable that holds the key. A service on this machine may do without.
        retries: Of a request that failed for now (429, 5xx, no connection), with exponential back-off, or after as many seconds
            as the service says.
        per_minute: Requests at most; 0: no limit of ours.
        at_once: Requests at the same time.
        timeout: Seconds for one request.
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
    """A lazily opened client. Picklable: the key is read from the environment where it is used, and kept nowhere."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._client: Any = None
        self._pace = threading.Lock()
        self._next = 0.0

    def __getstate__(self) -> Mapping[str, Any]:
        return {"connection": self.connection}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__init__(state["connection"])  # type: ignore[misc]

    def ask(self, what: str, request: Callable[[Any], T], *, retries: int | None = None) -> T:
        """`request(client)`.

        Args:
            what: What is asked, for messages.
            request: One call of the client.
            retries: In place of the connection's; 0 for what must not be done twice.

        Raises:
            ModelUnavailable: The service does not answer, or refuses.
        """
        import openai

        self._wait()
        client = self._open()
        if retries is not None:
            client = client.with_options(max_retries=retries)
        try:
            return request(client)
        except openai.OpenAIError as error:
            status = getattr(error, "status_code", None)
            remedy = HELP.get(status or 0, "try again later: nothing that was paid for is lost")
            # `from None`: what it was raised from holds the request with its headers
            raise Refused(
                f"{what} at {self._where()} failed: {self._without_key(str(error))}. {remedy[:1].upper()}{remedy[1:]}.",
                status,
            ) from None

    def _wait(self) -> None:
        """Until it is this request's turn."""
        if self.connection.per_minute:
            with self._pace:
                turn = max(self._next, time.monotonic())
                self._next = turn + 60.0 / self.connection.per_minute
            time.sleep(max(0.0, turn - time.monotonic()))

    def _open(self) -> Any:
        if self._client is None:
            try:
                import openai
            except ModuleNotFoundError as error:
                raise ModuleNotFoundError(f"a service needs the package openai: {INSTALL}") from error
            c = self.connection
            self._client = openai.OpenAI(
                api_key=self._key(), base_url=c.base_url, max_retries=c.retries, timeout=c.timeout
            )
        return self._client

    def _key(self) -> str:
        key = os.environ.get(self.connection.key_variable, "")
        if not key and urlsplit(self.connection.base_url or "").hostname not in LOOPBACK:
            raise ModelUnavailable(
                f"{self._where()} wants a key: put it into the environment variable {self.connection.key_variable}"
            )
        return key or "none"

    def _where(self) -> str:
        parts = urlsplit(self.connection.base_url or "https://api.openai.com/v1")
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def _without_key(self, text: str) -> str:
        key = os.environ.get(self.connection.key_variable, "")
        return text.replace(key, "***") if key else text


class Refused(ModelUnavailable):
    """A request that failed. `status` is HTTP's, None where there was no answer."""

    def __init__(self, message: str, status: int | None) -> None:
        super().__init__(message)
        self.status = status
