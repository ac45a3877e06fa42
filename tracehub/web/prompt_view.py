"""What the prompts pages show: versions with their rates, what changed, and what came with it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.urls import reverse

from tracehub.core.metrics import METRICS, Number, Sums
from tracehub.core.query.tree import Pattern
from tracehub.core.series_filter import Condition
from tracehub.core.steps import Window, window
from tracehub.core.versions import Known, in_order
from tracehub.evals import run_querysets
from tracehub.evals.models import Run
from tracehub.failures import querysets as failures
from tracehub.failures.models import Contract, Failure
from tracehub.metrics import comparing, querysets
from tracehub.projects.models import Project
from tracehub.traces.models import PromptVersion
from tracehub.web import comparison, copy, failure_view, links, marks, word_diff
from tracehub.web.trace_view.text import visible

DAYS = 90  # that rates are summed over; traces may be gone, their sums are not
TREND = 14  # newest days of service that a line is drawn over
SIZE = 20  # percent: the change that a comparison wants to see
WIDTH, HEIGHT = 56.0, 16.0
MOST_FAILURES = 20
MOST_RUNS = 5
STAGES = (
    ("Internal", ("internal",)),
    ("Canary", ("canary",)),
    ("All", ("all", "control", "stable", "")),
)
_COUNTERS = ("failing", "cost", "successes", "own_cost")
_RATE, _COST = METRICS["failing_rate"], METRICS["cost_per_request"]
_WORD = re.compile(r"[^\W\d_]{3,}")


@dataclass(slots=True)
class Version:
    """One version with its sums over DAYS days; `daily` holds the days on which it served."""

    row: PromptVersion
    sums: Sums = field(default_factory=Sums)
    daily: dict[datetime, Sums] = field(default_factory=dict)
    stage: str = ""
    part: int | None = None  # percent of the prompt's traces in this stage, while it served
    url: str = ""
    current: bool = False

    @property
    def label(self) -> str:
        return str(self.row)

    @property
    def traces(self) -> int:
        return int(self.sums["requests"])

    @property
    def rate(self) -> Number | None:
        return _RATE.value(self.sums)

    @property
    def interval(self) -> tuple[float, float] | None:
        return _RATE.interval(self.sums)

    @property
    def cost(self) -> Number | None:
        """Cost per request in dollars, None while none served or nothing is priced."""
        return _COST.value(self.sums) if self.sums["cost"] else None

    @property
    def line(self) -> str:
        """The failing rate over the last days of service, as the path of a line."""
        days = [self.daily[day] for day in sorted(self.daily)][-TREND:]
        return _path([float(_RATE.value(day) or 0.0) for day in days])


class Prompt(NamedTuple):
    """A prompt in the list: its versions from first to last, and how it does."""

    name: str
    versions: int
    newest: Version
    whole: Version  # the newest version's row with the sums of all versions
    contracts: list[Contract]


class Stage(NamedTuple):
    """What a version did in one stage of a rollout; `sums` are empty where it never served."""

    title: str
    sums: Sums
    since: datetime | None
    rate: Number | None
    interval: tuple[float, float] | None
    now: bool
    part: int | None  # percent of the prompt's traces in its cohorts, while the version served


class Share(NamedTuple):
    """A cohort's part of the traces of a prompt, in the days that a version served."""

    name: str
    share: float
    traces: int


class Found(NamedTuple):
    """A failure that was first seen with a version, and the changed line it shares words with."""

    failure: Failure
    shown: str
    badge: tuple[str, str]
    mark: marks.Mark
    line: int | None
    words: str


def frame_of(now: datetime, days: int = DAYS) -> Window:
    """Return the last days, whole ones, today included."""
    start = now - timedelta(days=days - 1)
    return window(start, now, now=now, step=timedelta(days=1))


