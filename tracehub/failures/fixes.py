"""The ledger of fixes: what was done against which failures, and whether it helped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q, Sum

from tracehub.core.comparison import rates_differ
from tracehub.core.query.terms import ALL
from tracehub.failures.models import Activity, Failure, FailureDay, Fix
from tracehub.projects.actions import ActionError
from tracehub.projects.masking import masked
from tracehub.projects.models import Project, User
from tracehub.traces import rollup

KINDS = {
    "prompt": "Prompt",
    "retrieval": "Retrieval",
    "schema": "Schema",
    "guardrail": "Guardrail",
    "routing": "Routing",
    "tool": "Tool",
    "other": "Other",
}
DAYS = 14  # whole days before and after the day of a fix that are compared


@dataclass(frozen=True, slots=True)
class Effect:
    """Traces that fail this way, of all traces: whole days before the fix against those after it.

    `interval` is Newcombe's of the difference, None while a side has no traces.
    """

    before: tuple[int, int]
    after: tuple[int, int]
    days: int  # after the fix
    interval: tuple[float, float] | None

    @property
    def rates(self) -> tuple[float, float] | None:
        if not self.before[1] or not self.after[1]:
            return None
        return self.before[0] / self.before[1], self.after[0] / self.after[1]

    @property
    def reading(self) -> str:
        """`better`, `worse`, `unclear`, or `early` while there is nothing to compare."""
        if self.interval is None:
            return "early"
        low, high = self.interval
        return "better" if high < 0 else "worse" if low > 0 else "unclear"


@transaction.atomic
def add(
    failures: Sequence[Failure], kind: str, title: str, version: str = "", *, by: User, at: datetime
) -> Fix:
    """Note a fix of failures of one project. Raises ActionError."""
    title, version = " ".join(title.split()), version.strip()
    if kind not in KINDS:
        raise ActionError(f"kind must be one of {', '.join(KINDS)}. Got {kind[:40]!r}.", "kind")
    if not 1 <= len(title) <= 200:
        raise ActionError(f"fix must have 1 to 200 characters. Got {len(title)}.", "title")
    if len(version) > 340:
        raise ActionError("version may have 340 characters at most.", "version")
    title = masked(failures[0].project_id, title)[:200]
    made = Fix.objects.create(
        project=failures[0].project, kind=kind, title=title, version=version, at=at, by=by.email,
        failures=[failure.pk for failure in failures],
    )  # fmt: skip
    words = f"{title}{f' in {version}' if version else ''}"
    Activity.objects.bulk_create(
        Activity(failure=failure, actor=by.email, verb="fixed by", detail=words[:400])
        for failure in failures
    )
    return made


def of_failure(failure: Failure) -> list[Fix]:
    """Return the fixes that name a group, the newest first."""
    rows = Fix.objects.filter(project=failure.project_id, failures__contains=[failure.pk])
    return list(rows.order_by("-at")[:10])


def of_project(project: Project) -> list[Fix]:
    """Return the newest 50 fixes of a project."""
    return list(Fix.objects.filter(project=project).order_by("-at")[:50])


def effect(fix: Fix, now: datetime) -> Effect:
    """Return what a fix brought. The day of the fix itself counts on neither side.

    What was merged into its groups counts with them. A trace in two groups counts twice, so rates
    of several failures are an upper bound.
    """
    day = fix.at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    begins, today = day + timedelta(days=1), now.astimezone(UTC)
    ends = min(begins + timedelta(days=DAYS), today)
    of_fix = Q(pk__in=fix.failures) | Q(merged_into__in=fix.failures)
    groups = Failure.objects.filter(of_fix, project=fix.project_id).values("pk")
    sides = []
    for start, end in ((day - timedelta(days=DAYS), day), (begins, ends)):
        counted = FailureDay.objects.filter(failure__in=groups, day__gte=start.date())
        if end != today:  # else the day that is not over yet counts as well
            counted = counted.filter(day__lt=end.date())
        hits = counted.aggregate(total=Sum("events"))["total"] or 0
        totals = rollup.totals(fix.project_id, [ALL], start, end) if end > start else {}
        traces = sum(count for count, _ in totals.values())
        sides.append((max(0, min(hits, traces)), traces))
    before, after = sides
    days = max(0, (ends - begins).days)
    return Effect(before, after, days, rates_differ(before, after))
