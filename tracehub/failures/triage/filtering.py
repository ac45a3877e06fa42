"""What a filter asks of the list of failures: of the groups themselves, and of their traces."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as at

from tracehub.core.query import Filter, groups
from tracehub.failures.triage import querysets
from tracehub.failures.triage.querysets import Asked
from tracehub.projects.models import Project
from tracehub.traces.extent import Range
from tracehub.traces.querysets import bounded

SECONDS = 2.0  # of database time that the traces of all groups may take


def asked(
    project: Project, wanted: Filter, *, since: date, now: datetime, me: int | None = None
) -> Asked:
    """Return which groups a filter is about; one on traces is looked up from a UTC day on.

    Raises FilterError on parts that mix both, TooSlow when there is too much to look through.
    """
    own, of_traces = groups.split(wanted)
    if not of_traces.parts:
        return Asked(own, None, me)
    start = datetime.combine(since, at.min, UTC)
    within = Range(project, start, now + timedelta(days=1))
    with bounded(SECONDS):
        return Asked(own, querysets.with_traces(within, of_traces), me)
