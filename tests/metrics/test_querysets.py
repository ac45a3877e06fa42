"""What the charts read equals plain SQL over the trace rows."""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection, transaction

from tracehub.core import rollup as core
from tracehub.core.query.parser import parse
from tracehub.core.query.tree import Filter
from tracehub.core.steps import RangeError
from tracehub.core.trace import Tokens
from tracehub.metrics import querysets, rollup
from tracehub.traces.models import PromptVersion, Trace

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
START, END = NOW - timedelta(hours=30), NOW


def store(project, **given):
    """Store one trace row with its contribution, as the worker does."""
    draw = given.pop("draw", random.Random(0))
    started = NOW - timedelta(minutes=draw.randrange(60 * 29))
    cost = given.get("cost", Decimal(draw.randrange(1, 10**6)) / 10**7)
    row = {
        "started_at": started,
        "duration_ns": draw.randrange(10**8, 10**10),
        "name": draw.choice(["support", "search"]),
        "environment": draw.choice([None, "production"]),
        "cohort": draw.choice(["canary", "control"]),
        "status": draw.choice(["ok", "ok", "error"]),
        "outcome": draw.choice([None, "answered", "escalated"]),
        "failing": draw.random() < 0.2,
        "verdict": draw.choice([None, None, "fail", "pass"]),
        "retries": draw.randrange(3),
        "cost": cost,
        "model_names": draw.choice([["gpt-4o"], ["gpt-4o", "o4-mini"]]),
        "prompts": draw.choice([["refund@v11"], ["refund@v12"]]),
        **given,
    }
    facts = core.ContributionFacts(
        project_id=project.pk,
        error=row["status"] == "error",
        models=row["model_names"],
        by_model={
            name: {"calls": 1, "cost": cost / len(row["model_names"])}
            for name in row["model_names"]
        },
        tokens=Tokens(input=100, output=10),
        **{k: v for k, v in row.items() if k not in ("status", "model_names")},
    )
    kept = core.contribution(facts)
    trace = Trace.objects.create(
        project_id=project.pk, day=date(2026, 11, 24), trace_id=uuid.uuid4(), contribution=kept,
        input_tokens=100, output_tokens=10, fallbacks=0, timeouts=0, finished=True,
        provisional=False, tags=[], metadata={}, providers=[], tools=[], agents=[],
        finish_reasons=[], streaming=False, span_count=1, error_count=0, root_present=True,
        signals=[], signal_kinds=[], feedback=[], failure_modes=[], reviewers=[], promoted=False,
        digest_hash=0, **row,
    )  # fmt: skip
    with connection.cursor() as cursor:
        rollup.append(cursor, [(project.pk, None, kept)])
    return trace


