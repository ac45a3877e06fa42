"""What the list of failures shows of a group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from django.urls import reverse

from tracehub.core.query.terms import ALL
from tracehub.evals import covering
from tracehub.failures import querysets
from tracehub.failures.lifecycle import RELEASE
from tracehub.failures.models import RECENT_DAYS as DAYS
from tracehub.failures.models import Failure
from tracehub.failures.triage.querysets import Row, since_day
from tracehub.projects.models import Project
from tracehub.traces import rollup
from tracehub.web import marks
from tracehub.web.failure_list import FailureState
from tracehub.web.trace_view.text import visible

WIDTH, HEIGHT, BAR = 72.0, 22.0, 0.7  # of a sparkline, and the part of its step that a bar fills
BARS = 30  # of a sparkline at most
TONES = {"new": "fail", "regressed": "fail", "resolved": "pass"}


class Spark(NamedTuple):
    """The bars of a sparkline as two paths, in pixels: one each would be half of the page."""

    usual: str
    hot: str


@dataclass(frozen=True, slots=True)
class Line:
    """A group in the list."""

    row: Row
    mark: marks.Mark
    badge: tuple[str, str]  # tone and words
    spark: Spark
    share: float | None
    coverage: covering.Coverage
    url: str
    page: str
    current: bool
    heading: str = ""  # of the cluster that begins with it

    @property
    def failure(self) -> Failure:
        return self.row.failure

    @property
    def events(self) -> int:
        return querysets.events_of(self.failure, self.row.recent)

    @property
    def users(self) -> int:
        return querysets.users_of(self.failure)

    @property
    def last_seen(self) -> datetime:
        return querysets.seen_last(self.failure)


def lines(state: FailureState, rows: Sequence[Row], now: datetime, chosen: str) -> list[Line]:
    """Return the rows as lines. `chosen` is the key of the open group."""
    project = state.project
    total = traffic(project, now, state.days)
    covered = covering.of_failures(project, [row.failure for row in rows])
    names = _assignees(rows) if state.by == "assignee" else {}
    found: list[Line] = []
    for row in rows:
        key, same = row.failure.key, row.cluster
        head = same is not None and (not found or found[-1].row.cluster != same)
        found.append(
            Line(
                row,
                mark_of(row.failure),
                badge(row.failure, row.shown),
                spark(row.days, row.failure, row.shown, now, state.days),
                row.recent / total if total else None,
                covered[row.failure.pk],
                state.url(group=key, after=str(state.after or "")),
                reverse("failure", args=[project.slug, key]),
                key == chosen,
                _heading(state.by, same.value, names) if same and head else "",
            )
        )
    return found


def _assignees(rows: Sequence[Row]) -> dict[str, str]:
    people = (row.failure.assignee for row in rows)
    return {str(one.pk): str(one) for one in people if one is not None}


def _heading(by: str, value: str, names: Mapping[str, str]) -> str:
    """Return what the failures of a cluster share, in words."""
    if by == "signal":
        return "Failing review" if value == "review" else marks.signal(value).label
    if by == "assignee":
        return names.get(value, "Nobody assigned")
    return visible(value) or ("No prompt" if by == "prompt" else "No span")


def beside(shown: Sequence[Line], key: str) -> dict[str, str]:
    """Return the addresses of the groups before and after the open one, as far as listed."""
    keys = [line.failure.key for line in shown]
    at = keys.index(key) if key in keys else -1
    return {
        "previous_url": shown[at - 1].url if at > 0 else "",
        "following_url": shown[at + 1].url if 0 <= at < len(shown) - 1 else "",
    }


def mark_of(failure: Failure) -> marks.Mark:
    """Return icon, label and tone of a group's kind."""
    if failure.kind == "review":
        return marks.Mark("review", "Failing review", "fail")
    return marks.signal(failure.kind, failure.severity)


def badge(failure: Failure, shown: str) -> tuple[str, str]:
    """Return tone and words of a status: `Resolved, after v12`."""
    words = marks.words(shown)
    if shown == "resolved" and failure.resolved_in:
        rule = failure.resolved_in
        version = rule.removeprefix(RELEASE).rpartition("@")[2]
        words += f", {'after ' if rule[0] == '>' else ''}{version}"
    return TONES.get(shown, "neutral"), visible(words)


def spark(
    days: Mapping[date, int], failure: Failure, shown: str, now: datetime, over: int = DAYS
) -> Spark:
    """Return a bar per day, or per three of a long range; what came since a regression, or in a new
    group, is hot.
    """
    start = since_day(now, over)
    width = max(1, over // BARS)
    counts = [
        sum(max(0, days.get(start + timedelta(days=i + j), 0)) for j in range(width))
        for i in range(0, over, width)
    ]
    most = max(counts) or 1
    hot = {"new": failure.first_seen, "regressed": failure.regressed_at}.get(shown)
    since = hot.astimezone(UTC).date() if hot else date.max
    step = WIDTH / len(counts)
    usual: list[str] = []
    bright: list[str] = []
    for i, n in enumerate(counts):
        height = max(1.0, HEIGHT * n / most)
        path = f"M{i * step:.1f} {HEIGHT:g}v{-height:.1f}h{BAR * step:.1f}V{HEIGHT:g}z"
        is_hot = bool(n) and start + timedelta(days=i * width + width - 1) >= since
        (bright if is_hot else usual).append(path)
    return Spark("".join(usual), "".join(bright))


def traffic(project: Project, now: datetime, over: int = DAYS) -> int:
    """Return how many traces of the project started in the last `over` days."""
    start = datetime.combine(since_day(now, over), datetime.min.time(), UTC)
    found = rollup.totals(project.pk, [ALL], start, now + timedelta(hours=1))
    return sum(count for count, _ in found.values())
