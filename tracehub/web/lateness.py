"""How far behind the worker is: every page that lists or counts traces says so."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from django.utils import timezone

from tracehub.traces import rollup

LATE = timedelta(seconds=10)  # less is as usual


class Lateness(NamedTuple):
    """How many traces wait, and for how long the oldest has, in words."""

    waiting: int
    since: str


def lateness() -> Lateness | None:
    """Return how late the worker is; None while it keeps up, which costs one probe."""
    late = rollup.behind(timezone.now())
    if late < LATE:
        return None
    seconds = int(late.total_seconds())
    since = f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
    return Lateness(rollup.waiting(), since)
