"""Look at dirty traces and write their rows: the worker's one loop.

A cycle takes what was dirty when it began and no more, and cycles are PAUSE apart, so a trace is
written at most once per PAUSE however many spans arrive. Everything is a function of what is
stored, so a run that dies is simply done again.
"""

from __future__ import annotations

import logging
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.stored import digest_of, span_number
from tracehub.digest import grouping, life, recheck, sampling, second, store
from tracehub.digest.joining import supplement_spans
from tracehub.digest.models import BulkJob
from tracehub.digest.rows import Digested, Known, digested, fill_previews
from tracehub.evals.querysets import promoted
from tracehub.failures import store as failures
from tracehub.failures.lifecycle import after_events
from tracehub.failures.reading import NOTHING
from tracehub.failures.rules import store as second_pass
from tracehub.metrics import rollup
from tracehub.notify.announcing import announce_failed
from tracehub.projects.conflicts import lost, settled
from tracehub.review.querysets import standing
from tracehub.review.rates import inclusion
from tracehub.traces import rollup as term_counts
from tracehub.traces.actions import register_prompts
from tracehub.traces.models import Parked
from tracehub.traces.reading import feedback_of
from tracehub.traces.texts import store as texts

logger = logging.getLogger(__name__)

PAUSE = 0.3  # seconds between two cycles
FOLD_EVERY = 5.0  # seconds between two merges of the rollups; charts add what is not merged yet
BATCH = 200  # traces in one transaction
TRIES = 3  # before a trace that cannot be digested is parked
Cursor = store.Cursor


def digest_all(*, seconds: float, sleep: Callable[[float], None] = time.sleep) -> int:
    """Work until nothing is dirty or the time is up; return how many traces were looked at."""
    end = time.monotonic() + seconds
    total = folded = 0
    fold_at = 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        done = _cycle()
        total += done
        if total > folded and (not done or began >= fold_at):
            rollup.fold_all()
            folded, fold_at = total, began + FOLD_EVERY
        judged = sampling.drop_due()
        looked = _in_the_time_left(second.look_some, until=min(end, began + PAUSE))
        again = recheck.step()
        if done:
            sleep(max(0.0, PAUSE - (time.monotonic() - began)))
        elif not (judged or looked or again) or BulkJob.any_due():
            break
    if total > folded:
        rollup.fold_all()
    return total


def digest_dirty(*, seconds: float) -> bool:
    """Bring rows up to date and leave all that comes after; tell whether none is left behind.

    For jobs that change many traces: their second looks follow when the jobs are done.
    """
    end, total = time.monotonic() + seconds, 0
    while (done := _cycle()) and time.monotonic() < end:
        total += done
    if total:
        rollup.fold_all()
    return not done


def _in_the_time_left(work: Callable[[], int], *, until: float) -> int:
    """Do what comes after lists batch by batch; count it."""
    total = 0
    while time.monotonic() < until:
        some = work()
        total += some
        life.sign()
        if not some:
            break
    return total


def _cycle() -> int:
    """Digest what is dirty now, in batches; return how many traces that were."""
    with transaction.atomic():
        mark = store.high_mark(store.driver_cursor())
    done = 0
    for shards in store.SHARDS:
        while batch := _batch(shards, mark):
            done += batch
            life.sign()
    return done


def _batch(shards: Sequence[int], mark: int, limit: int = BATCH) -> int:
    """Digest one batch in a transaction; when it fails, its traces one by one."""

    def whole() -> list[store.Claimed]:
        with transaction.atomic():
            claimed = _claim(shards, mark, limit)
            digest_traces(claimed)
        return claimed

    try:
        claimed = settled(whole)
    except Exception:
        logger.exception("A batch of traces failed; trying them one by one.")
        return _one_by_one(shards, mark, limit)
    return len(claimed)


def _claim(shards: Sequence[int], mark: int, limit: int) -> list[store.Claimed]:
    cursor = store.driver_cursor()
    taken = store.try_shards(cursor, shards)
    return store.claim(cursor, taken, up_to=mark, limit=limit, tries=TRIES) if taken else []


def _one_by_one(shards: Sequence[int], mark: int, limit: int) -> int:
    """Digest the traces of a batch alone, so that one bad trace harms only itself."""
    with transaction.atomic():
        claimed = _claim(shards, mark, limit)
    for trace in claimed:
        try:
            settled(partial(_digest_alone, trace))
        except Exception as error:
            if lost(error):
                raise  # no fault of the trace, which must not be parked for it
            logger.exception("Trace %s could not be digested.", trace.trace_id.hex)
            _count_failure(trace, error)
    return len(claimed)


@transaction.atomic
def _digest_alone(trace: store.Claimed) -> None:
    digest_traces([trace])


