"""Where the arms of a campaign are kept, and the facts beside them.

Arms of a campaign in a SQLite file `X.db` are in `X-arms.db`; elsewhere they are in the same database.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from boltbo.campaign.campaign import Campaign
from boltbo.storage import Storage, open_storage
from boltbo.system.files import write_whole
from boltbo_bench.experiments.arms import Arm


def arms_url(url: str) -> str:
    """Where the arms of a campaign stored at `url` are."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "sqlite":
        return url
    path = Path(parsed.database or "boltbo.db")
    return f"sqlite:///{path.with_name(f'{path.stem}-arms{path.suffix}')}"


def arm_prefix(campaign: str) -> str:
    """What the names of a campaign's arms begin with in their storage."""
    return f"{campaign}: "


def open_arm(campaign: Campaign, arm: Arm) -> Storage:
    """The arm's campaign, begun if it is new.

    Raises:
        CampaignMismatch: It was begun on a campaign with other settings.
    """
    from boltbo._version import __version__

    store = open_storage(arms_url(campaign.storage.url))
    config = {"campaign": campaign.settings.resolved(), "arm": arm.text}
    store.attach(arm_prefix(campaign.settings.name) + arm.text, campaign.domain.name, config, __version__)
    return store


def note(store: Storage, **facts: Any) -> None:
    """Keep facts about an arm beside its models."""
    path = store.artifacts / "arm.json"
    write_whole(path, json.dumps({**noted(store), **facts}, indent=1))


def noted(store: Storage) -> dict[str, Any]:
    """The facts that `note` kept."""
    path = store.artifacts / "arm.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}
