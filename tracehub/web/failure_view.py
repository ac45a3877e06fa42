"""What the failures pages show of a group: its line in the list, and all that its pane tells."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Count
from django.urls import reverse

from tracehub.core import suspect
from tracehub.core.diverse import most_different
from tracehub.core.query.terms import ALL
from tracehub.evals import querysets as evals
from tracehub.evals.models import Case
from tracehub.failures import fixes, querysets
from tracehub.failures.lifecycle import RELEASE
from tracehub.failures.models import RECENT_DAYS as DAYS
from tracehub.failures.models import Failure
from tracehub.failures.querysets import Row
from tracehub.failures.store import first_day
from tracehub.projects.models import Membership, Project, User
from tracehub.traces import rollup
from tracehub.traces.models import PromptVersion, Trace
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import failure_talk, links, marks, word_diff
from tracehub.web.trace_view.text import visible

SAMPLE = 200  # newest traces that representatives are chosen from
SHOWN, PROMOTED = 3, 5
DIFF_LINES = 8  # of each version
SECONDS = 2.0  # that the comparison of one group may take
WIDTH, HEIGHT, BAR = 72.0, 22.0, 3.6  # of a sparkline, and of a day in it
TONES = {"new": "fail", "regressed": "fail", "resolved": "pass"}
_WORD = re.compile(r"\w{3,}")


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
    cases: int
    url: str
    page: str
    current: bool
    recent: int  # traces in the last DAYS days

    @property
    def failure(self) -> Failure:
        return self.row.failure

    @property
    def events(self) -> int:
        """Traces since it was first seen; one in several merged groups counts once."""
        return max(self.recent, *(one.events for one in self._all))

    @property
    def users(self) -> int:
        """Users since it was first seen: of merged groups those of the largest, at least."""
        return max(one.users for one in self._all)

    @property
    def _all(self) -> list[Failure]:
        return [self.failure, self.failure, *self.failure.merged.all()]


@dataclass(frozen=True, slots=True)
class Example:
    """A trace of a group with what was wrong in it."""

    trace: Trace
    said: str
    url: str


def lines(
    project: Project, rows: Sequence[Row], *, now: datetime, keep: Mapping[str, str], chosen: str
) -> list[Line]:
    """Return the rows as lines. `keep` are the parameters of the list, `chosen` the open group."""
    days = querysets.days_of([row.failure for row in rows], first_day(now))
    recent = {row.failure.pk: sum(days[row.failure.pk].values()) for row in rows}
    total = traffic(project, now)
    covered = cases_of(project, [row.failure for row in rows])
    base = reverse("failures", args=[project.slug])
    return [
        Line(
            row,
            mark_of(row.failure),
            badge(row.failure, row.shown),
            spark(days.get(row.failure.pk, {}), row.failure, row.shown, now),
            recent[row.failure.pk] / total if total else None,
            covered.get(row.failure.key, 0),
            links.with_query(base, {**keep, "group": row.failure.key}),
            reverse("failure", args=[project.slug, row.failure.key]),
            row.failure.key == chosen,
            recent[row.failure.pk],
        )
        for row in rows
    ]


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


def spark(days: Mapping[date, int], failure: Failure, shown: str, now: datetime) -> Spark:
    """Return a bar per day; what came since a regression, or in a new group, is hot."""
    start = first_day(now)
    counts = [max(0, days.get(start + timedelta(days=i), 0)) for i in range(DAYS)]
    most = max(counts) or 1
    hot = {"new": failure.first_seen, "regressed": failure.regressed_at}.get(shown)
    since = hot.astimezone(UTC).date() if hot else date.max
    step = WIDTH / DAYS
    usual: list[str] = []
    bright: list[str] = []
    for i, n in enumerate(counts):
        height = max(1.0, HEIGHT * n / most)
        path = f"M{i * step:.1f} {HEIGHT:g}v{-height:.1f}h{BAR}V{HEIGHT:g}z"
        is_hot = bool(n) and start + timedelta(days=i) >= since
        (bright if is_hot else usual).append(path)
    return Spark("".join(usual), "".join(bright))


def traffic(project: Project, now: datetime) -> int:
    """Return how many traces of the project started in the last DAYS days."""
    start = datetime.combine(first_day(now), datetime.min.time(), UTC)
    found = rollup.totals(project.pk, [ALL], start, now + timedelta(hours=1))
    return sum(count for count, _ in found.values())


def cases_of(project: Project, failures: Sequence[Failure]) -> dict[str, int]:
    """Return how many cases that are not removed were made from each group, by its key."""
    home = {
        one.key: failure.key for failure in failures for one in (failure, *failure.merged.all())
    }
    rows = Case.objects.filter(project=project, removed_in=None, source_failure__in=list(home))
    found: dict[str, int] = {}
    for key, count in rows.values_list("source_failure").annotate(count=Count("pk")):
        found[home[key]] = found.get(home[key], 0) + count
    return found


def pane(project: Project, failure: Failure, now: datetime) -> dict[str, Any]:
    """Return everything that the pane of a group shows."""
    shown = querysets.shown_status(failure, now)
    start = datetime.combine(first_day(now), datetime.min.time(), UTC)
    end = now + timedelta(days=1)
    sample = querysets.newest_traces(failure, start, end, SAMPLE)
    order = most_different([features(trace) for trace in sample], PROMOTED)
    examples = [_example(project, failure, sample[i]) for i in order]
    return {
        "failure": failure,
        "shown": shown,
        "badge": badge(failure, shown),
        "mark": mark_of(failure),
        "reason": [(part, visible(value)) for part, value in failure.reason if value],
        "examples": examples[:SHOWN],
        "to_promote": examples,
        "merged": list(failure.merged.all()),
        "cases": cases_of(project, [failure]).get(failure.key, 0),
        "activities": list(querysets.activities(failure)[:10]),
        "members": _members(project),
        "eval_sets": evals.sets(project),
        "can_next": _has_versions(failure),
        "prompt": failure.since.rpartition("@")[0],
        "traces_url": links.with_query(
            reverse("traces", args=[project.slug]), {"q": f"failure:{failure.key}", "from": "14d"}
        ),
        "recent": sum(querysets.days_of([failure], first_day(now)).get(failure.pk, {}).values()),
        "fixes": [(fix, fixes.effect(fix, now)) for fix in fixes.of_failure(failure)],
        "fix_kinds": fixes.KINDS.items(),
        "new_issue": failure_talk.new_issue_url(project, failure, page_of(project, failure)),
        **_comparison(project, failure, start, end),
    }


def page_of(project: Project, failure: Failure) -> str:
    """Return the address of a failure's own page, for links from elsewhere."""
    return settings.BASE_URL + reverse("failure", args=[project.slug, failure.key])


