"""`boltbo import --optuna`: a study of an Optuna storage."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from boltbo.campaign.campaign import Campaign
from boltbo.campaign.past_runs import ImportReport
from boltbo.errors import ConfigError
from boltbo.problem import Task
from boltbo.spaces import Slots


def import_stored_study(
    campaign: Campaign,
    task: Task,
    url: str,
    name: str,
    parameters: str | None,
    how: Literal["add", "replace"],
    skip_invalid: bool,
) -> tuple[ImportReport, dict[str, int]]:
    """Import the study `name` of the storage at `url`; `parameters` names those of the slots, parted by commas.

    Raises:
        ConfigError: Optuna is not installed, there is no such storage or study, or the names do not fit.
        InvalidRuns: A trial makes no candidate of the task.
    """
    try:
        import optuna

        from boltbo.integrations.optuna import SlotParameters, import_study
    except ModuleNotFoundError as error:
        raise ConfigError(f"--optuna needs the extra optuna: pip install 'boltbo[optuna]' ({error})") from error
    where = _existing(url)
    try:
        names = optuna.get_all_study_names(url)
        study = optuna.load_study(study_name=name, storage=url) if name in names else None
    except (
        SQLAlchemyError,
        RuntimeError,
        OSError,
    ) as error:  # a RuntimeError says that its tables are of another Optuna
        raise ConfigError(f"{where} cannot be read: {getattr(error, 'orig', None) or error}") from error
    if study is None:
        raise ConfigError(f"no study {name!r} in {where}; it holds: {', '.join(names) or 'none'}")
    mapping = None
    if parameters is not None:
        space = campaign.domain.space(task)
        if not isinstance(space, Slots):
            raise ConfigError(
                f"--parameters names those of slots, and the domain {campaign.domain.name!r} has none: use import_study "
                "of boltbo.integrations.optuna with parameters of your own"
            )
        try:
            mapping = SlotParameters(space, [p.strip() for p in parameters.split(",")])
        except ValueError as error:
            raise ConfigError(f"--parameters: {error}") from error
    try:
        report, left_out = import_study(campaign, study, task, mapping, how=how, skip_invalid=skip_invalid)
    except ValueError as error:
        if type(error) is not ValueError:
            raise
        raise ConfigError(str(error)) from error
    return report, dict(left_out)


def _existing(url: str) -> str:
    """Return the URL without its password; refuse a SQLite file that is missing, because Optuna would create it."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigError("--optuna: that is no URL of a database, such as sqlite:///study.db") from error
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise ConfigError(f"--optuna: there is no file {parsed.database!r}")
    return parsed.render_as_string(hide_password=True)
