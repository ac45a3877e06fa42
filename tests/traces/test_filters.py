"""Filters on trace rows: what each key finds, and that nothing typed becomes SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import trace_factory
from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.core.query import FilterError, keys, parse
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.projects.models import Project
from tracehub.review import actions as reviews
from tracehub.traces import extent, facets, listing
from tracehub.traces.extent import Extent
from tracehub.traces.filter_sql import COLUMNS, where
from tracehub.traces.models import Trace
from tracehub.traces.querysets import PageError

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="skylane", name="Skylane")


def names(project: Project, text: str) -> set[str]:
    now = datetime.now(UTC)
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=1), now)
    return {row.name for row in rows.matching(parse(text))}


FEATURES = {
    "verdict": "fail",
    "failure_modes": ["wrong-amount"],
    "reviewers": ["maja@skylane.example"],
    "severity": "high",
    "agents": ["planner"],
    "prompts": ["refund@v12"],
    "model_names": ["gpt-4o-mini"],
    "providers": ["openai"],
    "tools": ["get_booking@2.1"],
    "span_kinds": ["agent", "tool"],
    "span_names": ["plan trip"],
    "environment": "staging",
    "cohort": "canary",
    "release": "2026.11.3",
    "session_id": "s-91",
    "user_id": "u_48f1",
    "tags": ["lang:sv"],
    "metadata": {"tenant": 12, "tier": "gold", "by": {"team": ["a", "b c"]}, "x.y": 7},
    "attributes": [
        {"http.route": "/it's", "n": {"deep": [1, 2.5]}, "ok": True},
        {"http.route": "/other", "prompt": "x" * 300},
    ],
    "duration_ns": 8_400_000_000,
    "ttft_ns": 412_000_000,
    "cost": Decimal("0.31"),
    "total_tokens": 12_400,
    "input_tokens": 12_000,
    "output_tokens": 400,
    "span_count": 40,
    "retries": 3,
    "fallbacks": 1,
    "timeouts": 1,
    "streaming": True,
    "promoted": True,
    "outcome": "escalated",
    "finish_reasons": ["length"],
    "input_preview": "100% of X_7, please",
    "output_preview": '{"refund": null}',
    "signals": [signal("schema_error", message="/refund/amount must be number")],
    "failing": True,
    "status": "error",
    "feedback": [
        {"name": "grounded", "value": 0.2},
        {"name": "thumbs", "value": False},
        {"name": "said", "value": "yes"},
    ],
}
PLAIN = {
    "model_names": ["mistral-large"],
    "prompts": ["summary@v4"],
    "providers": ["mistral"],
    "output_preview": "100 of X 7",
}


@pytest.mark.parametrize(
    "text",
    [
        *(f"is:{state}" for state in keys.STATES if state not in ("passing", "unreviewed")),
        "signal:schema",
        "signal:schema*",
        "verdict:fail,unsure",
        "mode:wrong-amount",
        "mode:wrong*",
        "severity:high",
        "score.grounded:<0.5",
        "score.grounded:0.1..0.3,9",
        "score.thumbs:0",
        "-score.thumbs:none",
        "reviewer:maja*",
        "agent:planner",
        "prompt:refund",
        "prompt:refund@v12",
        "prompt:ref*",
        "model:gpt-4o*",
        "provider:openai",
        "tool:get_booking",
        "tool:get_booking@2.1",
        "tool:get*@2.*",
        "kind:agent,llm",
        'span:"plan trip"',
        "span:plan*",
        "env:staging",
        "cohort:canary",
        "release:2026.11.*",
        "session:s-91",
        "user:u_48f1",
        "tag:lang:sv",
        "meta.tenant:12",
        "meta.tier:g*d",
        'meta.by.team.1:"b c"',
        "-meta.by.team:none",
        "meta.x.y:7",
        "attr.http.route:/it's",
        "attr.http.route:nothing,/other",
        "attr.http.route:/o*",
        "attr.http.route:*t*er",
        "attr.n.deep:2.5",
        "attr.ok:true",
        "attr.prompt:*",
        "-attr.prompt:none",
        "attr.ok:true attr.n.deep:1 model:gpt*",
        "latency:>5s",
        "latency:8s..9s",
        "ttft:412ms",
        "cost:>$0.30",
        "tokens:>=12.4k",
        "input_tokens:12000",
        "output_tokens:400",
        "spans:>30",
        "retries:3",
        "outcome:escalated",
        "finish:length",
        "input:x_7",
        "output:refund",
        "error:amount",
        "100%",
        '"x_7, PLEASE"',
        "(model:gpt* OR model:claude*) latency:>1s",
        "-model:mistral-large",
        "-(model:mistral-large OR name:nothing)",
        "-cohort:none",
        "-session:none",
    ],
)
def test_a_filter_finds_the_trace_that_has_it_and_not_the_other(project, text):
    trace_row(project, name="wanted", **FEATURES)
    trace_row(project, name="other", **PLAIN)
    assert names(project, text) == {"wanted"}


@pytest.mark.parametrize(
    "text",
    [
        "verdict:none",
        "mode:none",
        "signal:none",
        "cohort:none",
        "tag:none",
        "meta.tenant:none",
        "ttft:none",
        "is:passing",
        "is:unreviewed",
        "-is:failing",
        "-cohort:canary",
        "-meta.tier:gold",
        "-ttft:<1s",
        "attr.ok:none",
        "-attr.http.route:/other",
        "-attr.n.deep:1,9",
        "-output:refund",
    ],
)
def test_absence_and_exclusion_find_traces_without_the_value(project, text):
    trace_row(project, name="other", **FEATURES)
    trace_row(project, name="wanted", **PLAIN)
    assert names(project, text) == {"wanted"}


def test_a_trace_is_found_by_its_id_or_the_first_digits(project):
    row = trace_row(project, name="wanted")
    trace_row(project, name="other")
    assert names(project, f"trace:{row.hex}") == {"wanted"}
    assert names(project, f"trace:{row.hex[:20]}*") == {"wanted"}


def test_a_trace_is_found_by_its_eval_set_and_by_the_notes_of_reviewers(project):
    reviewer = stories.member(project, "reviewer")
    kept, other = stories.refund_trace(project, 1), stories.refund_trace(project, 2)
    digests = [UUID(hex=one) for one in (kept, other)]
    made, _ = evals.create_set(project, "Refunds")
    gone, _ = evals.create_set(project, "Gone")
    promoting.add_all(made, [promoting.Promotion(digests[0])])
    (case, _) = promoting.add_all(gone, [promoting.Promotion(digests[1])])[0]
    evals.remove_case(gone, case.number)
    noted, _ = reviews.submit_review(
        project, digests[0], "fail", author=reviewer, note="The AMOUNT is 100% text"
    )
    trace_factory.digest_now(project, kept, other)
    now = datetime.now(UTC)
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=1), now)

    def found(text: str) -> set[str]:
        wanted = parse(text)
        gathered = Extent(facets.Range(project, now - timedelta(days=1), now), wanted)
        terms = gathered.terms(now - timedelta(days=1), now)
        return {row.hex for row in rows.matching(wanted).having(terms)}

    assert found("set:refunds") == found("set:ref*,nothing") == {kept}
    assert found("set:gone") == set()
    assert found("set:none") == found("-set:refunds") == {other}
    assert found('note:"amount is 100%"') == found("note:am*text") == {kept}
    assert found("note:1000") == set()
    assert found("-note:none") == {kept}
    reviews.withdraw(noted)
    assert found("note:amount") == set()


def test_rare_attributes_are_read_by_their_index_and_all_filters_find_the_same(
    project, monkeypatch
):
    for number in range(6):
        trace_row(project, name=f"t{number}", attributes=[{"n": number, "all": "x"}])
    now = datetime.now(UTC)
    within = facets.Range(project, now - timedelta(days=1), now)
    monkeypatch.setattr(listing, "SMALL", 0)
    monkeypatch.setattr(extent, "HITS", 3)
    assert len(Extent(within, parse("attr.n:4 attr.all:x")).hits) == 1
    assert Extent(within, parse("attr.all:x")).hits is None  # too common: windows are read
    for text, wanted in (("attr.n:4", 1), ("attr.all:x", 6), ("attr.n:4 attr.n:5", 0)):
        assert len(listing.read(within, parse(text)).traces) == wanted


def test_every_key_has_an_expression():
    special = {"is", "trace", "error", "failure", "queue", "set", "note"}
    assert set(keys.KEYS) == set(COLUMNS) | special


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(alphabet="abis:%_\\'\";-*.,>()$ {}sn5", max_size=30))
def test_any_filter_that_parses_runs_in_postgres(project, text):
    try:
        wanted = parse(text)
    except FilterError:
        return
    names(project, str(wanted))


def test_what_was_typed_is_only_ever_a_parameter():
    marks = "Robert'); DROP TABLE traces;--"
    for key in ("name", "tag", "prompt", "input", "meta.x", "attr.x"):
        condition, params = where(parse(f'{key}:"{marks}" -"{marks}"'))
        assert "Robert" not in condition
        assert len(params) >= 2


def test_facets_ignore_their_own_filter_and_count_the_rest(project):
    trace_row(project, model_names=["a"], environment="production", verdict="fail")
    trace_row(project, model_names=["a", "b"], environment="staging")
    trace_row(project, model_names=["b"], environment="staging")
    now = datetime.now(UTC)
    within = facets.Range(project, now - timedelta(days=1), now)
    found = facets.counts(within, parse("model:a env:staging"))
    assert found["model"] == [("b", 2), ("a", 1)]
    assert found["env"] == [("production", 1), ("staging", 1)]
    assert found["verdict"] == [("none", 1)]
    assert facets.values(within, parse("env:staging"), "model", "A", 5) == [("a", 1)]


def test_a_limit_of_cost_or_time_that_failing_traces_are_above_is_offered(project):
    for number in range(12):
        bad = number < 6
        trace_row(
            project, failing=bad, cost=Decimal("0.05" if bad else "0.002"), duration_ns=10**9,
            total_tokens=None, environment="staging",
        )  # fmt: skip
    now = datetime.now(UTC)
    within = facets.Range(project, now - timedelta(days=1), now)
    (best, *rest) = facets.separating(within, parse("env:staging"))
    assert best == (("cost", ">=0.05"), 6, 6)
    assert not {pair[0] for pair, _, _ in rest} & {"latency", "tokens", "cost"}
    assert facets.separating(within, parse("env:staging cost:>0.001")) == rest


def test_the_histogram_shows_failing_against_all_whatever_is_filtered(project):
    trace_row(project, ago=timedelta(hours=3), failing=True)
    trace_row(project, ago=timedelta(hours=3))
    trace_row(project, ago=timedelta(minutes=1))
    now = datetime.now(UTC)
    within = facets.Range(project, now - timedelta(hours=24), now)
    shown = facets.histogram(within, parse("is:failing"))
    assert (shown.traces, shown.failing, shown.matching) == (3, 1, 1)
    assert shown.step == timedelta(minutes=15)
    assert 96 <= len(shown.bins) <= 97
    assert shown.bins[0].start <= within.start


def test_the_histogram_counts_only_unreviewed_traces_where_these_are_asked_for(project):
    trace_row(project, failing=True)
    trace_row(project)
    trace_row(project, failing=True, verdict="fail")
    now = datetime.now(UTC)
    within = facets.Range(project, now - timedelta(hours=24), now + timedelta(minutes=1))
    shown = facets.histogram(within, parse("is:unreviewed"))
    assert (shown.traces, shown.failing, shown.matching) == (2, 1, 2)
    shown = facets.histogram(within, parse("is:failing is:unreviewed"))
    assert (shown.traces, shown.failing, shown.matching) == (2, 1, 1)


@pytest.mark.parametrize("sort", ["-started_at", "started_at", "-latency", "latency", "-cost"])
def test_pages_follow_each_other_without_gap_or_repeat(project, sort):
    for number in range(7):
        absent = number in (2, 5)
        trace_row(
            project,
            name=str(number),
            ago=timedelta(minutes=number % 3),
            duration_ns=None if absent else number % 4,
            cost=None if absent else Decimal(number % 2),
        )
    now = datetime.now(UTC) + timedelta(minutes=1)
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=1), now)
    whole = [t.name for t in rows.page(sort=sort, limit=50).traces]
    seen, cursor = [], ""
    while cursor is not None:
        page = rows.page(sort=sort, cursor=cursor, limit=2)
        seen += [t.name for t in page.traces]
        cursor = page.following
    assert seen == whole
    assert len(set(seen)) == 7
    if "latency" in sort:
        assert set(whole[-2:]) == {"2", "5"}


@pytest.mark.parametrize("cursor", ["x", "é", "MX5hYmM", "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OX4wMDAw"])
def test_a_foreign_cursor_is_refused(project, cursor):
    with pytest.raises(PageError, match="cursor must be one"):
        Trace.objects.in_project(project).page(cursor=cursor)


def test_an_unknown_order_is_refused(project):
    with pytest.raises(PageError, match="sort must be one of started_at, latency, cost, tokens"):
        Trace.objects.in_project(project).page(sort="name; DROP TABLE traces")