def _has_versions(failure: Failure) -> bool:
    name = failure.since.rpartition("@")[0]
    return bool(name and querysets.prompt_order(failure.project_id, name))


def _members(project: Project) -> list[User]:
    rows = Membership.objects.filter(project=project).select_related("user")
    return [row.user for row in rows.order_by("user__email")[:100]]


def _comparison(
    project: Project, failure: Failure, start: datetime, end: datetime
) -> dict[str, Any]:
    """Return the suspect and where the group happens, with rates over the same time."""
    try:
        with bounded(SECONDS):
            hits = querysets.hits(failure, start, end)
            price = querysets.price(failure, end - timedelta(days=8), end)
    except TooSlow:
        return {"too_many": True}
    counted = rollup.totals(project.pk, list(suspect.DIMENSIONS), start, end)
    totals = {place: traces for place, (traces, _) in counted.items()}
    parts = suspect.parts(hits, totals)
    found = suspect.find(parts)
    of_prompt = found is not None and found.part.dimension == "prompt"
    family = (found.part.value if found and of_prompt else failure.since).rpartition("@")[0]
    parts = [part for part in parts if _tells(part, family, parts)]
    most = max((part.rate for part in parts), default=0.0) or 1.0
    where = [
        [(part, f"{100 * part.rate / most:.1f}%", found is not None and part == found.part)
         for part in parts if part.dimension == dimension][:4]
        for dimension in suspect.DIMENSIONS
    ]  # fmt: skip
    before = _before(failure, found)
    return {
        "price": price,
        "suspect": found,
        "change": _change(found, before),
        "diff": _diff(failure.project_id, found.part.value, before) if found and before else None,
        "where": [values for values in where if values],
    }


def _tells(part: suspect.Part, family: str, parts: Sequence[suspect.Part]) -> bool:
    """Tell whether a value is shown: the versions of one prompt, and those of tools with two."""
    name = part.value.rpartition("@")[0]
    if part.dimension == "prompt":
        return not family or name == family
    if part.dimension == "tool":
        return sum(p.dimension == "tool" and p.value.startswith(f"{name}@") for p in parts) > 1
    return True


def _change(found: suspect.Suspect | None, before: str) -> str:
    """Return what changed, in short: `refund v11 → v12`, `model gpt-4o`."""
    if found is None:
        return ""
    if found.part.dimension != "prompt":
        return f"{found.part.dimension} {found.part.value}"
    name, _, version = found.part.value.rpartition("@")
    return f"{name} {before} → {version}" if before else found.part.value


def _diff(project_id: int, label: str, before: str) -> dict[str, Any] | None:
    """Return the lines that differ between two versions, None while a template is not known."""
    name, _, version = label.rpartition("@")
    rows = PromptVersion.objects.filter(project_id=project_id, name=name)
    known = {row.version: row for row in rows.filter(version__in=[version, before])}
    if len(known) < 2 or not all(row.template for row in known.values()):
        return None
    texts = [visible(known[v].template).splitlines() for v in (before, version)]
    old, new = word_diff.compare(*texts)
    return {
        "old": [line for line in old if line.differs][:DIFF_LINES],
        "new": [line for line in new if line.differs][:DIFF_LINES],
        "author": known[version].author,
        "at": known[version].first_seen_at,
    }


def _before(failure: Failure, found: suspect.Suspect | None) -> str:
    """Return the version before the suspected one, "" without one."""
    if found is None or found.part.dimension != "prompt":
        return ""
    name, _, version = found.part.value.rpartition("@")
    order = querysets.prompt_order(failure.project_id, name)
    at = order.index(version) if version in order else 0
    return order[at - 1] if at else ""


def features(trace: Trace) -> frozenset[str]:
    """Return the cheap features of a trace that make two of them different."""
    said = f"{trace.input_preview or ''} {trace.output_preview or ''}".lower()
    facts = [*trace.prompts, *trace.model_names, trace.cohort or "", trace.name, *trace.tags]
    return frozenset([*facts, *_WORD.findall(said[:600])])


def _example(project: Project, failure: Failure, trace: Trace) -> Example:
    keys = {failure.key, *(one.key for one in failure.merged.all())}
    signal = next((s for s in trace.signals if s.get("failure") in keys), None)
    query = {"span": signal["span_id"]} if signal and signal.get("span_id") else {}
    url = links.with_query(reverse("trace", args=[project.slug, trace.hex]), query)
    said = signal["message"] if signal else ""
    if signal and signal.get("pointer"):
        said = said.partition(". Got ")[2].rstrip(".") or said
    return Example(trace, visible(said.replace("`", "")), url)
