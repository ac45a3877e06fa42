"""A new prompt version on its way to everyone: its stages, its stop rule, the flags to follow."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from tracehub.core.comparison import rates_differ
from tracehub.core.gating import Reason

STAGES = ("internal", "canary", "all")
ROLLED_BACK = "rolled_back"
RUNNING = STAGES[:2]  # stages that wait for a gate
FLAGD_SCHEMA = "https://flagd.dev/schema/v0/flags.json"

Failing = tuple[int, int]  # failing requests, of how many


class Course(NamedTuple):
    """Where a rollout is: its prompt, both versions as `name@version`, and its stage."""

    prompt: str
    candidate: str
    control: str
    stage: str


def following(stage: str) -> str | None:
    """Return the stage after this one, None after the last.

    >>> following("internal"), following("all"), following("rolled_back")
    ('canary', None, None)
    """
    return STAGES[STAGES.index(stage) + 1] if stage in RUNNING else None


def stop_rule(control: Failing, candidate: Failing, limit: float) -> Reason:
    """Tell whether the candidate fails more than `limit` (a fraction) above the control.

    It holds when the whole 95 % interval of the difference is within the limit, and is broken when
    all of it is above: what lies between cannot be told yet.
    """
    title = f"Failing at most {limit * 100:g} points above control"
    interval = rates_differ(control, candidate)
    if interval is None:
        empty = "control" if not control[1] else "candidate"
        return Reason("stop", None, f"The {empty} has no traces yet in this stage.", None, limit,
                      title=title, short="no traces yet")  # fmt: skip
    gap = candidate[0] / candidate[1] - control[0] / control[1]
    low, high = interval
    ok = True if high <= limit else False if low > limit else None
    found = (
        f"Failing is {_points(gap)} against control (95 % interval {_points(low)} to "
        f"{_points(high)}), {_points(limit)} allowed."
    )
    if ok is None:
        found += f" {_needed(gap, interval, limit, control[1] + candidate[1])}"
    return Reason("stop", ok, found, round(gap, 6), limit, title=title, short=_points(gap),
                  unsure=ok is None)  # fmt: skip


def _needed(gap: float, interval: tuple[float, float], limit: float, traces: int) -> str:
    """Say how many more traces would tell; the width of the interval goes with their root."""
    distance = abs(limit - gap)
    half = (interval[1] - interval[0]) / 2
    times = (half / distance) ** 2 - 1 if distance else math.inf
    if times > 1000:
        return "It is too near the limit for any number of traces to tell soon."
    return f"Cannot tell yet: about {max(1, math.ceil(traces * times)):,} more traces would."


def _points(fraction: float) -> str:
    return f"{fraction * 100:+.1f} pts".replace("-", "−")


def flags(courses: Iterable[Course]) -> dict[str, Any]:
    """Return which version each cohort gets, as a file of flagd, which OpenFeature SDKs read.

    One flag per prompt, `prompt.NAME`: its value is the version, chosen by the context key
    `cohort`. Source of the form: https://flagd.dev/reference/flag-definitions/
    """
    return {
        "$schema": FLAGD_SCHEMA,
        "flags": {f"prompt.{course.prompt}": _flag(course) for course in courses},
    }


def _flag(course: Course) -> dict[str, Any]:
    everyone = "candidate" if course.stage == "all" else "control"
    flag: dict[str, Any] = {
        "state": "ENABLED",
        "variants": {"control": course.control, "candidate": course.candidate},
        "defaultVariant": everyone,
    }
    if course.stage in RUNNING:
        served = list(STAGES[: STAGES.index(course.stage) + 1])
        flag["targeting"] = {"if": [{"in": [{"var": "cohort"}, served]}, "candidate", "control"]}
    return flag
