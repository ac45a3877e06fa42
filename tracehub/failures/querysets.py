"""Reads of contracts and groups."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import orjson
from django.db import connection
from django.db.models import QuerySet
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from tracehub.core import span_facts
from tracehub.core.contracts import checking
from tracehub.core.query import parse
from tracehub.core.query.tree import quote
from tracehub.core.stored import content_in
from tracehub.core.versions import Known, in_order
from tracehub.failures.models import (
    Activity,
    Contract,
    Failure,
    FailureDay,
    Status,
)
from tracehub.projects.models import Project
from tracehub.traces.models import PromptVersion, Trace
from tracehub.traces.payloads.objects import whole

_KEY = re.compile(r"TH-([1-9][0-9]{0,8})")
NEW_FOR = timedelta(days=7)  # then a group that nobody decided about is ongoing
NEWEST = """
    SELECT DISTINCT ON (name) id, name, version, prompt, span FROM failures_contract
    WHERE project_id = %s ORDER BY name, version DESC
"""


@lru_cache(maxsize=500)
def _compiled(pk: int) -> checking.Contract:
    """A version never changes, so that a process compiles it once."""
    return compiled(Contract.objects.get(pk=pk))


def compiled(row: Contract) -> checking.Contract:
    """Return a version ready to check outputs."""
    return checking.Contract(
        str(row), row.prompt or None, row.span or None, row.schema, row.labels, row.nulls,
        row.escalations,
    )  # fmt: skip


def in_force(project_id: int) -> list[checking.Contract]:
    """Return the newest version of each contract of a project, compiled. One small query."""
    with connection.cursor() as cursor:
        cursor.execute(NEWEST, [project_id])
        return [_compiled(row[0]) for row in cursor.fetchall()]


def contracts(project: Project) -> list[Contract]:
    """Return the newest version of each contract, by name."""
    rows = Contract.objects.filter(project=project).order_by("name", "-version")
    return list(rows.distinct("name"))


def versions_of(project: Project, name: str) -> list[Contract]:
    """Return all versions of a contract, newest first."""
    return list(Contract.objects.filter(project=project, name=name).order_by("-version"))


def shown_status(failure: Failure, now: datetime) -> str:
    """Return the status that people see at this moment."""
    if failure.status == Status.IGNORED:
        over = failure.ignored_until is not None and failure.ignored_until <= now
        many = failure.ignored_events is not None and failure.ignored_events <= failure.events
        return "ongoing" if over or many else "ignored"
    if failure.status == Status.NEW and failure.first_seen < now - NEW_FOR:
        return "ongoing"
    return failure.status


def get(project: Project, number: int) -> Failure | None:
    """Return a group of the project by its number."""
    return (
        Failure.objects.filter(project=project, number=number)
        .select_related("assignee", "merged_into")
        .prefetch_related("merged")
        .first()
    )


def ids_of(failure: Failure) -> list[int]:
    """Return the ids under which traces know a group: its own and those merged into it."""
    return [one.pk for one in failure.together]


def seen_last(failure: Failure) -> datetime:
    """Return when a group, or one merged into it, was last seen."""
    return max(one.last_seen for one in failure.together)


def events_of(failure: Failure, recent: int) -> int:
    """Return the traces of a group since it was first seen, of which `recent` are of some days.

    Of merged groups at least: a trace may lie in several.
    """
    return max(recent, *(one.events for one in failure.together))


def users_of(failure: Failure) -> int:
    """Return the users of a group; of merged groups those of the largest, at least."""
    return max(one.users for one in failure.together)


def days_of(failures: Sequence[Failure], since: date) -> dict[int, dict[date, int]]:
    """Return events by group and UTC day; a trace in several merged groups counts once.

    From DISTINCT traces on it counts once in each of the groups that were merged.
    """
    every = [one for failure in failures for one in failure.together]
    found = {one.pk: _kept_days(one, since) for one in every}
    older = [one.pk for one in every if one.recent_from is None or one.recent_from > since]
    rows = FailureDay.objects.filter(failure_id__in=older, day__gte=since)
    for failure_id, day, events in rows.values_list("failure_id", "day", "events"):
        found[failure_id][day] = events
    summed = {
        failure.pk: dict(sum((Counter(found[pk]) for pk in ids), Counter()))
        for failure in failures
        if len(ids := ids_of(failure)) > 1
    }
    few = [one for one in failures if sum(summed.get(one.pk, {}).values()) in range(1, DISTINCT)]
    return found | summed | _distinct_days(few, since)


def _kept_days(failure: Failure, since: date) -> dict[date, int]:
    """Return the days that a group holds itself, from a day on; those without events left out."""
    if failure.recent_from is None:
        return {}
    days = ((failure.recent_from + timedelta(days=i), n) for i, n in enumerate(failure.recent))
    return {day: n for day, n in days if n and day >= since}


def by_key(project: Project, key: str) -> Failure | None:
    """Return the group of a project with a key such as `TH-418`, None without one."""
    found = _KEY.fullmatch(key)
    return get(project, int(found[1])) if found else None


def daily_mean(failure: Failure, now: datetime) -> float:
    """Return the mean of events a day over the seven days before today."""
    today = now.astimezone(UTC).date()
    days = days_of([failure], today - timedelta(days=7))[failure.pk]
    return sum(n for day, n in days.items() if day < today) / 7


# By the partial index on `failures`, all groups of a page at once.
DISTINCT_DAYS = """
    SELECT home, (t.started_at AT TIME ZONE 'UTC')::date, count(DISTINCT (t.day, t.trace_id))
    FROM unnest(%s::int8[], %s::int8[]) AS merged (home, id) JOIN traces t
        ON t.failures && ARRAY[merged.id] AND t.failures <> '{}'
    WHERE t.project_id = %s AND t.day >= %s AND t.started_at >= %s GROUP BY 1, 2
