"""The second pass: what reads payloads comes after the rows, survives a kill, and shows its lag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.trace import SpanFacts, Tokens
from tracehub.digest import actions, second
from tracehub.failures import reading
from tracehub.failures.models import (
    CallBaseline,
    CustomSignal,
    Failure,
    LateSignals,
    ScoreSetting,
    SecondLook,
    SignalSetting,
)
from tracehub.failures.rules import store
from tracehub.traces.models import Arrival, Feedback, Trace

SECRET = factory.chat(("assistant", "The key is [masked:openai_key]."))


@pytest.fixture
def project(db):
    return stories.project()


def kinds(trace_id):
    return Trace.objects.get(trace_id=trace_id).signal_kinds


def settle(project):
    """Do what the worker does until nothing is left to do."""
    while second.look_some():
        dirty = Arrival.objects.filter(project_id=project.pk, dirty_at__isnull=False)
        factory.digest_now(project, *[a.trace_id.hex for a in dirty])
        dirty.update(dirty_seq=None, dirty_at=None)


def test_a_secret_is_found_after_the_row_and_makes_a_group(project):
    trace_id = factory.trace(project, output=SECRET)
    assert kinds(trace_id) == []
    assert store.lag(project.pk)[0] == 1
    settle(project)
    row = Trace.objects.get(trace_id=trace_id)
    assert row.signal_kinds == ["secret_in_output"]
    assert row.failing and row.severity == "critical"
    assert Failure.objects.get().kind == "secret_in_output"
    assert row.signals[0]["failure"] == "TH-1"
    assert store.lag(project.pk) == (0, None)


def test_a_row_that_changes_for_another_reason_keeps_what_was_found(project):
    trace_id = factory.trace(project, output=SECRET)
    settle(project)
    Feedback.objects.create(project_id=project.pk, trace_id=UUID(trace_id), name="thumbs", value=0)
    factory.digest_now(project, trace_id)
    assert kinds(trace_id) == ["negative_feedback", "secret_in_output"]
    settle(project)
    assert kinds(trace_id) == ["negative_feedback", "secret_in_output"]


def test_what_is_no_longer_found_goes_away(project):
    trace_id = factory.trace(project, output=SECRET)
    settle(project)
    SignalSetting.objects.create(project=project, kind="secret_in_output", on=False)
    store.ask(project.pk, datetime.now(UTC).date(), [UUID(trace_id)])
    settle(project)
    assert kinds(trace_id) == []
    assert not LateSignals.objects.exists()


def test_the_page_of_a_trace_does_not_wait_for_it(project):
    trace_id = factory.trace(project, output=SECRET)
    loaded = reading.load(project, UUID(trace_id))
    assert [signal.kind for signal in loaded.signals] == ["secret_in_output"]


def test_a_killed_batch_is_done_again(project, monkeypatch):
    factory.trace(project, output=SECRET)
    found = []

    def dies(*args):
        found.append(args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(second, "mark_dirty", dies)
        second.look_some()
    assert found
    assert SecondLook.objects.count() == 1 and not LateSignals.objects.exists()
    settle(project)
    assert Trace.objects.get().signal_kinds == ["secret_in_output"]


def test_a_trace_that_cannot_be_read_does_not_stop_the_others(project, monkeypatch):
    factory.trace(project, output=SECRET)

    def breaks(*_args):
        raise ValueError("no")

    monkeypatch.setattr(second.looking, "look", breaks)
    assert second.look_some() == 1
    assert second.look_some() == 0


def session(project, words, seconds, **fields):
    start = int((datetime.now(UTC) + timedelta(seconds=seconds)).timestamp() * 1e9)
    facts = SpanFacts(session_id="s-91")
    asked = factory.chat(("user", words))
    return factory.trace(project, input=asked, facts=facts, start_ns=start, **fields)


def test_a_question_asked_again_in_the_session_is_told(project):
    first = session(project, "Can I get my money back please?", -300)
    again = session(project, "can I PLEASE get my money back", -200)
    other = session(project, "Which terminal does the bus leave from?", -100)
    settle(project)
    assert (kinds(first), kinds(again), kinds(other)) == ([], ["rephrased"], [])
    assert Trace.objects.get(trace_id=again).signals[0]["evidence"]["trace"] == first


def test_own_rules_are_signals_like_any_other(project):
    CustomSignal.objects.create(
        project=project, slug="promise", name="Promises money", severity="high",
        q="model:gpt-4o", field="output", pattern=r"(?i)refunded\b", created_by="a",
    )  # fmt: skip
    hit = factory.trace(project)
    miss = factory.trace(project, output=factory.chat(("assistant", "No.")))
    model = factory.trace(project, model="claude-9")
    settle(project)
    assert (kinds(hit), kinds(miss), kinds(model)) == (["custom:promise"], [], [])
    assert Failure.objects.get().title == "Promises money"
    loaded = reading.load(project, UUID(hit))
    assert [signal.kind for signal in loaded.signals] == ["custom:promise"]


def test_scores_and_thresholds_are_the_projects(project):
    ScoreSetting.objects.create(project=project, name="stars", at_most=2, labels=[])
    trace_id = factory.trace(project)
    Feedback.objects.create(project_id=project.pk, trace_id=UUID(trace_id), name="stars", value=2)
    factory.digest_now(project, trace_id)
    assert kinds(trace_id) == ["negative_feedback"]


def test_baselines_come_from_the_newest_calls(project):
    for n in range(12):
        factory.trace(
            project, duration_ns=(n + 1) * 10**8, cost=Decimal("0.01"), tokens=Tokens(90, 10, 100)
        )
    store.refresh_baselines(project.pk, datetime.now(UTC), 10)
    usual = CallBaseline.objects.get()
    assert (usual.key, usual.calls, usual.tokens) == ("span compose-refund", 12, 100.0)
    assert 1.1e9 < usual.duration_ns <= 1.2e9
    CallBaseline.objects.update(calls=500)
    trace_id = factory.trace(project, duration_ns=3 * 10**9)
    assert kinds(trace_id) == ["slow"]


def test_a_young_project_has_baselines_within_minutes(project, monkeypatch):
    monkeypatch.setattr(second, "ENOUGH", 3)
    monkeypatch.setattr(second, "SETTLED", 6)
    for _ in range(2):
        factory.trace(project)
    second.first_baselines()
    assert not CallBaseline.objects.exists()
    factory.trace(project)
    second.first_baselines()
    assert CallBaseline.objects.get().calls == 3
    factory.trace(project)
    second.first_baselines()
    assert CallBaseline.objects.get().calls == 4
    CallBaseline.objects.update(calls=6)
    second.first_baselines()
    assert CallBaseline.objects.get().calls == 6


@pytest.mark.parametrize("most", [100, 3, 1])
def test_a_batch_is_read_at_once_and_cut_where_it_is_too_large(project, monkeypatch, most):
    day = datetime.now(UTC).date()
    traces = [factory.trace(project) for _ in range(3)]
    with_two = f"{9:032x}"
    factory.trace(project, factory.span(with_two), factory.span(with_two), trace_id=with_two)
    monkeypatch.setattr(second.looking, "MOST", most)
    found = {
        trace.hex: len(rows)
        for trace, rows in second._spans(project.pk, day, [UUID(t) for t in [*traces, with_two]])
    }
    assert found == {**dict.fromkeys(traces, 1), with_two: min(2, most)}


def test_the_loop_does_the_second_pass_when_nothing_is_dirty(committed_db):
    project = stories.project()
    trace_id = factory.trace(project, output=SECRET, digested=False)
    actions.digest_all(seconds=20, sleep=lambda _seconds: None)
    assert kinds(trace_id) == ["secret_in_output"]
    assert SecondLook.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL")
        assert cursor.fetchone() == (0,)