def prompts(project: Project, now: datetime) -> list[Prompt]:
    """Return every prompt, the busiest first. Two queries and one of contracts."""
    by_name: dict[str, list[PromptVersion]] = {}
    for row in PromptVersion.objects.filter(project=project).defer("template"):
        by_name.setdefault(row.name, []).append(row)
    read = querysets.read(project, frame_of(now, 30), group="prompt", counters=_COUNTERS)
    contracts = failures.contracts(project)
    found = []
    for name, rows in by_name.items():
        versions = _ordered(rows, read)
        daily: dict[datetime, Sums] = {}
        for version in versions:
            for day, sums in version.daily.items():
                daily.setdefault(day, Sums()).add(sums)
        whole = Version(versions[-1].row, querysets.added(daily.values()), daily)
        under = [contract for contract in contracts if contract.prompt == name]
        found.append(Prompt(name, len(versions), versions[-1], whole, under))
    return sorted(found, key=lambda prompt: (-prompt.whole.traces, prompt.name))


def versions(project: Project, name: str, now: datetime) -> list[Version]:
    """Return the versions of a prompt from first to last, with their stages."""
    rows = PromptVersion.objects.filter(project=project, name=name)
    if not rows:
        return []
    every = Condition("prompt", (Pattern((f"{name}@", "")),))
    frame = frame_of(now)
    read = querysets.read(project, frame, group="prompt", counters=_COUNTERS, narrow=(every,))
    return _ordered(rows, read)


def _ordered(rows: Iterable[PromptVersion], read: querysets.Groups) -> list[Version]:
    by_version = {row.version: row for row in rows}
    order = in_order(Known(r.version, r.order, r.first_seen_at) for r in by_version.values())
    found = []
    for version in order:
        row = by_version[version]
        daily = read.get(str(row), {})
        found.append(Version(row, querysets.added(daily.values()), daily))
    return found


def cohorts(project: Project, label: str, now: datetime) -> dict[str, dict[datetime, Sums]]:
    """Return the sums of a version, or of `name@*`, by cohort and day."""
    name, _, version = label.rpartition("@")
    value = Pattern((f"{name}@", "")) if version == "*" else Pattern((label,))
    narrow = (Condition("prompt", (value,)),)
    return querysets.read(
        project, frame_of(now), group="cohort", counters=("failing",), narrow=narrow
    )


Served = Mapping[str, Mapping[datetime, Sums]]


def stages(served: Served, all_shares: Sequence[Share]) -> list[Stage]:
    """Return the stages of a rollout that a version went through, by its cohorts."""
    named = {name for _, names in STAGES for name in names}
    groups: list[tuple[str, Sequence[str]]] = list(STAGES)
    groups[1:1] = [(other.capitalize(), (other,)) for other in sorted(set(served) - named)]
    last = max((day for days in served.values() for day in days), default=None)
    found = []
    for title, names in groups:
        days = [item for name in names for item in served.get(name, {}).items()]
        sums = querysets.added(each for _, each in days)
        since = min((day for day, _ in days), default=None)
        is_now = last is not None and any(day == last for day, _ in days)
        rates = _RATE.value(sums), _RATE.interval(sums)
        found.append(Stage(title, sums, since, *rates, is_now, _part(all_shares, names)))
    return found


def _part(all_shares: Sequence[Share], names: Collection[str]) -> int | None:
    """Return the percent of traces in these cohorts."""
    here = sum(each.traces for each in all_shares if each.name in names)
    return copy.part(here, sum(each.traces for each in all_shares))


def shares(everyone: Served, version: Version) -> list[Share]:
    """Return the cohorts of all versions of a prompt while this one served, the largest first."""
    if not version.daily:
        return []
    first, last = min(version.daily), max(version.daily)
    counts = {
        name: int(sum(sums["requests"] for day, sums in days.items() if first <= day <= last))
        for name, days in everyone.items()
    }
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [Share(name, n / total, n) for name, n in ordered if n]


def compared(project: Project, this: Version, other: Version, now: datetime) -> dict[str, Any]:
    """Return both versions metric by metric with 95 % intervals, over the days they served."""
    if not this.daily or not other.daily:
        return {}
    start = max(min(*this.daily, *other.daily), now - timedelta(days=DAYS - 1))
    end = min(now, max(this.daily) + timedelta(days=1))
    frame = window(start, end, now=now)
    pair = (other.label, this.label)
    found = comparing.compare(project, frame, "prompt", pair, wanted=SIZE / 100)
    return {
        "rows": [comparison.drawn(row, SIZE) for row in found.rows],
        "together": found.together,
    }