"""
DISTINCT = 2000  # traces of merged groups that are told apart; of more, days are summed


def _distinct_days(failures: Sequence[Failure], since: date) -> dict[int, dict[date, int]]:
    """Return days, in each of which a trace counts once, of groups that others went into."""
    if not failures:
        return {}
    pairs = [(failure.pk, pk) for failure in failures for pk in ids_of(failure)]
    values: list[Any] = [[pair[i] for pair in pairs] for i in (0, 1)]
    start = datetime.combine(since, datetime.min.time(), UTC)
    values += [failures[0].project_id, since - timedelta(days=1), start]
    found: dict[int, dict[date, int]] = {failure.pk: {} for failure in failures}
    with connection.cursor() as cursor:
        cursor.execute(DISTINCT_DAYS, values)
        for home, day, events in cursor.fetchall():
            found[home][day] = events
    return found


def activities(failure: Failure) -> QuerySet[Activity]:
    """Return the history of a group, newest first."""
    return failure.activities.order_by("-id")


def last_resolved(project: Project) -> Failure | None:
    """Return the group that was resolved last and is resolved still."""
    rows = Failure.objects.filter(
        project=project, status=Status.RESOLVED, resolved_at__isnull=False
    )
    return rows.order_by("-resolved_at").first()


def titles(project: Project, keys: Iterable[str]) -> dict[str, str]:
    """Return the titles of groups by their keys."""
    numbers = [int(found[1]) for key in keys if (found := _KEY.fullmatch(key))]
    rows = Failure.objects.filter(project=project, number__in=numbers)
    return {f"TH-{number}": title for number, title in rows.values_list("number", "title")}


def prompt_order(project_id: int, name: str) -> list[str]:
    """Return the versions of a prompt from first to last."""
    rows = PromptVersion.objects.filter(project_id=project_id, name=name)
    return in_order(Known(*row) for row in rows.values_list("version", "order", "first_seen_at"))


def numbers_of(project_id: int, fingerprints: Iterable[str]) -> Mapping[str, Any]:
    """Return the number of each known fingerprint, that of the group it was merged into."""
    rows = Failure.objects.filter(project_id=project_id, fingerprint__in=list(fingerprints))
    return {
        fingerprint: root or number
        for fingerprint, number, root in rows.values_list(
            "fingerprint", "number", "merged_into__number"
        )
    }


# Bitmap of the partial index on `failures`, pruned to the days of the range; not yet measured.
HITS = """
    WITH hit AS MATERIALIZED (
        SELECT prompts, models, cohort, release, tools FROM traces
        WHERE project_id = %s AND day >= %s AND started_at >= %s AND started_at < %s
            AND failures && %s::int8[] AND failures <> '{}'
    )
    SELECT 'prompt', value, count(*) FROM hit, unnest(prompts) value GROUP BY 2
    UNION ALL SELECT 'model', value, count(*) FROM hit, unnest(models) value GROUP BY 2
    UNION ALL SELECT 'cohort', cohort, count(*) FROM hit WHERE cohort IS NOT NULL GROUP BY 2
    UNION ALL SELECT 'release', release, count(*) FROM hit WHERE release IS NOT NULL GROUP BY 2
    UNION ALL SELECT 'tool', value, count(*) FROM hit, unnest(tools) value
        WHERE strpos(value, '@') > 0 GROUP BY 2