@pytest.fixture
def traces(project):
    """120 traces of the last 29 hours; two thirds of them are folded, the rest still waits."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions('2026-11-23', '2026-11-24')")
    draw = random.Random(4)
    made = []
    for number in range(120):
        made.append(store(project, draw=draw))
        if number == 80:
            with transaction.atomic(), connection.cursor() as cursor:
                rollup.fold(cursor, now=NOW)
    return made


def read(project, metric, group="", **options):
    found = querysets.series(project, metric, group, START, END, now=NOW, **options)
    return {line.group: line for line in found.lines}


def plain(query, *params):
    with connection.cursor() as cursor:
        cursor.execute(query, params)
        return cursor.fetchall()


def test_counts_by_step_equal_plain_sql(project, traces):
    raw = dict(plain("SELECT date_trunc('hour', started_at), count(*) FROM traces GROUP BY 1"))
    found = querysets.series(project, "requests", "", START, END, now=NOW)
    marks = found.window.marks
    read_back = {at: n for at, n in zip(marks, found.lines[0].values, strict=True) if n}
    assert read_back == raw


@pytest.mark.parametrize(
    ("metric", "expression"),
    [
        ("failing_rate", "count(*) FILTER (WHERE failing)::numeric / count(*)"),
        ("cost", "sum(cost)"),
        ("cost_per_request", "sum(cost) / count(*)"),
        (
            "cost_per_success",
            "sum(cost) / count(*) FILTER (WHERE NOT failing AND finished"
            " AND coalesce(outcome, 'answered') IN ('answered', 'clarified'))",
        ),
        ("retry_rate", "count(*) FILTER (WHERE retries > 0)::numeric / count(*)"),
        ("input_tokens_per_request", "avg(input_tokens)"),
        (
            "review_fail_rate",
            "count(*) FILTER (WHERE verdict = 'fail')::numeric / count(verdict)",
        ),
    ],
)
@pytest.mark.parametrize(
    ("group", "column"),
    [
        ("", "''"),
        ("cohort", "cohort"),
        ("env", "coalesce(environment, '')"),
        ("prompt", "prompts[1]"),
    ],
)
def test_totals_by_group_equal_plain_sql(project, traces, metric, expression, group, column):
    if metric == "cost" and group == "prompt":
        expression = "0"  # its own calls, and the traces here name none
    raw = plain(f"SELECT {column}, {expression} FROM traces GROUP BY 1")
    lines = read(project, metric, group)
    totals = {label: float(line.total) for label, line in lines.items()}
    assert totals == pytest.approx({label: float(value) for label, value in raw})


def test_a_trace_counts_in_each_of_its_models(project, traces):
    raw = dict(plain("SELECT m, count(*) FROM traces, unnest(models) AS m GROUP BY 1"))
    assert {k: line.total for k, line in read(project, "requests", "model").items()} == raw
    cost = sum(line.total for line in read(project, "cost", "model").values())
    assert cost == pytest.approx(sum(trace.cost for trace in traces), abs=Decimal("1e-7"))


@pytest.mark.parametrize("p", [50, 95, 99])
def test_latency_quantiles_are_within_one_percent_of_plain_sql(project, traces, p):
    ((raw,),) = plain(
        "SELECT percentile_disc(%s) WITHIN GROUP (ORDER BY duration_ns) FROM traces", p / 100
    )
    assert read(project, f"latency_p{p}")[""].total == pytest.approx(raw / 1e6, rel=0.0101)


@pytest.mark.parametrize(
    ("text", "condition", "rolled"),
    [
        ("cohort:can* -env:none", "cohort = 'canary' AND environment <> ''", True),
        ("name:support,search -cohort:control", "cohort = 'canary'", True),
        ("model:o4-mini", "'o4-mini' = ANY(models)", True),
        ("prompt:refund@v12 env:none", "'refund@v12' = ANY(prompts) AND environment IS NULL", True),
        ("prompt:refund", "true", False),
        ("model:gpt-4o,o4-mini", "true", False),
        ("latency:>5s is:failing", "duration_ns > 5e9 AND failing", False),
        ("cohort:canary OR retries:2", "cohort = 'canary' OR retries = 2", False),
    ],
)
def test_filters_narrow_as_plain_sql_does(project, traces, text, condition, rolled):
    narrow = querysets.narrowed(parse(text), "")
    assert isinstance(narrow, Filter) is not rolled
    ((raw, cost),) = plain(f"SELECT count(*), sum(cost) FROM traces WHERE {condition}")
    assert read(project, "requests", narrow=narrow)[""].total == raw
    if "model:" not in text and "prompt:" not in text:
        assert read(project, "cost", narrow=narrow)[""].total == cost


@pytest.mark.parametrize("group", ["", "cohort", "model", "prompt"])
@pytest.mark.parametrize("metric", ["requests", "cost", "cost_per_success", "calls", "latency_p95"])
def test_trace_rows_give_the_same_numbers_as_the_rollups(project, traces, group, metric):
    rolled, raw = read(project, metric, group), read(project, metric, group, narrow=Filter())
    assert {k: (v.total, v.values) for k, v in rolled.items()} == {
        k: (v.total, v.values) for k, v in raw.items()
    }


def test_other_projects_are_not_counted(project, traces, django_user_model):
    other = type(project).objects.create(slug="other", name="Other")
    assert read(other, "requests") == {}


def test_the_check_finds_nothing_until_a_row_is_wrong(project, traces):
    start, end = (
        NOW.replace(minute=0) - timedelta(hours=30),
        NOW.replace(minute=0) + timedelta(hours=1),
    )
    with connection.cursor() as cursor:
        assert rollup.check(cursor, project.pk, start, end) == []
        cursor.execute("UPDATE rollups SET failing = failing + 3 WHERE resolution = 3600")
        wrong = rollup.check(cursor, project.pk, start, end)
    assert wrong
    assert {each.counter for each in wrong} == {"failing"}


def test_the_answer_is_json_with_dollars_as_text(project, traces):
    answer = querysets.series(project, "cost", "cohort", START, END, now=NOW).as_json()
    assert json.loads(json.dumps(answer))["items"][0]["group"] in ("canary", "control")
    assert answer["unit"] == "usd"
    assert isinstance(answer["items"][0]["total"], str)
    assert len(answer["items"][0]["points"]) == 31


def test_changes_of_a_prompt_in_the_range_are_marked(project):
    for name, version, days in (("refund", "v11", 20), ("refund", "v12", 1), ("new", "v1", 2)):
        PromptVersion.objects.create(
            project=project,
            name=name,
            version=version,
            first_seen_at=NOW - timedelta(days=days),
        )
    frame = querysets.window(NOW - timedelta(days=14), NOW, now=NOW)
    assert [mark.version for mark in querysets.version_markers(project, frame)] == ["v12"]


def test_a_bad_step_is_refused(project):
    with pytest.raises(RangeError, match="step"):
        querysets.series(project, "requests", "", START, END, timedelta(seconds=1), now=NOW)
