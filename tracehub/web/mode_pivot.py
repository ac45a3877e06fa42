"""Failure modes by prompt version, model, cohort or tool: shares of the reviewed traces."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.urls import reverse

from tracehub.core.comparison import Change, holm, rate_change, reading, smallest_seen
from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.core.stats import wilson_interval
from tracehub.failures.querysets import prompt_order
from tracehub.review import querysets as reviews
from tracehub.traces.models import Trace
from tracehub.web import copy, links
from tracehub.web.copy import plain_points
from tracehub.web.trace_list.state import ListState

AXES = {"prompt": "Version", "model": "Model", "cohort": "Cohort", "tool": "Tool"}
MOST_TRACES = 20_000  # reviewed ones that are read, the newest
MOST_COLUMNS = 5
ENOUGH = 100  # reviewed traces that make a version worth a comparison
SHADES = 10
REVIEWED = Filter(Term("verdict", tuple(Pattern((v,)) for v in ("fail", "pass", "unsure"))))
_WORDS = {
    "worse": ("Worse", "fail", "fail"),
    "better": ("Better", "pass", "pass"),
    "unclear": ("No clear change", "neutral", "none"),
}


@dataclass(frozen=True, slots=True)
class Cell:
    """How many of the column's traces have the mode; `shade` is 0 to 10 of the highest share."""

    count: int
    of: int
    share: float
    interval: str
    url: str
    shade: int
    hot: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A mode in each column, and its change between the two that are compared."""

    name: str
    slug: str
    cells: list[Cell]
    change: str  # in points, and its interval; empty where nothing can be told
    said: str
    word: str
    tone: str
    icon: str
    low: str  # percent of the picture, as `at` and `high`
    high: str
    at: str


@dataclass(slots=True)
class Counts:
    """Reviewed traces by value of the axis, and of those the ones with each mode."""

    of: Counter[str]
    having: dict[str, Counter[str]]  # mode -> value -> traces

    def rate(self, mode: str, value: str) -> tuple[int, int]:
        return self.having[mode][value], self.of[value]


def context(state: ListState, axis: str, prompt: str) -> dict[str, Any]:
    """Return what the panel shows; versions are those of `prompt`, whichever the filter names."""
    axis = axis if axis in AXES else "prompt"
    wanted = _without_version(state, axis).plus(REVIEWED)
    ranged = Trace.objects.in_project(state.project).in_range(state.start, state.end)
    columns = ("prompts", "model_names", "cohort", "tools", "failure_modes")
    found = ranged.matching(wanted).newest_first().values(*columns)[:MOST_TRACES]
    counts = _counted(list(found), axis)
    shown = _columns(state, axis, counts, prompt)
    pair = _pair(axis, shown, counts)
    every = reviews.modes(state.project)
    modes = [m for m in every if any(counts.having[m.slug][value] for value in shown)]
    tabs = [(word, state.url(by=name), name == axis) for name, word in AXES.items()]
    told: dict[str, Any] = {"axis": axis, "axis_word": AXES[axis].lower(), "tabs": tabs}
    if not shown or not modes:
        return told
    rows = _rows(state, axis, counts, modes, shown, pair)
    heads = [(_short(axis, value), value, counts.of[value]) for value in shown]
    few = _few(counts, axis, modes, shown, pair)
    return told | {"pivot": rows, "heads": heads, "pair": pair, "few": few,
                   "pair_words": [_short(axis, value) for value in pair]}  # fmt: skip


def _counted(rows: Sequence[dict[str, Any]], axis: str) -> Counts:
    counts = Counts(Counter(), defaultdict(Counter))
    for row in rows:
        cohort = [row["cohort"]] if row["cohort"] else []
        values = {"prompt": row["prompts"], "model": row["model_names"], "tool": row["tools"]}
        for value in set(values.get(axis, cohort)):
            counts.of[value] += 1
            for mode in row["failure_modes"]:
                counts.having[mode][value] += 1
    return counts


def _without_version(state: ListState, axis: str) -> Filter:
    return state.wanted.ignoring("prompt") if axis == "prompt" else state.wanted


def _columns(state: ListState, axis: str, counts: Counts, prompt: str) -> list[str]:
    """Return the values with the most reviewed traces; versions are of one prompt, in order."""
    busiest = [value for value, _ in counts.of.most_common()]
    if axis != "prompt":
        return busiest[:MOST_COLUMNS]
    if not busiest:
        return []
    name = prompt or prompt_to_compare(counts.of)
    order = [f"{name}@{version}" for version in prompt_order(state.project.pk, name)]
    known = [value for value in order if value in counts.of]
    return (known or [v for v in busiest if v.partition("@")[0] == name])[-MOST_COLUMNS:]


def prompt_to_compare(traces: Mapping[str, int]) -> str:
    """Return the busiest prompt of those with two versions or more, else the busiest.

    >>> prompt_to_compare({"reply@v2": 90, "refund@v1": 20, "refund@v2": 30})
    'refund'
    """
    versions: dict[str, list[int]] = defaultdict(list)
    for label, n in traces.items():
        versions[label.partition("@")[0]].append(n)
    return max(versions, key=lambda p: (len(versions[p]) > 1, sum(versions[p]), p), default="")


def _pair(axis: str, shown: Sequence[str], counts: Counts) -> tuple[str, ...]:
    """Return the two columns that are compared: the newest version with enough, else the busiest.

    A control comes first.
    """
    if len(shown) < 2:
        return ()
    if axis == "prompt":
        many = [i for i in range(1, len(shown)) if counts.of[shown[i]] >= ENOUGH]
        at = many[-1] if many else len(shown) - 1
        return shown[at - 1], shown[at]
    first, second = sorted(shown[:2], key=lambda value: value not in ("control", "all"))
    return first, second


def _rows(
    state: ListState,
    axis: str,
    counts: Counts,
    modes: Sequence[Any],
    shown: Sequence[str],
    pair: tuple[str, ...],
) -> list[Row]:
    changes = [_change(counts, mode.slug, pair) for mode in modes]
    ps = iter(holm([change.p for change in changes if change]))
    corrected = [next(ps) if change else 1.0 for change in changes]
    highest = max(
        (n / counts.of[v] for having in counts.having.values() for v, n in having.items()),
        default=0.0,
    )
    widest = max((abs(end) for c in changes if c for end in c.interval), default=0.0) or 1.0
    rows = []
    for mode, change, p in zip(modes, changes, corrected, strict=True):
        said = reading(p, change.difference, higher_is_worse=True) if change else "unclear"
        word, tone, icon = _WORDS[said] if change else ("", "neutral", "none")
        cells = [
            _cell(state, axis, counts, mode.slug, value, highest,
                  hot=said == "worse" and value == pair[1])
            for value in shown
        ]  # fmt: skip
        low, high, at = (
            (f"{50 + 46 * x / widest:.1f}" for x in (*change.interval, change.difference))
            if change
            else ("", "", "")
        )
        text = " to ".join(plain_points(end) for end in change.interval) if change else ""
        moved = plain_points(change.difference) if change else ""
        rows.append(Row(mode.name, mode.slug, cells, moved, text, word, tone, icon, low, high, at))
    rows.sort(key=lambda row: -sum(cell.count for cell in row.cells))
    return rows


def _change(counts: Counts, mode: str, pair: tuple[str, ...]) -> Change | None:
    if not pair:
        return None
    return rate_change(counts.rate(mode, pair[0]), counts.rate(mode, pair[1]))


def _cell(
    state: ListState, axis: str, counts: Counts, mode: str, value: str, highest: float, *, hot: bool
) -> Cell:
    count, of = counts.rate(mode, value)
    low, high = wilson_interval(count, of)
    terms = (Term("mode", (Pattern((mode,)),)), Term(axis, (Pattern((value,)),)))
    only = _without_version(state, axis).plus(Filter.of(terms))
    query = {"q": str(only), "from": state.since, "to": state.until}
    url = links.with_query(
        reverse("traces", args=[state.project.slug]), {k: v for k, v in query.items() if v}
    )
    shade = round(SHADES * count / of / highest) if highest else 0
    said = f"{copy.rate(low)} to {copy.rate(high)}"
    return Cell(count, of, count / of, said, url, shade, hot)


def _short(axis: str, value: str) -> str:
    return value.partition("@")[2] or value if axis == "prompt" else value


def _few(
    counts: Counts, axis: str, modes: Sequence[Any], shown: Sequence[str], pair: tuple[str, ...]
) -> str:
    """Say of the newest column what it cannot tell yet, empty when it has enough."""
    if axis != "prompt" or not pair or counts.of[shown[-1]] >= ENOUGH:
        return ""
    newest = shown[-1]
    control = pair[1] if pair[1] != newest else pair[0]
    most = max(counts.rate(mode.slug, control)[0] for mode in modes)
    seen = smallest_seen((min(most, counts.of[control] - 1), counts.of[control]), counts.of[newest])
    number = counts.of[newest]
    points = max(1, round(seen * 100))
    return (
        f"{_short(axis, newest)} has {number} reviewed trace{'' if number == 1 else 's'}. "
        f"Too few to tell {f'a change under {points} points' if points < 100 else 'any change'}."
    )
