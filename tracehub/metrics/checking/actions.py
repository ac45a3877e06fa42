"""Checking a range day by day; a run that was stopped goes on where it was."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from tracehub.core.steps import DAY, KEPT
from tracehub.metrics.checking import store
from tracehub.metrics.checking.store import Report
from tracehub.metrics.models import RollupCheck
from tracehub.projects.models import Project
from tracehub.traces import partitions

ONE_DAY = timedelta(days=1)


def begin(
    project: Project,
    since: date | None = None,
    until: date | None = None,
    *,
    mend: bool,
    now: datetime,
) -> RollupCheck:
    """Return the run to go on with, or a new one over the days whose traces are all kept.

    A run that was stopped is taken up again unless a range is named.
    """
    open_run = RollupCheck.objects.filter(project_id=project.pk, finished_at=None, mend=mend)
    if since is None and until is None and (found := open_run.first()):
        return found
    today = now.astimezone(UTC).date()
    first = max(since or date.min, oldest_whole_day(now))
    last = min(until or today, today)
    given = {"since": first, "until": last, "next_day": first, "mend": mend}
    run, _ = RollupCheck.objects.update_or_create(
        project_id=project.pk, defaults={**given, "differing": 0, "finished_at": None}
    )
    return run


def oldest_whole_day(now: datetime) -> date:
    """Return the first day of which no trace is past retention.

    A trace lies in the partition of its first arrival, at most a day before its start.
    """
    days = [part.day for part in partitions.existing() if part.table.startswith("traces_")]
    today = now.astimezone(UTC).date()
    return max(min(days, default=today) + ONE_DAY, today - KEPT[DAY] + ONE_DAY)


def go_on(run: RollupCheck, *, now: datetime) -> Iterator[Report]:
    """Yield what each day that is left shows; with the run's `mend`, each is corrected.

    A day is one transaction and is noted when it is done, so that a stop loses nothing.
    """
    while run.next_day <= run.until:
        report = store.compare(run.project_id, run.next_day, now=now, mend=run.mend)
        run.next_day += ONE_DAY
        run.differing += report.differing + len(report.wrong_sums)
        run.save()
        yield report
    run.finished_at = now
    run.save()
