"""Sessions and users: what the traces that share an id add up to. Found by the index on terms.

A project keeps no table of them: the list walks the newest traces and adds up those it meets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from django.db import connection

from tracehub.core.query import Filter
from tracehub.core.query.terms import searched
from tracehub.core.query.tree import Absent, Not, Pattern, Term
from tracehub.traces import facets, listing
from tracehub.traces.extent import Extent, Range
from tracehub.traces.filter_sql import COLUMNS, where
from tracehub.traces.models import Trace
from tracehub.traces.querysets import (
    DEFAULT_SORT,
    Page,
    Sort,
    TraceQuerySet,
    cursor_after,
    page_of,
    read_cursor,
)

Key = Literal["session", "user"]
OTHER: dict[Key, Key] = {"session": "user", "user": "session"}
CHUNK = 300  # traces walked at once
CHUNKS = 5  # of one page: a session of thousands of traces does not hold it up
MOST = 20_000  # traces that the numbers of one page are made from
_DEFERRED = (
    "metadata", "feedback", "contribution", "signals", "terms", "span_names", "span_kinds",
    "input_preview", "output_preview",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Thread:
    """What the traces of one session or user add up to. Times are starts; `waited_ns` is a sum.

    `others` counts the users of a session, or the sessions of a user; `other` is one of them.
    """

    id: str
    traces: int
    failing: int
    reviewed: int
    first: datetime
    last: datetime
    matched: datetime | None  # the start of the newest trace that the filter let through
    tokens: int | None
    cost: Decimal | None
    waited_ns: int | None
    outcome: str | None  # of the last trace
    began: str | None  # the input of the first
    others: int
    other: str | None

    @property
    def rate(self) -> float:
        return self.failing / self.traces


@dataclass(frozen=True, slots=True)
class Threads:
    """A page, newest first. `cut` says that its numbers hold MOST traces and there are more;
    `reached` is where a search stopped that ran out of time."""

    found: list[Thread]
    following: str | None
    cut: bool = False
    reached: datetime | None = None


def read(
    within: Range, wanted: Filter, key: Key, *, cursor: str = "", limit: int = 25, seconds: float
) -> Threads:
    """Return sessions or users by their newest trace that matches. Raises PageError and TooSlow.

    The numbers hold all their traces of the range, whether or not each matches.
    """
    order = Sort.of(DEFAULT_SORT)
    before: datetime | None = read_cursor(order, cursor)[0] if cursor else None
    named = wanted.plus(Filter(Not(Term(key, (Absent(),)))))
    met: dict[str, Trace] = {}  # by id: the newest trace of each, in order
    following: str | None = cursor
    reached, deadline = None, time.monotonic() + seconds
    for _ in range(CHUNKS):
        page = listing.read(
            within, named, cursor=following or "", limit=CHUNK, seconds=seconds, without=_DEFERRED
        )
        following, reached = page.following, page.reached
        for trace in page.traces:
            met.setdefault(getattr(trace, COLUMNS[key].name), trace)
            if len(met) > limit:
                break
        late = time.monotonic() > deadline
        if len(met) > limit or following is None or reached or late:
            break
    ids = list(met)[:limit]
    if len(met) > limit:
        following, reached = cursor_after(met[ids[-1]], order), None
    summed, cut = total(within, wanted, key, ids)
    new = [one for name in ids if (one := summed.get(name)) and _is_new(one, before)]
    return Threads(new, following, cut, reached)


def _is_new(thread: Thread, before: datetime | None) -> bool:
    """Tell whether no earlier page had it: that one ended at the moment `before`."""
    return before is None or thread.matched is None or thread.matched <= before


def total(
    within: Range, wanted: Filter, key: Key, ids: Iterable[str]
) -> tuple[dict[str, Thread], bool]:
    """Return the numbers of these sessions or users in a range, and whether MOST cut them off."""
    ids = list(ids)
    if not ids:
        return {}, False
    statement, params = statement_of(within, wanted, key, ids)
    with connection.cursor() as reader:
        reader.execute(statement, params)
        rows = reader.fetchall()
    found = {row[0]: Thread(*row) for row in rows}
    return found, sum(thread.traces for thread in found.values()) >= MOST


def statement_of(within: Range, wanted: Filter, key: Key, ids: list[str]) -> tuple[str, list[Any]]:
    """Return the statement of `total`: one look into the index on terms, then the heap."""
    ranged, params = within.where(Filter())
    condition, more = where(wanted)
    column, other = COLUMNS[key].name, COLUMNS[OTHER[key]].name
    extent = Extent(within, _named(key, ids))
    days, terms = sorted(extent.days), _terms(extent, key, ids)
    statement = f"""
        SELECT id, count(*), count(*) FILTER (WHERE failing), count(verdict), min(started_at),
            max(started_at), max(started_at) FILTER (WHERE matches), sum(total_tokens)::int8,
            sum(cost), sum(duration_ns)::int8,
            (array_agg(outcome ORDER BY started_at DESC, trace_id DESC))[1],
            (array_agg(input_preview ORDER BY started_at, trace_id))[1],
            count(DISTINCT other), min(other)
        FROM (
            SELECT traces.{column} AS id, traces.{other} AS other, failing, verdict, started_at,
                trace_id, total_tokens, cost, duration_ns, outcome, input_preview,
                ({condition}) AS matches
            FROM traces
            WHERE {ranged} AND traces.day = ANY(%s) AND traces.terms && %s::bigint[]
                AND traces.{column} = ANY(%s)
            LIMIT {MOST}
        ) AS held GROUP BY id"""  # noqa: S608 names of ours, values as parameters
    return statement, [*more, *params, days, terms, ids]


def sessions(within: Range, wanted: Filter) -> int:
    """Return how many sessions of a range have a trace that matches. The caller bounds it."""
    rows = facets.source(within, wanted)
    with connection.cursor() as reader:
        reader.execute(
            f"SELECT count(DISTINCT traces.session_id) FROM traces WHERE {rows.condition}",  # noqa: S608 names of ours
            rows.params,
        )
        return int(reader.fetchone()[0])


def turns(
    within: Range,
    session: str,
    *,
    cursor: str = "",
    limit: int = 50,
    without: tuple[str, ...] = (),
) -> Page:
    """Return traces of a session, oldest first. Raises PageError; the caller bounds it."""
    rows, order = turns_of(within, session, cursor), Sort.of("started_at")
    found = rows.defer(*without).in_order(order, gathered=True)[: limit + 1]
    return page_of(list(found), limit)


def turns_of(within: Range, session: str, cursor: str = "") -> TraceQuerySet:
    """Return the traces of a session after `cursor`, in no order, by the index on terms."""
    named = _named("session", [session])
    extent = Extent(within, named)
    rows = Trace.objects.in_project(within.project).in_range(within.start, within.end)
    rows = rows.in_partitions(extent.days).matching(named)
    rows = rows.having([_terms(extent, "session", [session])])
    return rows.after(Sort.of("started_at"), cursor)


def _named(key: Key, ids: list[str]) -> Filter:
    return Filter(Term(key, tuple(Pattern((name,)) for name in ids)))


def _terms(extent: Extent, key: Key, ids: list[str]) -> list[int]:
    """The terms of these ids on the days that hold traces."""
    days = sorted({hour.start.date() for hour in extent.hours})
    return searched(extent.within.project.pk, days, [(key, name) for name in ids])
