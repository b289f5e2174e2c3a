"""A real server with a small generated database, once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from boltbo.domains.plans.domain import PlansDomain
from boltbo.domains.plans.imdb.load import ensure_database
from boltbo.domains.plans.server.embedded import EmbeddedServer


@pytest.fixture(scope="session")
def imdb_url() -> Iterator[str]:
    """Generated data of scale 0.01 on the embedded server."""
    with EmbeddedServer() as server:
        yield ensure_database(server.url(), 0.01, 0)


@pytest.fixture(scope="session")
def domain(imdb_url: str) -> Iterator[PlansDomain]:
    """With the product's defaults; only that a server is gone is said sooner."""
    domain = PlansDomain(imdb_url, patience=3.0)
    yield domain
    domain.server.close()
