"""Deleting traces by a job: a time to call it off, batches, and what stays."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from tests import trace_factory as factory
from tests.digest.test_repricing import charts_agree
from tests.web import stories
from tracehub.digest import second
from tracehub.digest.bulk import deleting, work
from tracehub.digest.models import BulkJob
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.evals.models import Case
from tracehub.projects.models import AuditEntry
from tracehub.review import actions as reviews
from tracehub.review import picking
from tracehub.review.models import Queue, QueueItem, Review
from tracehub.traces import rollup
from tracehub.traces.models import Arrival, Feedback, StoredSpan, Trace, TraceAttributes, TraceText

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return stories.project()


@pytest.fixture
def admin(project):
    return stories.member(project, "admin")


def trace(project, **fields):
    made = factory.trace(project, attributes={"k": "v"}, **fields)
    Arrival.objects.filter(trace_id=made).update(dirty_seq=None, dirty_at=None)
    return made


def ids(project):
    return {row.hex for row in Trace.objects.filter(project_id=project.pk)}


def due():
    BulkJob.objects.update(turn_at=timezone.now() - timedelta(seconds=1))


def test_selected_traces_wait_ten_minutes_and_go_with_all_they_say(client, project, admin):
    gone, kept = trace(project, model="gpt-4o"), trace(project, model="o3")
    while second.look_some():
        pass
    made, _ = evals.create_set(project, "Refunds")
    promoting.add_all(made, [promoting.Promotion(UUID(gone))])
    reviews.submit_review(project, UUID(gone), "fail", author=admin, note="kept")
    Feedback.objects.create(project=project, trace_id=UUID(gone), name="thumbs", value=0)
    queue = Queue.objects.create(project=project, slug="later", name="Later")
    picking.add_traces(queue, [UUID(gone)], by=admin)
    Arrival.objects.update(dirty_seq=None, dirty_at=None)
    client.force_login(stories.member(project, "reviewer"))
    posted = {"trace": [gone], "delete": "1"}
    assert client.post("/skylane/traces/bulk", posted).status_code == 403
    client.force_login(admin)
    assert (
        "1 trace will be deleted" in client.post("/skylane/traces/bulk", posted, follow=True).text
    )
    assert "Deleting 1 trace at" in client.get("/skylane/traces/jobs").text
    assert not work.work(seconds=5)
    assert ids(project) == {gone, kept}
    due()
    work.work(seconds=20)
    job = BulkJob.objects.get()
    assert (job.state, job.changed, job.undoable) == ("done", 1, False)
    assert ids(project) == {kept}
    for model in (StoredSpan, TraceText, TraceAttributes):
        assert {row.trace_id.hex for row in model.objects.all()} == {kept}
    assert (Feedback.objects.count(), QueueItem.objects.count()) == (0, 0)
    assert (Case.objects.count(), Review.objects.get().note) == (1, "kept")
    assert charts_agree(project)
    day = timezone.now() + timedelta(hours=1)
    counted = rollup.totals(project.pk, ["model"], day - timedelta(days=1), day)
    assert {pair[1]: both[0] for pair, both in counted.items() if both[0]} == {"o3": 1}
    assert "1 trace deleted" in client.get("/skylane/traces/jobs").text
    logged = dict(AuditEntry.objects.values_list("action", "detail"))
    assert logged["traces.delete"]["traces"] == [gone]
    assert logged["traces.deleted"] == {"traces": 1}


def test_all_that_match_go_in_rounds_until_none_was_busy(client, project, admin, monkeypatch):
    monkeypatch.setattr(work, "BATCH", dict.fromkeys(BulkJob.Kind.values, 2))
    monkeypatch.setattr(deleting, "PAUSE", timedelta(0))
    gone = [trace(project) for _ in range(5)]
    kept = trace(project, model="o3")
    Arrival.objects.filter(trace_id=gone[2]).update(dirty_seq=9, dirty_at=timezone.now())
    client.force_login(admin)
    asked = {"all": "1", "q": "model:gpt-4o", "delete": "1"}
    client.post("/skylane/traces/bulk", asked)
    job = BulkJob.objects.get()
    assert (job.expected, job.waiting) == (5, True)
    due()
    for _ in range(6):
        work._turn(BulkJob.objects.get())
    assert ids(project) == {kept, gone[2]}
    Arrival.objects.filter(trace_id=gone[2]).update(dirty_seq=None, dirty_at=None)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.traces, job.changed) == ("done", 5, 5)
    assert ids(project) == {kept}
    assert charts_agree(project)


def test_a_deletion_is_called_off_by_keeping_them(client, project, admin):
    kept = trace(project)
    client.force_login(admin)
    client.post("/skylane/traces/bulk", {"trace": [kept], "delete": "1"})
    job = BulkJob.objects.get()
    reviewer = stories.member(project, "reviewer")
    client.force_login(reviewer)
    keep = (f"/skylane/traces/jobs/{job.pk}", {"act": "cancel"})
    assert client.post(*keep).status_code == 403
    client.force_login(admin)
    client.post(*keep)
    due()
    work.work(seconds=5)
    assert ids(project) == {kept}
    assert "Nothing was deleted." in client.get("/skylane/traces/jobs").text
