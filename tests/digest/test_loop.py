"""The worker's loop: bounded, restartable, and one bad trace harms only itself."""

from __future__ import annotations

from functools import partial

import pytest

from tests import trace_factory
from tracehub.digest import actions, life
from tracehub.digest.models import Heartbeat
from tracehub.digest.rows import digested
from tracehub.projects.models import Project
from tracehub.traces.models import Arrival, Parked, Trace

pytestmark = pytest.mark.usefixtures("committed_db")


@pytest.fixture
def project():
    return Project.objects.create(slug="skylane", name="Skylane support")


def test_a_trace_that_cannot_be_digested_is_parked_and_the_others_are_listed(
    project, monkeypatch, caplog
):
    good = trace_factory.trace(project, digested=False)
    bad = trace_factory.trace(project, digested=False)

    def fragile(known):
        if known.trace_id.hex == bad:
            raise ValueError("poison")
        return digested(known)

    monkeypatch.setattr(actions, "digested", fragile)
    actions.digest_all(seconds=20, sleep=lambda _: None)
    assert [t.hex for t in Trace.objects.all()] == [good]
    parked = Parked.objects.get()
    assert (parked.trace_id.hex, parked.error) == (bad, "ValueError: poison")
    assert Arrival.objects.filter(dirty_seq=None).count() == 1


def test_nothing_is_written_when_nothing_changed(project):
    trace_id = trace_factory.trace(project, digested=False)
    assert actions.digest_all(seconds=20, sleep=lambda _: None) == 1
    before = Trace.objects.get().digest_hash
    Arrival.objects.update(dirty_seq=10**9)
    actions.digest_all(seconds=20, sleep=lambda _: None)
    assert (Trace.objects.get().hex, Trace.objects.get().digest_hash) == (trace_id, before)


def one_at_a_time(claim, shards, mark, _limit):
    return claim(shards, mark, 1)


def test_a_worker_gives_signs_of_life_while_it_works_off_a_backlog(project, monkeypatch):
    seen = []
    settled = actions.settled

    def watched(work):
        seen.append(Heartbeat.objects.values_list("at", flat=True).first())
        return settled(work)

    monkeypatch.setattr(actions, "settled", watched)
    monkeypatch.setattr(actions, "_claim", partial(one_at_a_time, actions._claim))
    monkeypatch.setattr(life, "EVERY", 0.0)
    for _ in range(3):
        trace_factory.trace(project, digested=False)
    actions.digest_all(seconds=20, sleep=lambda _: None)
    assert seen[0] is None
    assert len(set(seen[1:]) - {None}) >= 3  # a new one after each trace
