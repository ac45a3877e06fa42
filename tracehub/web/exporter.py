"""`/metrics`: TraceHub's own health for Prometheus. Counts and times alone, nothing of a trace.

For processes of the same machine, and for who shows an admin key. Source of the format:
https://prometheus.io/docs/instrumenting/exposition_formats/ (text, version 0.0.4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from django.db import DatabaseError, transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe
from psycopg_pool import PoolTimeout

from tracehub.digest import store
from tracehub.digest.models import Heartbeat, Repricing
from tracehub.projects import keys
from tracehub.projects.actions import find_key
from tracehub.projects.models import Scope
from tracehub.traces import partitions
from tracehub.traces.models import Parked, Refusal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
REFUSED_WITHIN = timedelta(hours=1)
# A proxy on the same machine adds one of these: the request came from elsewhere.
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


@dataclass(frozen=True, slots=True)
class Sample:
    """One metric: its values by the text of their labels, "" for the only one."""

    name: str
    kind: str  # gauge or counter
    help: str
    values: Mapping[str, float]


@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Answer the numbers, 401 without leave, 503 while the database is away."""
    if not _near(request):
        headers = {name.lower(): value for name, value in request.headers.items()}
        text = keys.presented(headers)
        key = find_key(text) if text else None
        if key is None or key.scope != Scope.ADMIN:
            said = "From another machine this needs 'Authorization: Bearer' and an admin key.\n"
            answer = HttpResponse(said, status=401, content_type="text/plain; charset=utf-8")
            answer["WWW-Authenticate"] = 'Bearer realm="TraceHub"'
            return answer
    try:
        with transaction.atomic():
            text = exposition(samples(timezone.now()))
        status = 200
    except (DatabaseError, PoolTimeout):
        text, status = exposition([_up(0)]), 503
    return HttpResponse(text, status=status, content_type=CONTENT_TYPE)


def _near(request: HttpRequest) -> bool:
    if any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ip_address(request.META.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False


def exposition(found: list[Sample]) -> str:
    """Write samples in the text format."""
    lines = []
    for sample in found:
        lines.append(f"# HELP {sample.name} {sample.help}")
        lines.append(f"# TYPE {sample.name} {sample.kind}")
        for labels, value in sample.values.items():
            lines.append(f"{sample.name}{labels and f'{{{labels}}}'} {value:.15g}")
    return "\n".join(lines) + "\n"


def samples(now: datetime) -> list[Sample]:
    """Return what there is to say; a handful of queries that read no trace."""
    return [_up(1), *_ingestion(now), *_worker(now), *_storage()]


def _up(value: float) -> Sample:
    return Sample("tracehub_up", "gauge", "Whether the database answers.", {"": value})


def _ingestion(now: datetime) -> Iterator[Sample]:
    yield Sample(
        "tracehub_traces_received_total",
        "counter",
        "Traces received since the statistics of the database began.",
        {"": store.received()},
    )
    recent = Refusal.objects.filter(at__gte=now - REFUSED_WITHIN).order_by()
    by_status = recent.values_list("status").annotate(n=Count("pk"))
    yield Sample(
        "tracehub_refused_requests",
        "gauge",
        "Requests that ingestion turned away in the last hour, as noted (at a limited rate).",
        {f'status="{status}"': n for status, n in by_status},
    )


def _worker(now: datetime) -> Iterator[Sample]:
    waiting, oldest = store.lag(store.driver_cursor())
    yield Sample(
        "tracehub_queue_traces", "gauge", "Traces that wait for the worker.", {"": waiting}
    )
    lag = (now - oldest).total_seconds() if oldest else 0.0
    yield Sample(
        "tracehub_queue_oldest_seconds",
        "gauge",
        "How long the oldest of them has waited.",
        {"": max(0.0, lag)},
    )
    yield Sample(
        "tracehub_rollup_deltas", "gauge", "Changes that the charts still merge.",
        {"": store.unfolded()},
    )  # fmt: skip
    beats = Heartbeat.objects.order_by("name")
    yield Sample(
        "tracehub_worker_heartbeat_seconds",
        "gauge",
        "Since when a part of the worker has shown no sign of life.",
        {f'part="{beat.name}"': (now - beat.at).total_seconds() for beat in beats},
    )
    yield Sample(
        "tracehub_parked_traces",
        "gauge",
        "Traces that could not be digested.",
        {"": Parked.objects.count()},
    )
    yield Sample(
        "tracehub_repricings",
        "gauge",
        "Jobs that still price stored calls anew.",
        {"": Repricing.objects.filter(finished_at=None).count()},
    )


def _storage() -> Iterator[Sample]:
    yield Sample(
        "tracehub_database_bytes", "gauge", "Size of the database.", {"": store.database_size()}
    )
    counts: dict[str, float] = {}
    sizes: dict[str, float] = {}
    for each in partitions.existing():
        table, _, _ = each.table.rpartition("_")
        label = f'table="{table}"'
        counts[label] = counts.get(label, 0) + 1
        sizes[label] = sizes.get(label, 0) + each.size
    yield Sample("tracehub_partitions", "gauge", "Days that are kept, by table.", counts)
    yield Sample("tracehub_partition_bytes", "gauge", "Their size with indexes.", sizes)
