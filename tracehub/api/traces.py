"""Calls that read traces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from tracehub.api import cursors
from tracehub.api.errors import ApiError, missing
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core.media import put_back
from tracehub.core.query import parse
from tracehub.core.signals.run import worst
from tracehub.core.times import parse_range
from tracehub.digest.rows import is_failing, signal_json
from tracehub.evals.querysets import promoted
from tracehub.failures import reading as failures
from tracehub.review import querysets as reviews
from tracehub.review import summaries
from tracehub.traces import facets, listing, reading
from tracehub.traces.extent import Range
from tracehub.traces.media.reading import bodies
from tracehub.traces.models import Trace
from tracehub.traces.querysets import DEFAULT_SORT, PageError, TooSlow, bounded
from tracehub.traces.replica import store as replica
from tracehub.traces.sampling import store as sampled

SECONDS = 5.0  # that one read of a list may take
MOST_MEDIA = 64_000_000  # bytes that one answer puts back


def trace_uuid(asked: ApiRequest) -> UUID:
    """Return the trace id of the path. Raises ApiError 404: no trace has another form of id."""
    text = asked.path["trace_id"]
    if not re.fullmatch("[0-9a-fA-F]{32}", text):
        raise ApiError(404, f"trace_id must be 32 hex digits. Got {text[:60]!r}.", "trace_id")
    return UUID(hex=text)


@replica.reads
def list_traces(asked: ApiRequest) -> Answer:
    """Answer trace summaries. A cursor keeps the range of the first page, also one given by age."""
    sort = asked.query.get("sort") or DEFAULT_SORT
    wanted = parse(asked.query.get("q", ""))
    about = {"project": asked.project.pk, "list": "traces", "sort": sort}
    about |= {name: asked.query.get(name, "") for name in ("q", "from", "to")}
    if cursor := asked.query.get("cursor"):
        place, *ends = cursors.decode(cursor, about)
        start, end = map(datetime.fromisoformat, ends)
    else:
        place = ""
        start, end = time_range(asked)
    try:
        page = listing.read(
            Range(asked.project, start, end),
            wanted,
            sort=sort,
            cursor=place,
            limit=asked.whole("limit", 50),
            seconds=SECONDS,
        )
    except PageError as error:
        raise ApiError(400, str(error), error.field) from error
    except TooSlow as error:
        raise too_slow() from error
    following = page.following and cursors.encode(
        about, [page.following, start.isoformat(), end.isoformat()]
    )
    kept = sampled.kept(Range(asked.project, start, end))
    headers = {"X-TraceHub-Kept": str(kept)} if kept else {}
    return Answer({"items": _summaries(asked, page.traces), "next": following}, headers=headers)


def time_range(asked: ApiRequest) -> tuple[datetime, datetime]:
    """Return the range of `from` and `to`; without them, all that is kept. Raises TimeError."""
    now = datetime.now(UTC)
    return parse_range(asked.query.get("from", ""), asked.query.get("to", ""), now=now)


def too_slow() -> ApiError:
    """Return the refusal of a read that the database stopped."""
    return ApiError(
        400, f"This takes longer than {SECONDS:.0f} s. Ask for a shorter range or a narrower q."
    )


def _summaries(asked: ApiRequest, rows: Sequence[Trace]) -> list[dict[str, Any]]:
    said = reviews.of_traces(asked.project, [row.trace_id for row in rows])
    return [
        summaries.trace_summary(row, asked.project.slug, said.get(row.trace_id, [])) for row in rows
    ]


def get_trace(asked: ApiRequest) -> Answer:
    """Answer a whole trace, computed from its spans now."""
    trace = _load(asked)
    trace_id = UUID(hex=trace.summary.trace_id)
    said = reviews.of_trace(asked.project, trace_id)
    newest = said[0] if said else None
    verdict = newest.verdict if newest else None
    severity = worst(trace.signals)
    return Answer(
        trace.as_json(
            signals=[
                signal_json(signal) | {"failure": key}
                for signal, key in zip(
                    trace.signals, failures.failure_keys(asked.project, trace), strict=True
                )
            ],
            severity=severity,
            verdict=verdict,
            failure_modes=[mode.slug for mode in newest.modes.all()] if newest else [],
            failing=is_failing(verdict, trace.summary.status, severity),
            promoted=bool(promoted(asked.project.pk, [trace_id])),
            reviews=[summaries.review(review) for review in said],
        )
    )


def get_raw(asked: ApiRequest) -> Answer:
    """Answer what was received of every span, attribute for attribute, after masking.

    Media that were set aside are back in their places, up to MOST_MEDIA of them.
    """
    found = reading.received(asked.project, trace_uuid(asked))
    if found is None:
        raise missing("such trace")
    body = bodies(asked.project.pk, MOST_MEDIA)
    for span in found["spans"]:
        put_back(span, body)
    return Answer({"trace_id": trace_uuid(asked).hex, "project": asked.project.slug, **found})


def _load(asked: ApiRequest) -> reading.LoadedTrace:
    trace = failures.load(asked.project, trace_uuid(asked))
    if trace is None:
        raise missing("such trace")
    return trace


@replica.reads
def get_facets(asked: ApiRequest) -> Answer:
    """Answer how often each value of each key occurs; a key ignores its own terms in `q`."""
    wanted = parse(asked.query.get("q", ""))
    within = facets.Range(asked.project, *time_range(asked))
    try:
        with bounded(SECONDS):
            found = facets.counts(within, wanted)
    except TooSlow as error:
        raise too_slow() from error
    return Answer(
        {
            "items": [
                {"key": key, "value": value, "count": count, "estimated": key in found.estimated}
                for key, values in found.values.items()
                for value, count in values
            ],
            "next": None,
        }
    )
