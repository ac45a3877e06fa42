"""A page of a list of traces, quick at a million: windows by the counts, hits by the terms.

The planner takes terms to be independent and would walk a month for two common ones that rarely
meet. So the way is chosen here, by our own hourly counts: where a filter is common, the newest
traces are read and checked; where it is rare, the index on terms is asked, window by window,
newest first, until the page is full. docs/design/storage.md has the measurements.
"""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import date, timedelta

from tracehub.core.query import Filter
from tracehub.traces.extent import UNKNOWN_SHARE, Extent, Range, Window
from tracehub.traces.models import Trace
from tracehub.traces.querysets import (
    DEFAULT_SORT,
    Page,
    Sort,
    TooSlow,
    TraceQuerySet,
    bounded,
    cursor_after,
    cursor_at,
    page_of,
    read_cursor,
    value_of,
)

FIRST = 1000  # traces read and checked at first, where a filter is common: 3 ms
COMMON = 10  # a filter is, when one trace in so many may match
LOOK = 5000  # traces walked in an order by value before the matches are gathered instead
SMALL = 20_000  # traces of a range that are sorted rather than walked
CHUNK = 200  # texts with a word whose traces are checked at once
SECONDS = 3600.0  # without a limit of the caller's
_MICROSECOND = timedelta(microseconds=1)


def read(
    within: Range,
    wanted: Filter,
    *,
    sort: str = DEFAULT_SORT,
    cursor: str = "",
    limit: int = 50,
    seconds: float = SECONDS,
    without: tuple[str, ...] = (),
) -> Page:
    """Return `limit` traces of a range that match, after `cursor`; columns `without` are not read.

    An order by start stops after `seconds` with what it found and says how far it came; the
    others raise TooSlow. Raises PageError for a sort or cursor that is none.
    """
    order = Sort.of(sort)
    after = read_cursor(order, cursor) if cursor else None
    if order.column == "started_at":
        if after is not None:
            moment = after[0]
            if order.falling:
                within = within._replace(end=min(within.end, moment + _MICROSECOND))
            else:
                within = within._replace(start=max(within.start, moment))
        return _by_time(Extent(within, wanted), order, cursor, limit, seconds, without)
    with bounded(seconds):
        return _by_value(Extent(within, wanted), order, cursor, limit, without)


def beside(
    within: Range, wanted: Filter, trace: Trace, *, sort: str, seconds: float
) -> tuple[Trace | None, Trace | None]:
    """Return the traces just before and after one in a list, by two reads of a page of one.

    `trace` itself need not match. Raises PageError, and TooSlow as `read` does.
    """
    order = Sort.of(sort)
    back = Sort(order.column, not order.falling)

    def first(way: Sort, cursor: str) -> Trace | None:
        name = f"{'-' if way.falling else ''}{way.column}"
        page = read(within, wanted, sort=name, cursor=cursor, limit=1, seconds=seconds)
        return page.traces[0] if page.traces else None

    def lacks(row: Trace) -> bool:
        return value_of(row, order) is None

    before = first(back, cursor_after(trace, back))
    # Traces without the value are last both ways, so going back ends where they begin.
    if before is None and lacks(trace):
        before = first(back, "")
        before = None if before is not None and lacks(before) else before
    elif before is not None and lacks(before) and not lacks(trace):
        before = None
    return before, first(order, cursor_after(trace, order))


def _base(within: Range, days: frozenset[date], without: tuple[str, ...]) -> TraceQuerySet:
    rows = Trace.objects.in_project(within.project).in_range(within.start, within.end)
    return rows.in_partitions(days).defer(*without)


def _by_time(
    extent: Extent, order: Sort, cursor: str, limit: int, seconds: float, without: tuple[str, ...]
) -> Page:
    """Read window after window until the page is full or the time is up."""
    deadline = time.monotonic() + seconds / 2
    found: list[Trace] = []
    first = _first(extent, limit)
    if extent.pointed and extent.total > SMALL:
        with bounded(seconds):
            page = _by_words(extent, order, cursor, limit, without)
        if page is not None:
            return page
    windows = extent.windows(first, falling=order.falling)
    window = None
    try:
        with bounded(seconds / 2):  # one statement; the last may begin at the deadline
            for window in windows:
                if time.monotonic() > deadline:
                    return _stopped(found, limit, window, order)
                rows = _window(extent, window, without).after(order, cursor)
                gathered = bool(extent.required) and not _common(extent, window)
                rows = rows.in_order(order, gathered=gathered)
                found += rows[: limit + 1 - len(found)]
                if len(found) > limit:
                    break
    except TooSlow:
        if window is None:
            raise
        return _stopped(found, limit, window, order)
    return page_of(found, limit)