def diff(this: PromptVersion, other: PromptVersion | None, *, full: bool) -> dict[str, Any]:
    """Return what changed since another version, or the whole text; empty without a template."""
    new = visible(this.template).splitlines()
    if not new:
        return {}
    if full or other is None or not other.template:
        rows = [
            word_diff.Row("same", number, line.runs)
            for number, line in enumerate(word_diff.plain(new), 1)
        ]
        return {"lines": rows, "compared": False}
    rows = word_diff.unified(visible(other.template).splitlines(), new)
    kinds = [row.kind for row in rows]
    return {
        "lines": rows,
        "compared": True,
        "added": kinds.count("ins"),
        "removed": kinds.count("del"),
        "too_long": max(len(new), len(other.template.splitlines())) > word_diff.LINES_AT_MOST,
    }


def first_seen(
    project: Project, label: str, lines: Sequence[word_diff.Row], now: datetime
) -> list[Found]:
    """Return the failures whose first trace was of a version, the most frequent first."""
    rows = Failure.objects.filter(project=project, since=label, merged_into=None, events__gt=0)
    changed = [row for row in lines if row.kind == "ins"]
    found = []
    for failure in rows.order_by("-events", "number")[:MOST_FAILURES]:
        shown = failures.shown_status(failure, now)
        line, words = likely_line(failure.title, changed)
        badge = failure_view.badge(failure, shown)
        mark = failure_view.mark_of(failure)
        found.append(Found(failure, shown, badge, mark, line, words))
    return found


def likely_line(title: str, changed: Sequence[word_diff.Row]) -> tuple[int | None, str]:
    """Return the changed line that shares most words with a title, and these words.

    None when no line shares a word of three letters, or two lines share as many: a guess by words
    alone, which the page says.
    """
    wanted = set(_WORD.findall(title.lower()))
    scored = []
    for row in changed:
        line = "".join(text for text, _ in row.runs).lower()
        shared = wanted & set(_WORD.findall(line))
        scored.append((len(shared), row.number, ", ".join(sorted(shared))))
    scored.sort(key=lambda item: (-item[0], item[1]))
    if not scored or not scored[0][0] or (len(scored) > 1 and scored[1][0] == scored[0][0]):
        return None, ""
    return scored[0][1], scored[0][2]


def runs(project: Project, label: str) -> list[Run]:
    """Return the newest runs of eval sets whose candidate was this version."""
    found = run_querysets.of_project(project).filter(prompt_version=label)
    return list(found.order_by("-number")[:MOST_RUNS])


def urls(project: Project, this: Version, other: Version | None) -> dict[str, str]:
    """Return where the traces of a version and its comparison with another are."""
    traces = reverse("traces", args=[project.slug])
    found = {
        "traces_url": links.with_query(
            traces, {"q": f"prompt:{Pattern((this.label,))}", "from": "14d"}
        )
    }
    if other is not None:
        query = {"by": "prompt", "control": other.label, "other": this.label, "from": "14d"}
        found["compare_url"] = links.with_query(
            reverse("metrics_compare", args=[project.slug]), query
        )
    return found


def served_now(
    all_versions: Sequence[Version], everyone: Served, project: Project, now: datetime
) -> None:
    """Say on each version in which cohort it served most, of those on its last day."""
    for version in all_versions:
        if not version.daily:
            continue
        last = max(version.daily)
        if last < now.astimezone(UTC) - timedelta(days=2):
            continue
        by_cohort = cohorts(project, version.label, now)
        there = {n: days[last]["requests"] for n, days in by_cohort.items() if last in days and n}
        version.stage = max(there, key=lambda name: float(there[name]), default="")
        version.part = _part(shares(everyone, version), (version.stage,))


def _path(values: Sequence[float]) -> str:
    """Return the path of a line through these values, "" with less than two."""
    if len(values) < 2:
        return ""
    most = max(values) or 1.0
    step = WIDTH / (len(values) - 1)
    points = [
        f"{i * step:.1f} {HEIGHT - 1 - (HEIGHT - 3) * value / most:.1f}"
        for i, value in enumerate(values)
    ]
    return "M" + "L".join(points)
