"""Reads of traces, as phrases that chain. Every one starts from a project and names its range."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

import psycopg
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.utils import OperationalError

from tracehub.core.query import Filter
from tracehub.projects.store import driver_error
from tracehub.traces.filter_sql import where

if TYPE_CHECKING:
    from tracehub.projects.models import Project

AT = "(traces.day, traces.trace_id) IN (SELECT * FROM unnest(%s::date[], %s::uuid[]))"
DEFAULT_SORT = "-started_at"
_FIELDS = {
    "started_at": "started_at",
    "latency": "duration_ns",
    "cost": "cost",
    "tokens": "total_tokens",
}
# Traces without the value come last: it stands as less than all, or as more than all.
_LAST = {
    "latency": (-1, 9223372036854775807),
    "cost": (-1, 9999999999),
    "tokens": (-1, 9223372036854775807),
}
_COLUMNS = {"started_at": ("traces.started_at", "traces.started_at")} | {
    name: tuple(f"COALESCE(traces.{_FIELDS[name]}, {last})" for last in both)
    for name, both in _LAST.items()
}
SORTS = tuple(_COLUMNS)
_CURSOR = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)~([0-9a-f]{32})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PageError(ValueError):
    """A sort or cursor that is none; `field` names which."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


class TooSlow(Exception):
    """The database stopped a statement at the limit of `bounded`."""


class Sort(NamedTuple):
    """An order of traces: `latency` rises, `-latency` falls."""

    column: str
    falling: bool

    @classmethod
    def of(cls, text: str) -> Sort:
        """Return the order that `text` names. Raises PageError."""
        column = text.removeprefix("-")
        if column not in _COLUMNS:
            message = f"sort must be one of {', '.join(SORTS)}, with - to fall. Got {text[:40]!r}."
            raise PageError("sort", message)
        return cls(column, text.startswith("-"))

    @property
    def expression(self) -> str:
        return _COLUMNS[self.column][0 if self.falling else 1]

    @property
    def walked(self) -> str:
        """The expression that is indexed; rising, traces without the value would come first."""
        return _COLUMNS[self.column][0]