def _by_words(
    extent: Extent, order: Sort, cursor: str, limit: int, without: tuple[str, ...]
) -> Page | None:
    """Return the page from the texts that have the words, in chunks; None for common words."""
    if extent.hits is None:
        return None
    found: list[Trace] = []
    hits = extent.hits if order.falling else extent.hits[::-1]
    for chunk in (hits[at : at + CHUNK] for at in range(0, len(hits), CHUNK)):
        days = [hit.day for hit in chunk]
        rows = _base(extent.within, frozenset(days), without).matching(extent.wanted)
        rows = rows.at(days, [hit.trace_id for hit in chunk]).after(order, cursor)
        found += rows.in_order(order, gathered=True)[: limit + 1 - len(found)]
        if len(found) > limit:
            break
    return page_of(found, limit)


def _first(extent: Extent, limit: int) -> int:
    """Return how many matches the first window may hold, by the counts."""
    if extent.guessed:
        return max(1, FIRST // UNKNOWN_SHARE)  # FIRST traces show whether the value is common
    return FIRST if extent.wanted.parts else limit + 1


def _common(extent: Extent, window: Window) -> bool:
    """Tell whether a window is read by time and checked, rather than by the terms."""
    if extent.guessed:
        return window.traces <= 2 * FIRST
    return window.likely * COMMON >= window.traces and window.traces <= 4 * FIRST * COMMON


def _window(extent: Extent, window: Window, without: tuple[str, ...]) -> TraceQuerySet:
    """The matches of a window; by the index on terms where they are few."""
    within = extent.within._replace(start=window.start, end=window.end)
    rows = _base(within, window.days, without).matching(extent.wanted)
    if extent.required and not _common(extent, window):
        rows = rows.having(extent.terms(window.start, window.end))
    return rows


def _stopped(found: list[Trace], limit: int, window: Window, order: Sort) -> Page:
    """Return what there is, with a cursor at the first window that was not read whole."""
    reached = window.end if order.falling else window.start
    page = page_of(found[:limit], limit)
    following = cursor_at(reached, falling=order.falling)
    return replace(page, following=following, reached=reached)


def _by_value(
    extent: Extent, order: Sort, cursor: str, limit: int, without: tuple[str, ...]
) -> Page:
    """Walk the index of the order, or gather the matches and sort them where they are few."""
    rows = _base(extent.within, extent.days, without)
    if extent.total > SMALL and extent.hits is not None:
        hits = extent.hits
        rows = rows.at([hit.day for hit in hits], [hit.trace_id for hit in hits])
    elif extent.total > SMALL:
        page = _walked(extent, rows, order, cursor, limit)
        if page is not None:
            return page
    rows = rows.matching(extent.wanted).after(order, cursor)
    gathered = extent.total > SMALL and bool(extent.required or extent.pointed)
    if gathered and extent.required:
        rows = rows.having(extent.terms(extent.within.start, extent.within.end))
    return page_of(list(rows.in_order(order, gathered=gathered)[: limit + 1]), limit)


def _walked(
    extent: Extent, rows: TraceQuerySet, order: Sort, cursor: str, limit: int
) -> Page | None:
    """Return the page from the first LOOK traces of the order, or None when they do not fill it."""
    if extent.most * LOOK < limit * extent.total:
        return None  # it would be luck
    look = LOOK if extent.wanted.parts else limit + 1
    ids = rows.first_of(extent.wanted, order, cursor, look=look, limit=limit + 1)
    if len(ids) <= limit:
        return None
    place = {trace_id: index for index, trace_id in enumerate(ids)}
    whole = rows.filter(trace_id__in=ids).in_order(order)
    return page_of(sorted(whole, key=lambda trace: place[trace.trace_id]), limit)
