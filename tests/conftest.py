"""Shared by all tests: where real data is, and a cache that is not the user's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.places import TESTS

if "PYTEST_XDIST_WORKER" in os.environ:  # before anything imports torch: every worker has a core of its own
    os.environ.setdefault("OMP_NUM_THREADS", "1")

LONGEST = (
    "cli/test_app.py",
    "research/experiments/test_arms.py",
    "latent/test_lolbo.py",
    "optimizers/test_contract.py",
    "campaign/test_campaign.py",
    "report/campaign/test_page.py",
    "domains/peptides/test_example.py",
    "campaign/test_augment.py",
)
"""Begun first, so that no worker is left alone with one of them at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    place = {TESTS / name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real data that BOLTBO_TEST_DATA names."""
    named = os.environ.get("BOLTBO_TEST_DATA")
    if not named or not Path(named).is_dir():
        pytest.skip("BOLTBO_TEST_DATA does not name a folder of real data")
    return Path(named)


@pytest.fixture(scope="session", autouse=True)
def own_cache_of_pretrained_models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests neither find nor leave anything in the user's."""
    folder = tmp_path_factory.mktemp("pretrained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("boltbo.campaign.pretraining.cache", lambda: folder)
        yield