"""


def hits(failure: Failure, start: datetime, end: datetime) -> dict[tuple[str, str], int]:
    """Return how many traces of a group have each value of the dimensions of `core.suspect`."""
    day = (start - timedelta(days=1)).date()
    with connection.cursor() as cursor:
        cursor.execute(HITS, [failure.project_id, day, start, end, ids_of(failure)])
        return {(key, value): count for key, value, count in cursor.fetchall()}


# As HITS; reads the rows of a week.
PRICE = """
    SELECT count(*), coalesce(sum(cost), 0), coalesce(sum(duration_ns), 0) / 1e6 FROM traces
    WHERE project_id = %s AND day >= %s AND started_at >= %s AND started_at < %s
        AND failures && %s::int8[] AND failures <> '{}'
"""


def price(failure: Failure, start: datetime, end: datetime) -> tuple[int, Decimal, float]:
    """Return the traces of a group in [start, end): number, dollars and milliseconds spent."""
    day = (start - timedelta(days=1)).date()
    with connection.cursor() as cursor:
        cursor.execute(PRICE, [failure.project_id, day, start, end, ids_of(failure)])
        count, cost, spent = cursor.fetchone()
    return count, cost, float(spent)


def newest_traces(failure: Failure, start: datetime, end: datetime, limit: int) -> list[Trace]:
    """Return the newest traces of a group that started in [start, end)."""
    rows = Trace.objects.filter(project_id=failure.project_id).in_range(start, end)
    # The second condition is what the partial index asks for.
    rows = rows.filter(failures__overlap=ids_of(failure)).exclude(failures=[])
    return list(rows.order_by("-started_at", "-trace_id")[:limit])


OUTPUTS = """
    SELECT trace_id, facts ->> %s AS prompt, payload
    FROM spans WHERE project_id = %s AND day = %s AND trace_id = ANY(%s)
        AND NOT error AND duration_ns IS NOT NULL
        AND (%s = '' OR name = %s)
        AND (%s = '' OR split_part(coalesce(facts ->> %s, ''), '@', 1) = %s)
    ORDER BY start_ns DESC
"""


def recent_traces(
    project: Project, prompt: str, span: str, start: datetime, end: datetime, limit: int
) -> list[Trace]:
    """Return the newest traces that a prompt or a span of this name is in."""
    rows = Trace.objects.in_project(project).in_range(start, end)
    wanted = " ".join(
        [f"prompt:{quote(prompt)}"] * bool(prompt) + [f"span:{quote(span)}"] * bool(span)
    )
    return list(rows.matching(parse(wanted)).newest_first()[:limit])


def recent_outputs(
    project: Project, traces: Iterable[Trace], prompt: str, span: str
) -> list[tuple[Trace, str, Any]]:
    """Return (trace, prompt version, output) of the finished spans under a prompt and span name.

    One statement per partition, by its primary key.
    """
    by_day: dict[date, dict[Any, Trace]] = {}
    for trace in traces:
        by_day.setdefault(trace.day, {})[trace.trace_id] = trace
    found = []
    label = span_facts.DIGEST["prompt"]
    connection.ensure_connection()
    with connection.connection.cursor(row_factory=dict_row) as cursor:
        set_json_loads(orjson.loads, cursor)
        for day, own in sorted(by_day.items(), reverse=True):
            values = (label, project.pk, day, list(own), span, span, prompt, label, prompt)
            rows = whole(cursor.execute(OUTPUTS, values).fetchall())
            found += [
                (own[row["trace_id"]], row["prompt"] or "", output)
                for row in rows
                if (output := content_in(row["payload"]).get("output")) is not None
            ]
    return found
