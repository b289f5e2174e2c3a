"""Which of a server's settings disturb measuring, or make its default plans worse than they need be."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from boltbo.domains.plans.server.capabilities import Capabilities

UNITS = {"kB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40, "B": 1}


@dataclass(frozen=True, slots=True)
class Condition:
    """One setting: its value, what it does to a search (nothing where empty), and what to do about it."""

    name: str
    value: str
    effect: str = ""
    remedy: str = ""


def conditions(server: Capabilities) -> list[Condition]:
    """Every setting that matters, with a judgement where there is something to say."""
    judged = {c.name: c for c in _judged(server)}
    return [judged.get(name, Condition(name, value)) for name, value in server.settings.items()]


def _judged(server: Capabilities) -> Iterator[Condition]:
    value = server.settings
    buffers = size_of(value.get("shared_buffers", ""))
    if server.size is not None and buffers is not None and server.size > buffers:
        yield Condition(
            "shared_buffers",
            value["shared_buffers"],
            f"the database has {_gigabytes(server.size)}: what does not fit is read again and again, and times scatter more",
            "measure at a quiet time; objective 'work' does not scatter",
        )
    if value.get("jit") == "on":
        yield Condition(
            "jit",
            "on",
            "compiling adds to the time of expensive plans, by what the planner thinks they cost",
            "SET jit = off for this role, if production has it off",
        )
    if value.get("max_parallel_workers_per_gather", "0") != "0":
        yield Condition(
            "max_parallel_workers_per_gather",
            value["max_parallel_workers_per_gather"],
            "a plan's time depends on how many workers are free; CPU seconds do not see workers",
            "SET max_parallel_workers_per_gather = 0 for this role, unless production's queries run in parallel too",
        )
    if value.get("geqo") == "on":
        yield Condition(
            "geqo",
            "on",
            f"default plans of {value.get('geqo_threshold', '12')} and more relations come from a random search: part of the "
            "gain on them is had by SET geqo = off alone, at more planning time",
        )
    if float(value.get("random_page_cost", "4")) >= 4:
        yield Condition(
            "random_page_cost",
            value["random_page_cost"],
            "right for spinning disks: with data in memory or on flash, index scans look too dear to the server, and part of "
            "the gain is had by this setting alone",
            "SET random_page_cost = 1.1, then search on from those plans",
        )
    if int(value.get("default_statistics_target", "100")) < 100:
        yield Condition(
            "default_statistics_target",
            value["default_statistics_target"],
            "row estimates are rougher than by default",
            "SET default_statistics_target = 100; ANALYZE",
        )
    if value.get("autovacuum") == "on" and not server.replica:
        yield Condition(
            "autovacuum",
            "on",
            "where data change, new statistics change default plans in the middle of a search",
            "boltbo plans verify checks exported plans again later",
        )
    if value.get("auto_explain.log_analyze") == "on":
        yield Condition(
            "auto_explain.log_analyze",
            "on",
            "every execution is instrumented, which slows some plans more than others",
            "SET auto_explain.log_analyze = off for this role (as a superuser)",
        )


def size_of(text: str) -> int | None:
    """Bytes of a setting such as `128MB`."""
    digits = text.rstrip("kMGTB")
    return int(digits) * UNITS[text[len(digits) :]] if digits.isdigit() and text[len(digits) :] in UNITS else None


def _gigabytes(size: int) -> str:
    return f"{size / 2**30:.1f} GB"
