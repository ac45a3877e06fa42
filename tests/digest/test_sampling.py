"""Sampling drops what nothing speaks for, once it was quiet; charts stay exact in any order."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest
from django.db import connection, transaction

from tests import trace_factory as factory
from tests.digest.test_any_order import EMPTY, arrive, random_rows
from tests.digest.test_any_order import state as stored_state
from tests.web import stories
from tracehub.core.query import Filter
from tracehub.core.share import QUIET, in_share
from tracehub.digest import actions, sampling
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.metrics import rollup
from tracehub.projects.models import Project
from tracehub.review import actions as reviews
from tracehub.review import queueing
from tracehub.review.models import QueueItem
from tracehub.traces import actions as traces
from tracehub.traces import facets, listing
from tracehub.traces.extent import Range
from tracehub.traces.models import Arrival, Feedback, StoredSpan, Trace, TraceText, Waiting
from tracehub.traces.reading import load
from tracehub.traces.sampling import store as sampled

HOUR = timedelta(hours=1)
NEVER = 1_000  # 1 in so many: of the few traces here, none is in the share
OUTSIDE = [f"{n:032x}" for n in range(1, 400) if not in_share(UUID(int=n), NEVER)]


@pytest.fixture
def project(db):
    made = stories.project()
    traces.set_sampling(made, NEVER, by=stories.member(made, "admin"))
    return made


def later(minutes=11):
    """Let the worker come by, then judge everything as if that many minutes had passed."""
    actions.digest_all(seconds=20, sleep=lambda _: None)
    while sampling.drop_due(now=datetime.now(UTC) + timedelta(minutes=minutes)):
        pass


def left(project):
    return {trace.hex for trace in Trace.objects.filter(project_id=project.pk)}


def mismatches(project):
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    with transaction.atomic(), connection.cursor() as cursor:
        rollup.fold(cursor)
        return rollup.check(cursor, project.pk, start, start + 6 * HOUR)


def test_what_nothing_speaks_for_is_dropped_whole_and_still_counted(project):
    ids = [factory.trace(project, trace_id=t) for t in OUTSIDE[:5]]
    later(9)
    assert left(project) == set(ids)
    later()
    for model in (Trace, StoredSpan, TraceText, Waiting):
        assert not model.objects.filter(project_id=project.pk).exists()
    now = datetime.now(UTC)
    within = Range(project, now - HOUR, now + HOUR)
    assert listing.read(within, Filter()).traces == []
    assert facets.counts(within, Filter())["model"] == []
    assert str(sampled.kept(within)) == "0 in 5 kept"
    assert sampled.droppable(within) == (5, 5, False)
    assert sampled.dropped(project.pk, now - HOUR, now + HOUR) == (5, 5, 0)
    assert mismatches(project) == []


def test_failing_wrong_rated_reviewed_queued_and_promoted_traces_stay(project):
    names = iter(OUTSIDE)
    reviewer = stories.member(project, "reviewer", email="rita@example.com")
    error = factory.trace(project, trace_id=next(names), error=True, error_type="Timeout")
    agent = factory.span(next(names), kind="agent", model=None)
    failed = factory.tool_span(agent.trace_id, parent_id=agent.span_id, error=True)
    mended = factory.trace(project, agent, failed)
    plain, rated, reviewed, withdrawn, queued, promoted = (
        factory.trace(project, trace_id=next(names)) for _ in range(6)
    )
    Feedback.objects.create(project=project, trace_id=UUID(hex=rated), key="k", name="thumbs")
    reviews.submit_review(project, UUID(hex=reviewed), "pass", author=reviewer)
    given, _ = reviews.submit_review(project, UUID(hex=withdrawn), "pass", author=reviewer)
    reviews.withdraw(given)
    queue, _ = queueing.create_queue(project, "Refunds", q=f"trace:{queued}")
    QueueItem.objects.get_or_create(queue=queue, project=project, trace_id=UUID(hex=queued))
    cases, _ = evals.create_set(project, "Refunds")
    promoting.promote_trace(cases, load(project, UUID(hex=promoted)))
    later()
    assert left(project) == {error, mended, rated, reviewed, withdrawn, queued, promoted}
    assert not Waiting.objects.filter(project_id=project.pk, trace_id=UUID(hex=plain)).exists()
    assert mismatches(project) == []


def test_the_ten_minutes_begin_anew_with_each_change_and_old_traces_are_never_judged(project):
    traces.set_sampling(project, 1, by=stories.member(project, "admin", "ada@example.com"))
    old = factory.trace(project, trace_id=OUTSIDE[0])
    traces.set_sampling(project, NEVER, by=stories.member(project, "admin", "bo@example.com"))
    factory.trace(project, trace_id=OUTSIDE[1])
    factory.trace(project, factory.span(old, name="late"))
    waiting = Waiting.objects.get(project_id=project.pk)
    assert waiting.trace_id == UUID(hex=OUTSIDE[1])
    Waiting.objects.update(due_at=datetime.now(UTC))
    factory.trace(project, factory.span(OUTSIDE[1], name="late"))
    waiting.refresh_from_db()
    assert waiting.due_at > datetime.now(UTC) + QUIET / 2
    traces.set_sampling(project, 1, by=stories.member(project, "admin", "cy@example.com"))
    later()  # all is kept now: what waited is let off
    assert left(project) == {OUTSIDE[0], OUTSIDE[1]}
    assert not Waiting.objects.exists()


@pytest.mark.parametrize("number", range(2))
def test_in_any_order_the_same_traces_stay_and_the_charts_count_all(committed_db, request, number):
    draw = random.Random(f"{request.config.getoption('--seed')}-sampling-{number}")
    project = Project.objects.create(slug="skylane", name="Skylane support")
    rows = random_rows(draw, project)
    today = datetime.now(UTC).date()

    def digest_now():
        actions.digest_all(seconds=20, sleep=lambda _: None)
        connection.close()

    arrive(committed_db, [rows], [today])
    digest_now()
    whole = stored_state(committed_db)
    with psycopg.connect(committed_db, autocommit=True) as link:
        link.execute(EMPTY)
    traces.set_sampling(project, 2, by=stories.member(project, "admin"))
    sent = rows + draw.choices(rows, k=len(rows))
    draw.shuffle(sent)
    batches = [sent[at : at + 4] for at in range(0, len(sent), 4)]
    arrive(committed_db, batches, [today] * len(batches), between=digest_now)
    digest_now()
    later()
    sampled_state = stored_state(committed_db)
    gone = {arrival.trace_id for arrival in Arrival.objects.filter(dropped=True)}
    kept = [row for (row,) in whole["traces"] if UUID(row["trace_id"]) not in gone]
    assert [row for (row,) in sampled_state["traces"]] == kept
    assert all(not in_share(trace, 2) for trace in gone)
    assert not any(
        r["failing"] or r["error_count"] for (r,) in whole["traces"] if UUID(r["trace_id"]) in gone
    )
    assert sampled_state["rollups"] == whole["rollups"]
    assert sampled_state["histograms"] == whole["histograms"]

    arrive(committed_db, batches, [today] * len(batches))  # all of it once more, late
    digest_now()
    assert stored_state(committed_db) == sampled_state
    late = sampled.dropped(project.pk, datetime.now(UTC) - HOUR, datetime.now(UTC) + HOUR)
    assert bool(late.late_spans) == bool(gone)
    assert mismatches(project) == []
