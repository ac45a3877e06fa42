"""From spans to charts through the worker: late spans, duplicates and reviews stay exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection, transaction

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.trace import Prompt, Tokens
from tracehub.metrics import querysets, rollup
from tracehub.review import actions, queueing

HOUR = timedelta(hours=1)


@pytest.fixture
def project(db):
    return stories.project()


def total(project, metric, group=""):
    now = datetime.now(UTC)
    found = querysets.series(project, metric, group, now - 3 * HOUR, now, now=now)
    lines = {line.group: line.total for line in found.lines}
    return lines if group else lines.get("")


def agree(project):
    """The rollups say what the trace rows say, now and after the folder ran."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - 3 * HOUR
    for _ in range(2):
        with transaction.atomic(), connection.cursor() as cursor:
            assert rollup.check(cursor, project.pk, start, start + 5 * HOUR) == []
            rollup.fold(cursor)
    return True


def call(trace_id, **fields):
    return factory.span(
        trace_id,
        **{
            "cost": Decimal("0.0100"),
            "tokens": Tokens(input=100, output=20, total=120),
            "prompt": Prompt("refund", "v12"),
        }
        | fields,
    )


def test_a_late_span_and_a_duplicate_count_once(project):
    trace_id = f"{7:032x}"
    root = factory.span(trace_id, kind="agent", model=None)
    first = call(trace_id, parent_id=root.span_id)
    factory.trace(project, root, first)
    assert (total(project, "requests"), total(project, "cost")) == (1, Decimal("0.01"))
    late = call(trace_id, parent_id=root.span_id, model="o4-mini", cost=Decimal("0.0020"))
    factory.trace(project, late)
    factory.trace(project, late)
    factory.trace(project, first)
    assert (total(project, "requests"), total(project, "cost")) == (1, Decimal("0.012"))
    assert total(project, "cost", "model") == {
        "gpt-4o": Decimal("0.01"),
        "o4-mini": Decimal("0.002"),
    }
    assert agree(project)


def test_a_review_and_its_withdrawal_move_the_rates(project):
    reviewer = stories.member(project, "reviewer")
    ids = [factory.trace(project, call(f"{n:032x}")) for n in range(1, 5)]
    assert total(project, "failing_rate") == 0
    review, _ = actions.submit_review(project, UUID(hex=ids[0]), "fail", author=reviewer)
    factory.digest_now(project, ids[0])
    assert total(project, "failing_rate") == 0.25
    assert total(project, "review_fail_rate") == 1
    assert total(project, "cost_per_success") == Decimal("0.04") / 3
    assert agree(project)
    actions.withdraw(review)
    factory.digest_now(project, ids[0])
    assert total(project, "failing_rate") == 0
    assert total(project, "reviewed") == 0
    assert agree(project)


def test_verdicts_weigh_what_their_queue_drew(project):
    """Of two reviewed traces the passing one stands for four others, the failing one for itself."""
    reviewer = stories.member(project, "reviewer")
    ids = [factory.trace(project, call(f"{n:032x}")) for n in range(1, 3)]
    queue, _ = queueing.create_queue(project, "Refunds", reviewers=[reviewer])
    for trace_id, chance in zip(ids, (1.0, 0.2), strict=True):
        assert queue.items.filter(trace_id=UUID(hex=trace_id)).update(chance=chance)
    for trace_id, verdict in zip(ids, ("fail", "pass"), strict=True):
        actions.submit_review(project, UUID(hex=trace_id), verdict, author=reviewer)
        factory.digest_now(project, trace_id)
    assert total(project, "review_fail_rate") == 0.5
    assert total(project, "review_fail_estimate") == pytest.approx(1 / 6)
    assert agree(project)


def test_the_story_of_a_refund_counts_in_both_of_its_models(project):
    stories.refund_trace(project)
    assert total(project, "requests", "model") == {"gpt-4o": 1, "gpt-4o-mini": 1}
    assert total(project, "requests", "prompt") == {"refund@v12": 1}
    assert total(project, "cost") == Decimal("0.0091")
    assert total(project, "latency_p95") == pytest.approx(8410, rel=0.01)
    assert agree(project)
