"""Through the worker to counts and search: late spans, reviews and retries stay exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import connection

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.query import parse
from tracehub.core.query.terms import COUNTED
from tracehub.core.times import parse_range
from tracehub.review import actions
from tracehub.traces import facets, listing
from tracehub.traces.extent import Range
from tracehub.traces.models import TermCount, Trace

SHOWN = """
    SELECT 'model', m, count(*), count(*) FILTER (WHERE failing)
    FROM traces, unnest(models) m GROUP BY 2
    UNION ALL SELECT 'verdict', coalesce(verdict, 'none'), count(*),
        count(*) FILTER (WHERE failing) FROM traces GROUP BY 2
    UNION ALL SELECT 'signal', s, count(*), count(*) FILTER (WHERE failing)
    FROM traces, unnest(signal_kinds) s GROUP BY 2
    UNION ALL SELECT 'all', '', count(*), count(*) FILTER (WHERE failing) FROM traces
"""


@pytest.fixture
def project(db):
    return stories.project()


def within(project) -> Range:
    now = datetime.now(UTC)
    return Range(project, now - timedelta(days=1), now + timedelta(hours=1))


def found(project, text: str) -> list[str]:
    return [row.hex for row in listing.read(within(project), parse(text)).traces]


def agree() -> bool:
    """The counts say what the rows say."""
    with connection.cursor() as cursor:
        cursor.execute(SHOWN)
        rows = {row[:2]: row[2:] for row in cursor.fetchall()}
    kept: dict[tuple[str, str], tuple[int, int]] = {}
    for row in TermCount.objects.filter(key__in={key for key, _ in rows} & {*COUNTED, "all"}):
        traces, failing = kept.get((row.key, row.value), (0, 0))
        kept[row.key, row.value] = (traces + row.traces, failing + row.failing)
    assert {pair: both for pair, both in kept.items() if both != (0, 0)} == rows
    return True


def test_counts_follow_reviews_late_spans_and_retries(project):
    reviewer = stories.member(project, "reviewer")
    trace_id = f"{7:032x}"
    root = factory.span(trace_id, kind="agent", model=None)
    factory.trace(project, root)
    assert agree()
    late = factory.span(trace_id, parent_id=root.span_id, model="o4-mini")
    factory.trace(project, late)
    factory.trace(project, late)
    assert agree()
    assert found(project, "model:o4-mini") == [trace_id]
    review, _ = actions.submit_review(project, UUID(hex=trace_id), "fail", author=reviewer)
    factory.digest_now(project, trace_id)
    assert agree()
    counted = facets.counts(within(project), parse(""))
    assert counted["verdict"] == [("fail", 1)]
    assert found(project, "is:failing verdict:fail") == [trace_id]
    actions.withdraw(review)
    factory.digest_now(project, trace_id)
    assert agree()
    assert found(project, "is:failing") == []


def test_a_story_is_found_by_its_words(project):
    trace_id = stories.refund_trace(project)
    for text in ("lisbon", "output:carrier_cancellation", '"not a voucher"', "kind:tool span:get*"):
        assert found(project, text) == [trace_id], text
    for text in ("isbon", "input:carrier", '"a voucher not"'):
        assert found(project, text) == [], text
    assert Trace.objects.get().terms


def test_matches_of_a_range_without_an_end_are_counted(project):
    factory.trace(project, trace_id=f"{1:032x}", error=True)
    factory.trace(project, trace_id=f"{2:032x}")
    whole = Range(project, *parse_range("1h", "", now=datetime.now(UTC)))
    assert facets.matching(whole, parse("")) == (2, False)
    assert facets.matching(whole, parse("is:failing")) == (1, False)
