"""Looking at the past again: in batches behind new traces, killed and gone on with."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.failures.test_worker import SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.digest import actions, recheck
from tracehub.failures import actions as contracts
from tracehub.failures.models import Recheck, SecondLook, SignalSetting
from tracehub.traces.models import Arrival, Trace


@pytest.fixture
def project(committed_db):
    return stories.project()


def dirty():
    return Arrival.objects.filter(dirty_seq__isnull=False).count()


def work():
    actions.digest_all(seconds=20, sleep=lambda _seconds: None)


def test_the_past_is_checked_in_batches_and_a_kill_costs_one(project, monkeypatch):
    monkeypatch.setattr(recheck, "BATCH", 2)
    for number in range(1, 6):
        reply(project, WRONG, number=number)
    work()
    contracts.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    job = recheck.start(project, "refund-reply/1", q="prompt:refund")
    assert (job.total, job.share) == (5, 0.0)
    while not dirty():
        recheck.step()
    assert dirty() == 2
    assert recheck.step() == 0  # the worker has not come to them

    def dies(*_args):
        raise KeyboardInterrupt

    Arrival.objects.update(dirty_seq=None, dirty_at=None)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(recheck, "mark_dirty", dies)
        recheck.step()
    job.refresh_from_db()
    assert (job.traces, job.share) == (2, 0.4)
    assert job.ms_left is not None
    work()
    job.refresh_from_db()
    assert job.finished_at is not None and job.traces == 5 and job.share == 1.0
    assert Trace.objects.filter(signal_kinds=["schema_error"]).count() == 3  # 2 were taken away


def test_traffic_that_never_ends_leaves_it_a_share(project, monkeypatch):
    monkeypatch.setattr(recheck, "SHARE", 1)
    for number in range(1, 4):
        reply(project, WRONG, number=number)
    work()
    job = recheck.start(project, "refund-reply/1")
    while not job.handed_at or not job.traces:
        recheck.step()
        job.refresh_from_db()
    factory.trace(project, digested=False)  # more comes
    before = job.traces
    recheck.step()
    job.refresh_from_db()
    assert job.traces == before  # its turn is not over
    Recheck.objects.update(handed_at=job.handed_at - recheck.TURN, traces=0, after=UUID(int=0))
    assert recheck.step() == 0  # so that the worker's loop does not go on for its sake
    job.refresh_from_db()
    assert job.finished_at or job.traces <= 1


def test_a_second_change_begins_anew_and_keeps_the_wider_wish(project):
    factory.trace(project)
    first = recheck.start(project, "Signals", second=True)
    again = recheck.start(project, "Signals")
    first.refresh_from_db()
    assert first.finished_at is not None
    assert again.second
    assert recheck.newest(project) == again


def test_a_second_change_leaves_out_nothing_that_the_first_had_to_do(project):
    first = recheck.start(project, "Budgets")
    begun = first.until - timedelta(days=40)
    Recheck.objects.filter(pk=first.pk).update(since=begun - timedelta(days=9), day=begun)
    again = recheck.start(project, "Signals", days=3)
    assert (again.since, again.day, again.until) == (begun, begun, first.until)


def test_a_changed_rule_reaches_payloads_of_the_past(project):
    SignalSetting.objects.create(project=project, kind="secret_in_output", on=False)
    said = factory.chat(("assistant", "The key is [masked:openai_key]."))
    factory.trace(project, output=said)
    work()
    assert Trace.objects.get().signal_kinds == []
    SignalSetting.objects.update(on=True)
    recheck.start(project, "Signals", second=True)
    work()
    assert Trace.objects.get().signal_kinds == ["secret_in_output"]
    assert not Recheck.objects.filter(finished_at=None).exists()
    assert not SecondLook.objects.exists()