@dataclass(frozen=True, slots=True)
class Page:
    """Some traces in order, and the cursor of what follows them; None at the end.

    `reached` is where a search stopped that ran out of time: what lies beyond it is not looked at.
    """

    traces: list[Any]  # of the model `Trace`, which imports this module
    following: str | None
    reached: datetime | None = None


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Let no statement inside run longer. Raises TooSlow when one would. May be nested."""
    nested = connection.in_atomic_block  # else the end of the transaction brings the old one back
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT current_setting('statement_timeout'),"
                    " set_config('statement_timeout', %s, true)",
                    [f"{max(1.0, seconds * 1000):.0f}"],
                )
                before = cursor.fetchone()[0]
            yield
            if nested:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT set_config('statement_timeout', %s, true)", [before])
    except (OperationalError, psycopg.OperationalError) as error:
        if isinstance(driver_error(error), psycopg.errors.QueryCanceled):
            raise TooSlow from error
        raise


class TraceQuerySet(models.QuerySet[Any]):
    """Traces of one project, pruned to the partitions that can hold the range."""

    def in_project(self, project: Project) -> Self:
        return self.filter(project_id=project.pk)

    def in_range(self, start: datetime, end: datetime) -> Self:
        """Traces started in [start, end). Postgres skips the partitions before it.

        No stored start is more than a day after arrival, so `started_at >= start` implies
        `day >= start - 1 day`; a late trace may lie in any later partition.
        """
        return self.filter(
            started_at__gte=start,
            started_at__lt=end,
            day__gte=(start - timedelta(days=1)).date(),
        )

    def matching(self, wanted: Filter) -> Self:
        """Traces that a filter of `core.query` lets through."""
        condition, params = where(wanted)
        return self.filter(RawSQL(condition, params, output_field=models.BooleanField()))  # noqa: S611 our own SQL, values as parameters

    def in_partitions(self, days: Iterable[date]) -> Self:
        """Traces of these partitions: of those that the hourly counts name for a window."""
        return self.filter(day__in=sorted(days))

    def having(self, terms: Iterable[list[int]]) -> Self:
        """Traces that have one term of each list. By the index on terms; hashes may collide."""
        rows = self
        for anyof in terms:
            rows = rows.filter(
                RawSQL("traces.terms && %s::bigint[]", [anyof], output_field=models.BooleanField())
            )
        return rows

    def at(self, days: list[date], traces: list[UUID]) -> Self:
        """Traces by their place: partition days and ids, side by side."""
        condition = AT
        return self.filter(RawSQL(condition, [days, traces], output_field=models.BooleanField()))  # noqa: S611 as above

    def newest_first(self) -> Self:
        """In the order of the index on (project_id, started_at, trace_id)."""
        return self.order_by("-started_at", "-trace_id")

    def place(self, trace: Any, order: Sort, most: int) -> tuple[int, int] | None:
        """Return how many of how many `trace` is in this order, counting up to `most` each.

        None when it is not among them.
        """
        if not self.at([trace.day], [trace.trace_id]).exists():
            return None
        back = Sort(order.column, not order.falling)
        before = self.after(back, cursor_after(trace, back))[:most].count()
        return before + 1, self[:most].count()

    def page(self, *, sort: str = DEFAULT_SORT, cursor: str = "", limit: int = 50) -> Page:
        """Return `limit` traces after `cursor` in the order `sort`. Raises PageError.

        By keyset, so page 50 costs what the first one does. The order by start uses the index on
        (project_id, started_at, trace_id); the others sort what the range and filter leave.
        `listing.read` is what lists use: it goes by the counts and the other indexes.
        """
        order = Sort.of(sort)
        found = list(self.after(order, cursor).in_order(order)[: limit + 1])
        return page_of(found, limit)

    def after(self, order: Sort, cursor: str) -> Self:
        """Traces that follow the one a cursor stands for. Raises PageError."""
        return self._after(order.expression, order, cursor)

    def _after(self, expression: str, order: Sort, cursor: str) -> Self:
        if not cursor:
            return self
        sign = "<" if order.falling else ">"
        condition = f"({expression}, traces.trace_id) {sign} (%s, %s)"
        params = read_cursor(order, cursor)
        return self.filter(RawSQL(condition, params, output_field=models.BooleanField()))  # noqa: S611 one of our own expressions

    def in_order(self, order: Sort, *, gathered: bool = False) -> Self:
        """In an order, with the value that `page_of` makes a cursor from.

        `gathered` keeps the planner from walking the index of the order: for conditions that
        another index finds, which it takes to be commoner than they are.
        """
        rows = self.annotate(sort_value=RawSQL(order.expression, []))  # noqa: S611 as above
        name = "started_at" if order.column == "started_at" else "sort_value"
        if gathered:
            if order.column == "started_at":
                rows = rows.annotate(moved=RawSQL("traces.started_at + interval '0'", []))
                name = "moved"
            else:
                rows = rows.annotate(moved=RawSQL(f"{order.expression} + 0", []))  # noqa: S611 as above
                name = "moved"
        names = [f"-{name}", "-trace_id"] if order.falling else [name, "trace_id"]
        return rows.order_by(*names)

    def first_of(
        self, wanted: Filter, order: Sort, cursor: str, *, look: int, limit: int
    ) -> list[UUID]:
        """Return ids of `limit` matches among the first `look` traces of an order, in that order.

        Walks the index of the order, 3 us a trace; the filter is checked on what it gives. Rising,
        traces without the value are left out, as they come last.
        """
        rows = self._after(order.walked, order, cursor)
        if not order.falling:
            condition = f"{order.walked} >= 0"
            rows = rows.filter(RawSQL(condition, [], output_field=models.BooleanField()))  # noqa: S611 as above
        names = ["-sort_value", "-trace_id"] if order.falling else ["sort_value", "trace_id"]
        rows = rows.annotate(sort_value=RawSQL(order.walked, [])).order_by(*names)[:look]  # noqa: S611 as above
        inner, params = rows.query.sql_with_params()
        condition, more = where(wanted)
        statement = f"SELECT trace_id FROM ({inner}) AS traces WHERE {condition} LIMIT %s"  # noqa: S608 our own SQL
        with connection.cursor() as reader:
            reader.execute(statement, [*params, *more, limit])
            return [trace_id for (trace_id,) in reader.fetchall()]


def page_of(found: list[Any], limit: int) -> Page:
    """Return the page of `limit` rows, one more of which tells that there are others."""
    more = len(found) > limit
    return Page(found[:limit], _cursor(found[limit - 1]) if more else None)


def cursor_at(moment: datetime, *, falling: bool) -> str:
    """Return the cursor of a list by start that goes on at a moment."""
    micros = (moment - _EPOCH) // _MICROSECOND
    digits = "0" * 32
    text = f"{micros if falling else micros - 1}~{digits if falling else 'f' * 32}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def cursor_after(trace: Any, order: Sort) -> str:
    """Return the cursor of what follows a trace in an order; one without the value is last."""
    value = value_of(trace, order)
    if value is None:
        value = _LAST[order.column][0 if order.falling else 1]
    return _cursor_of(value, trace.trace_id)


def value_of(trace: Any, order: Sort) -> Any:
    """Return what a trace is ordered by, None when it lacks it."""
    return getattr(trace, _FIELDS[order.column])


def _cursor(trace: Any) -> str:
    return _cursor_of(getattr(trace, "sort_value"), trace.trace_id)  # noqa: B009 annotated by page, unknown to the type


def _cursor_of(value: Any, trace_id: UUID) -> str:
    if isinstance(value, datetime):
        value = (value - _EPOCH) // _MICROSECOND
    text = f"{Decimal(value):f}~{trace_id.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(order: Sort, cursor: str) -> list[Any]:
    """Return the sort value and id that `cursor` stands for. Raises PageError."""
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        found = _CURSOR.fullmatch(base64.urlsafe_b64decode(padded.encode("ascii")).decode("ascii"))
    except (binascii.Error, UnicodeError):
        found = None
    if found is None:
        raise PageError("cursor", f"cursor must be one that a page gave. Got {cursor[:40]!r}.")
    value: Any = Decimal(found[1])
    if order.column == "started_at":
        try:
            value = _EPOCH + int(value) * _MICROSECOND
        except OverflowError:
            message = f"cursor must be one that a page gave. Got {cursor[:40]!r}."
            raise PageError("cursor", message) from None
    return [value, UUID(hex=found[2])]
