"""Pages by counts and terms give what a plain scan with the filter gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trace_rows import trace_row
from tracehub.core.query import parse
from tracehub.projects.models import Project
from tracehub.traces import extent, listing
from tracehub.traces.extent import Range
from tracehub.traces.models import Trace
from tracehub.traces.texts import store

pytestmark = pytest.mark.django_db
DAYS = 6


@pytest.fixture
def within(monkeypatch) -> Range:
    """Sixty traces over six days, read with windows so small that there are many of them."""
    project = Project.objects.create(slug="skylane", name="Skylane")
    now = datetime.now(UTC)
    for n in range(60):
        trace_row(
            project,
            name=f"n{n}",
            started_at=now - timedelta(hours=n * 2.3, minutes=n % 7),
            model_names=["gpt-4o"] if n % 3 else ["o3", "gpt-4o-mini"],
            cohort="canary" if n % 5 == 0 else None,
            prompts=[f"refund@v{n // 20}"],
            failing=n % 4 == 0,
            user_id=f"u{n % 9}",
            tags=["x"] if n % 2 else [],
            metadata={"tenant": n % 3, "share": n / 2, "deep": {"a": 1}},
            duration_ns=None if n % 11 == 0 else n % 6 * 10**9,
            cost=Decimal(n % 8),
            total_tokens=n,
            input_preview=f"I want {n % 4} money back, order-{n}",
            output_preview="返金してください" if n % 10 == 0 else "Refunded.",
        )
    monkeypatch.setattr(listing, "FIRST", 4)
    monkeypatch.setattr(listing, "SMALL", 10)
    monkeypatch.setattr(listing, "LOOK", 12)
    monkeypatch.setattr(listing, "CHUNK", 3)
    monkeypatch.setattr(extent, "HITS", 20)
    monkeypatch.setattr(extent, "PROBE", 8)
    monkeypatch.setattr(extent, "FEW", 3)
    monkeypatch.setattr(extent, "NEAR", 4)
    return Range(project, now - timedelta(days=DAYS), now + timedelta(seconds=1))


def plain(within: Range, text: str, sort: str) -> list[str]:
    rows = Trace.objects.in_project(within.project).in_range(within.start, within.end)
    return [row.name for row in rows.matching(parse(text)).page(sort=sort, limit=100).traces]


def pages(within: Range, text: str, sort: str, limit: int, cursor: str | None = "") -> list[str]:
    seen: list[str] = []
    while cursor is not None:
        page = listing.read(within, parse(text), sort=sort, cursor=cursor, limit=limit)
        seen += [row.name for row in page.traces]
        cursor = page.following
    return seen


SORTS = ("-started_at", "started_at", "-latency", "latency", "-cost", "tokens")
TERMS = (
    "model:gpt-4o", "model:o3,gpt-4o", "model:gpt*", "cohort:canary", "-cohort:canary",
    "cohort:none", "prompt:refund", "prompt:refund@v1", "is:failing", "is:passing",
    "is:unreviewed", "user:u3", "user:u3,u4", "tag:x", "-tag:x", "meta.tenant:1", "meta.share:2.5",
    "meta.share:3", 'meta.deep:"{""a"": 1}"'.replace('""', '\\"'), "latency:>2s", "name:n7",
    "(model:o3 OR user:u1)", "(model:o3 OR latency:>4s)", "money", '"2 money"', "mon", "oney",
    "order-7", "返金して", "ください", "金し", "output:refunded", "-input:order", "input:want*back",
    "verdict:fail", "kind:llm",
)  # fmt: skip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.sampled_from([t for t in TERMS if not t.startswith("kind")]), max_size=3),
    st.sampled_from(SORTS),
    st.sampled_from((7, 50)),
)
def test_pages_by_index_hold_what_a_scan_finds_in_its_order(within, parts, sort, limit):
    text = " ".join(parts)
    assert pages(within, text, sort, limit) == plain(within, text, sort)


@pytest.mark.parametrize("sort", ["-started_at", "-cost"])
def test_text_inside_words_is_looked_for_where_trigrams_are(within, monkeypatch, sort):
    texts = (
        "input:*rder-7*",
        "input:*oney*",
        '"money back"',
        "output:*efund* tag:x",
        "input:*q7q*",
    )
    assert not store.has_trigrams(), "the embedded server has no contrib"
    monkeypatch.setattr(store, "has_trigrams", lambda: True)
    hits = [extent.Extent(within, parse(text)).hits for text in texts]
    assert [found and len(found) for found in hits] == [1, None, None, None, []]
    for text in texts:
        assert pages(within, text, sort, 7) == plain(within, text, sort)


@pytest.mark.parametrize("text", ["user:u3", "user:u3 model:gpt-4o"])
def test_what_nobody_counts_is_looked_for_by_the_terms(within, text, django_assert_max_num_queries):
    """One look at the newest hours, which a common value fills a page from; then the index."""
    with django_assert_max_num_queries(40) as asked:
        listing.read(within, parse(text), limit=50)
    reads = [one["sql"] for one in asked if " AS sort_value" in one["sql"].replace('"', "")]
    assert len(reads) > 2
    assert "terms &&" not in reads[0]
    assert all("terms &&" in sql for sql in reads[2:])


@pytest.mark.parametrize("sort", SORTS)
def test_every_trace_of_a_list_has_the_neighbours_it_has_there(within, sort):
    wanted = parse("-user:u3")
    order = plain(within, "-user:u3", sort)
    rows = {row.name: row for row in Trace.objects.in_project(within.project)}
    for above, name, below in zip([None, *order], order, [*order[1:], None], strict=False):
        found = listing.beside(within, wanted, rows[name], sort=sort, seconds=20)
        assert tuple(row and row.name for row in found) == (above, below), name


@pytest.mark.parametrize("sort", ["-started_at", "started_at"])
def test_a_search_that_runs_out_of_time_goes_on_where_it_stopped(within, monkeypatch, sort):
    clock = iter([0.0, 0.0, 0.0, *[99.0] * 100])  # begins, looks at two windows, and is late
    monkeypatch.setattr(listing.time, "monotonic", lambda: next(clock))
    first = listing.read(within, parse("-user:u3"), sort=sort, limit=50, seconds=20)
    assert first.reached is not None
    assert 0 < len(first.traces) < 50
    rest = pages(within, "-user:u3", sort, 50, cursor=first.following)
    assert [row.name for row in first.traces] + rest == plain(within, "-user:u3", sort)