def _count_failure(trace: store.Claimed, error: Exception) -> None:
    with transaction.atomic():
        tries = store.failed(store.driver_cursor(), trace.project_id, trace.trace_id)
        if tries >= TRIES:
            Parked.objects.update_or_create(
                project_id=trace.project_id,
                trace_id=trace.trace_id,
                defaults={"error": f"{type(error).__name__}: {error}"[:2000]},
            )


def digest_traces(claimed: Sequence[store.Claimed]) -> None:
    """Write the rows of these traces inside the caller's transaction."""
    groups: dict[tuple[int, Any], list[store.Claimed]] = defaultdict(list)
    for trace in claimed:
        groups[trace.project_id, trace.day].append(trace)
    cursor = store.driver_cursor()
    news: list[tuple[dict[str, Any] | None, Digested]] = []
    for (project_id, day), traces in sorted(groups.items()):
        news += _digest_group(cursor, project_id, day, [trace.trace_id for trace in traces])
    added = failures.count(cursor, [grouping.moved(old, new) for old, new in news])
    after_events(added, timezone.now())
    changes = [(old, new.row) for old, new in news]
    term_counts.change(
        cursor,
        [
            term_counts.Change(old if old is not None and old["counted"] else None, new)
            for old, new in changes
        ],
    )
    announce_failed(changes)
    store.clean(cursor, claimed)


def _digest_group(
    cursor: Cursor, project_id: int, day: Any, traces: list[UUID]
) -> list[tuple[dict[str, Any] | None, Digested]]:
    """Write the rows of traces of one partition; return those that changed, before and after."""
    supplement_spans(cursor, project_id, day, traces)
    spans: dict[UUID, list[Any]] = defaultdict(list)
    for row in store.load_spans(cursor, project_id, day, traces):
        spans[row["trace_id"]].append(digest_of(row))
    results = [digested(known) for known in _known(cursor, project_id, day, spans)]
    grouping.place(cursor, project_id, results, spans)
    _fill(cursor, project_id, day, results)
    stored = store.load_traces(cursor, project_id, day, traces)
    sampling.put_up(cursor, project_id, day, [r.row["trace_id"] for r in results], stored)
    news = [
        result
        for result in results
        if stored.get(result.row["trace_id"], {}).get("digest_hash") != result.row["digest_hash"]
    ]
    changed = [result.row for result in news]
    store.write_traces(cursor, changed)
    texts.write(cursor, [result.texts for result in news if result.texts is not None])
    rollup.append(
        cursor,
        [
            (project_id, stored.get(row["trace_id"], {}).get("contribution"), row["contribution"])
            for row in changed
        ],
    )
    register_prompts(
        project_id, [(label, r["started_at"]) for r in changed for label in r["prompts"]]
    )
    second_pass.ask(project_id, day, [row["trace_id"] for row in changed])
    return [(stored.get(result.row["trace_id"]), result) for result in news]


def _known(
    cursor: Cursor, project_id: int, day: Any, spans: dict[UUID, list[Any]]
) -> Iterator[Known]:
    """Yield what is known of each trace, one statement a subject for all of them."""
    traces = list(spans)
    reviews = standing(project_id, traces)
    judged = [trace for trace, each in reviews.items() if each.verdict]
    chances = inclusion(project_id, judged) if judged else {}
    scores = feedback_of(project_id, traces)
    cases = promoted(project_id, traces)
    held = grouping.held_against_contracts(cursor, project_id, day, spans)
    rules = second_pass.rules_of(project_id)
    late = second_pass.found(project_id, traces)
    for trace, own in spans.items():
        yield Known(
            project_id,
            day,
            trace,
            own,
            reviews.get(trace),
            scores.get(trace, []),
            trace in cases,
            held.get(trace, NOTHING),
            rules,
            late.get(trace, []),
            chances.get(trace),
        )


def _fill(cursor: Cursor, project_id: int, day: Any, results: list[Digested]) -> None:
    """Read the payloads that hold input and output of each trace, at most two spans a trace."""
    wanted: dict[tuple[UUID, int], None] = {}
    for result in results:
        for span_id in (result.summary.input_span, result.summary.output_span):
            if span_id is not None:
                wanted[result.row["trace_id"], span_number(span_id)] = None
    payloads = store.load_payloads(cursor, project_id, day, list(wanted))

    def payload(result: Digested, span_id: str | None) -> dict[str, Any] | None:
        if span_id is None:
            return None
        return payloads.get((result.row["trace_id"], span_number(span_id)))

    for result in results:
        summary = result.summary
        fill_previews(
            result, payload(result, summary.input_span), payload(result, summary.output_span)
        )
