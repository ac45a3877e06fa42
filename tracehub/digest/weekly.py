"""The weekly mail: what is new and back, what cost most, which queues wait, how gates stand.

A person asks for it per project. Mondays from 07:00 UTC it becomes one event for all who asked and
have not had that week's, in the transaction that notes they did: so each gets it once, and `notify`
tries until it arrives. A week in which no worker ran is left out, not made up for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.conf import settings
from django.db import transaction
from django.db.models import Count, Min, Q

from tracehub.core.grouping.v1 import masked
from tracehub.evals.models import Run
from tracehub.failures import querysets
from tracehub.failures.models import Failure, Status
from tracehub.failures.store import first_day
from tracehub.failures.triage import querysets as triage
from tracehub.notify.models import WeeklyMail
from tracehub.projects import outbox
from tracehub.projects.models import Project, User
from tracehub.review.models import Queue
from tracehub.traces.querysets import TooSlow, bounded

KIND = "digest.weekly"
WEEK = timedelta(days=7)
HOUR = 7  # of Monday, UTC
SHOWN = 5  # lines of a part
WEIGHED = 10  # failures of most impact whose price is worked out
SECONDS = 2.0  # for the price of one


class Part(NamedTuple):
    """A heading with its lines; never empty."""

    title: str
    lines: list[str]


def parts(project: Project, now: datetime) -> list[Part]:
    """Return what the mail of this moment says: titles and numbers, no content of traces."""
    found = [
        ("New failures", _new(project, now)),
        ("Failures that are back", _back(project, now)),
        ("Costliest failures", _costliest(project, now)),
        ("Queues that wait", _queues(project, now)),
        ("Gates", _gates(project, now)),
    ]
    return [Part(title, lines) for title, each in found if (lines := list(each))]


def _new(project: Project, now: datetime) -> Iterator[str]:
    rows = Failure.objects.filter(
        project=project, first_seen__gte=now - WEEK, events__gt=0, merged_into=None
    ).exclude(status=Status.IGNORED)
    for one in rows.order_by("-events", "number")[:SHOWN]:
        since = f", since {one.since}" if one.since else ""
        yield f"{_named(project, one)}: {_times(one.events)}{since}"
    if (more := rows.count() - SHOWN) > 0:
        yield f"and {more:,} more"


def _back(project: Project, now: datetime) -> Iterator[str]:
    rows = Failure.objects.filter(
        project=project, status=Status.REGRESSED, regressed_at__gte=now - WEEK, merged_into=None
    )
    for one in rows.order_by("-regressed_at")[:SHOWN]:
        yield f"{_named(project, one)}: back for {_age(one.regressed_at, now)}"


def _costliest(project: Project, now: datetime) -> Iterator[str]:
    """Yield the costliest of the failures of most impact; one that takes too long is left out."""
    priced = []
    for row in triage.page(project, now=now, since=first_day(now), limit=WEIGHED):
        try:
            with bounded(SECONDS):
                traces, cost, spent = querysets.price(row.failure, now - WEEK, now)
        except TooSlow:
            continue
        if cost:
            priced.append((cost, traces, spent, row.failure))
    for cost, traces, spent, one in sorted(priced, key=lambda p: (-p[0], p[3].pk))[:SHOWN]:
        yield f"{_named(project, one)}: ${cost:,.2f} and {spent / 60_000:,.0f} min in {_of(traces)}"


def _queues(project: Project, now: datetime) -> Iterator[str]:
    is_open = Q(items__closed_at=None)
    rows = Queue.objects.filter(project=project, paused_at=None).annotate(
        waiting=Count("items", filter=is_open), oldest=Min("items__added_at", filter=is_open)
    )
    for queue in rows.filter(waiting__gt=0).order_by("oldest")[:SHOWN]:
        oldest = _age(queue.oldest, now)
        yield f"{queue.name}: {_of(queue.waiting)} to review, the oldest for {oldest}"


def _gates(project: Project, now: datetime) -> Iterator[str]:
    """Yield the newest run of each eval set, those that did not pass first."""
    newest = Run.objects.filter(project=project).order_by("eval_set_id", "-number")
    runs = list(newest.distinct("eval_set_id").select_related("eval_set"))
    for run in sorted(runs, key=lambda one: (one.verdict == "passed", -one.number))[:SHOWN]:
        age = _age(run.created_at, now)
        yield f"{run.eval_set.name}: run {run.number} {run.verdict}, {age} ago"


def _named(project: Project, failure: Failure) -> str:
    """Return key and title without what one trace said, since a mail leaves the installation.

    Where the project hides content there is no title: viewers get the mail, too.
    """
    if project.hides_content:
        return f"{failure.key} {failure.kind}"
    return f"{failure.key} {masked(failure.title)}"


def _times(events: int) -> str:
    return f"{events:,} time{'' if events == 1 else 's'}"


def _of(traces: int) -> str:
    return f"{traces:,} trace{'' if traces == 1 else 's'}"


def _age(moment: datetime | None, now: datetime) -> str:
    hours = int((now - (moment or now)).total_seconds() // 3600)
    return f"{hours // 24} d" if hours >= 24 else f"{hours} h"


def can_send() -> bool:
    """Tell whether a mail server is set."""
    return not settings.EMAIL_BACKEND.endswith("console.EmailBackend")


def week_of(now: datetime) -> date:
    """Return the Monday of the newest mail that is due.

    >>> week_of(datetime(2026, 11, 30, 6, 59, tzinfo=UTC)).isoformat()
    '2026-11-23'
    >>> week_of(datetime(2026, 11, 30, 7, tzinfo=UTC)).isoformat()
    '2026-11-30'
    """
    at = now.astimezone(UTC) - timedelta(hours=HOUR)
    return at.date() - timedelta(days=at.weekday())


def wanted(project: Project, person: User) -> bool:
    return WeeklyMail.objects.filter(project=project, user=person).exists()


def ask(project: Project, person: User, on: bool, now: datetime) -> None:
    """Send the mail to a person from the next Monday on, or no longer."""
    if on:
        WeeklyMail.objects.get_or_create(
            project=project, user=person, defaults={"sent_for": week_of(now)}
        )
    else:
        WeeklyMail.objects.filter(project=project, user=person).delete()


@transaction.atomic
def send_due(now: datetime) -> int:
    """Note the mails that are due as events; return how many people get one."""
    week = week_of(now)
    due = WeeklyMail.objects.filter(sent_for__lt=week).select_related("project", "user")
    by_project: dict[int, list[WeeklyMail]] = defaultdict(list)
    for row in due.select_for_update(skip_locked=True, of=("self",)).order_by("pk"):
        by_project[row.project_id].append(row)
    for rows in by_project.values():
        project = rows[0].project
        said = parts(project, now)
        lines = ["\n".join([part.title, *(f"- {line}" for line in part.lines)]) for part in said]
        body = {
            "message": f"the week to {now:%-d %B %Y}",
            "lines": [*(lines or ["No failures, no queue that waits, no run."])],
            "place": "failures",
            "emails": [row.user.email for row in rows],
        }
        outbox.emit(project.pk, KIND, body)
    everyone = [row.pk for rows in by_project.values() for row in rows]
    WeeklyMail.objects.filter(pk__in=everyone).update(sent_for=week)
    return len(everyone)
