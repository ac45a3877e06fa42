"""Reads of traces, as phrases that chain. Every one starts from a project and names its range."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from uuid import UUID

import psycopg
from django.db import connection, models, transaction
from django.db.models.expressions import RawSQL
from django.db.utils import OperationalError

from tracehub.core.query import Filter
from tracehub.traces.filter_sql import where

if TYPE_CHECKING:
    from tracehub.projects.models import Project
    from tracehub.traces.models import Trace

DEFAULT_SORT = "-started_at"
# Traces without the value come last: it stands as less than all, or as more than all.
_COLUMNS = {
    "started_at": ("traces.started_at", "traces.started_at"),
    "latency": (
        "COALESCE(traces.duration_ns, -1)",
        "COALESCE(traces.duration_ns, 9223372036854775807)",
    ),
    "cost": ("COALESCE(traces.cost, -1)", "COALESCE(traces.cost, 9999999999)"),
    "tokens": (
        "COALESCE(traces.total_tokens, -1)",
        "COALESCE(traces.total_tokens, 9223372036854775807)",
    ),
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


@dataclass(frozen=True, slots=True)
class Page:
    """Some traces in order, and the cursor of what follows them; None at the end."""

    traces: list[Trace]
    following: str | None


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """Let no statement inside run longer. Raises TooSlow when one would."""
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT set_config('statement_timeout', %s, true)", [f"{seconds * 1000:.0f}"]
                )
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, psycopg.errors.QueryCanceled):
            raise TooSlow from error
        raise


class TraceQuerySet(models.QuerySet["Trace"]):
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

    def newest_first(self) -> Self:
        """In the order of the index on (project_id, started_at, trace_id)."""
        return self.order_by("-started_at", "-trace_id")

    def page(self, *, sort: str = DEFAULT_SORT, cursor: str = "", limit: int = 50) -> Page:
        """Return `limit` traces after `cursor` in the order `sort`. Raises PageError.

        By keyset, so page 50 costs what the first one does. The order by start uses the index on
        (project_id, started_at, trace_id); the others sort what the range and filter leave.
        """
        order = Sort.of(sort)
        rows = self.annotate(
            sort_value=RawSQL(order.expression, [])  # noqa: S611 one of our own expressions
        )
        if cursor:
            sign = "<" if order.falling else ">"
            condition = f"({order.expression}, traces.trace_id) {sign} (%s, %s)"
            after = _read_cursor(order, cursor)
            rows = rows.filter(RawSQL(condition, after, output_field=models.BooleanField()))  # noqa: S611 as above
        if order.column == "started_at":
            names = ["-started_at", "-trace_id"] if order.falling else ["started_at", "trace_id"]
            rows = rows.order_by(*names)
        else:
            names = ["-sort_value", "-trace_id"] if order.falling else ["sort_value", "trace_id"]
            rows = rows.order_by(*names)
        found = list(rows[: limit + 1])
        more = len(found) > limit
        return Page(found[:limit], _cursor(found[limit - 1]) if more else None)

    def beside(self, trace: Trace, *, sort: str = DEFAULT_SORT) -> tuple[UUID | None, UUID | None]:
        """Return the ids of the traces just before and after `trace` in the order `sort`.

        `trace` itself need not be in the list. Raises PageError. Two look-ups as of `page`.
        """
        order = Sort.of(sort)
        value = RawSQL(order.expression, [])  # noqa: S611 one of our own expressions
        own = self.model._default_manager.filter(pk=trace.pk).annotate(sort_value=value)
        here = [own.values_list("sort_value", flat=True).get(), trace.trace_id]
        column = "started_at" if order.column == "started_at" else "sort_value"
        found = []
        for falling in (not order.falling, order.falling):
            condition = f"({order.expression}, traces.trace_id) {'<' if falling else '>'} (%s, %s)"
            rows = self.filter(RawSQL(condition, here, output_field=models.BooleanField()))  # noqa: S611 as above
            rows = rows.annotate(sort_value=value)
            names = [f"-{column}", "-trace_id"] if falling else [column, "trace_id"]
            found.append(rows.order_by(*names).values_list("trace_id", flat=True).first())
        return found[0], found[1]


def _cursor(trace: Trace) -> str:
    value = getattr(trace, "sort_value")  # noqa: B009 annotated by page, unknown to the type
    if isinstance(value, datetime):
        value = (value - _EPOCH) // _MICROSECOND
    text = f"{Decimal(value):f}~{trace.trace_id.hex}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(order: Sort, cursor: str) -> list[Any]:
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
