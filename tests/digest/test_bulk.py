"""Jobs on all matching traces: done in batches, killed, cancelled, undone."""

from __future__ import annotations

import csv
import html
import io
import os
import re
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.core import parquet
from tracehub.core.query import parse
from tracehub.digest import actions as digest
from tracehub.digest import store, tasks
from tracehub.digest.bulk import actions, files, work
from tracehub.digest.models import BulkChange, BulkJob
from tracehub.projects.actions import ActionError
from tracehub.projects.models import AuditEntry
from tracehub.review import queueing
from tracehub.review.models import Queue, QueueItem, Review
from tracehub.traces import listing
from tracehub.traces.extent import Range
from tracehub.traces.models import Arrival, Trace
from tracehub.web.trace_list import job_rows

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    made = stories.project()
    for n in range(7):
        trace_row(made, ago=timedelta(minutes=n), failing=n < 5)
    return made


@pytest.fixture
def person(project):
    return stories.member(project, "reviewer")


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(work, "BATCH", dict.fromkeys(BulkJob.Kind.values, 2))


def start(project, person, kind, q="is:failing", **choice):
    now = timezone.now()
    within = Range(project, now - timedelta(days=1), now)
    return actions.start(within, parse(q), kind, choice, by=person)


def turn(job):
    """One batch, as if the worker died after it."""
    work._turn(job)
    job.refresh_from_db()


def standing(project):
    return Review.objects.filter(project=project, withdrawn_at=None).count()


def test_all_matches_are_marked_in_batches_once_and_taken_back(project, person):
    job = start(project, person, "review", verdict="fail")
    assert (job.expected, job.estimated) == (5, False)
    turn(job)
    assert (job.traces, job.state) == (2, "running")
    trace_row(project, ago=timedelta(0), failing=True)  # began after it was asked
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.traces, job.changed, job.percent) == ("done", 5, 5, 100)
    assert standing(project) == Review.objects.values("trace_id").distinct().count() == 5
    actions.undo(job)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.changed, standing(project)) == ("undone", 0, 0)
    assert not BulkChange.objects.exists()
    assert not job.undoable
    entry = AuditEntry.objects.get(action="traces.review")
    assert entry.detail == {"q": "is:failing", "expected": 5, "verdict": "fail"}


def test_a_search_goes_on_in_the_background_and_names_what_it_found(client, project, monkeypatch):
    monkeypatch.setattr(BulkJob, "NOTED", 3)
    client.force_login(stories.member(project, "viewer"))
    asked = {"q": "is:failing", "from": "24h"}
    said = client.post("/skylane/traces/search", asked, follow=True).text
    assert "in the background" in said
    job = BulkJob.objects.get()
    turn(job)
    assert (job.changed, job.state, job.percent < 99) == (2, "running", True)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.changed, len(job.choice["found"])) == ("done", 5, 3)
    page = client.get("/skylane/traces/jobs").text
    assert "The search found 5 traces, the newest 3 can be shown" in page
    shown = html.unescape(re.search(r'href="([^"]+)">Show traces', page)[1])
    assert "q=trace" in shown
    monkeypatch.setattr(listing, "SMALL", 0)  # as in a large project: by their ids
    Arrival.objects.bulk_create(
        Arrival(project_id=project.pk, trace_id=row.trace_id, day=row.day, dirty_seq=None)
        for row in Trace.objects.all()
    )
    text = client.get(shown).text
    assert text.count('name="trace"') == 3
    assert all(f'value="{one}"' in text for one in job.choice["found"])


def test_a_cancelled_job_keeps_what_it_did_until_it_is_undone(project, person):
    queue = Queue.objects.create(project=project, slug="refunds", name="Refunds")
    job = start(project, person, "queue", queue=queue.slug)
    turn(job)
    actions.cancel(job)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, QueueItem.objects.count()) == ("cancelled", 2)
    item = QueueItem.objects.first()
    Review.objects.create(project=project, trace_id=item.trace_id, verdict="pass")
    queueing.take_seat(Review.objects.get())
    actions.undo(job)
    work.work(seconds=20)
    assert QueueItem.objects.get() == item  # it has a review


def test_a_job_that_fails_stops_with_its_reason_and_goes_on_when_told(project, person, monkeypatch):
    queue = Queue.objects.create(project=project, slug="refunds", name="Refunds")
    monkeypatch.setattr("tracehub.review.picking.MOST_ITEMS", 3)
    job = start(project, person, "queue", queue=queue.slug)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.traces, job.changed) == ("stopped", 2, 2)
    assert job.error == "A queue holds 3 traces at most. Refunds has room for 1."
    monkeypatch.setattr("tracehub.review.picking.MOST_ITEMS", 9)
    actions.go_on(job)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, job.error, QueueItem.objects.count()) == ("done", "", 5)


def test_an_undo_that_fails_is_gone_on_with_and_never_done_again(project, person, monkeypatch):
    job = start(project, person, "review", verdict="fail")
    work.work(seconds=20)
    job.refresh_from_db()
    actions.undo(job)
    job.refresh_from_db()
    with monkeypatch.context() as broken:
        broken.setattr(work.reviews, "withdraw_all", lambda *_: 1 / 0)
        turn(job)
    assert (job.state, job.undoable) == ("stopped", False)
    assert job_rows.row(job, "/", mine=True).outcome.startswith("Taking back 5 of marking")
    actions.go_on(job)
    work.work(seconds=20)
    job.refresh_from_db()
    assert (job.state, standing(project), Review.objects.count()) == ("undone", 0, 5)


def test_cancelling_an_export_that_is_done_keeps_its_file(project, person):
    job = start(project, person, "export", format="csv")
    seen = BulkJob.objects.get(pk=job.pk)  # as the page had it, while it was running
    work.work(seconds=20)
    actions.cancel(seen)
    job.refresh_from_db()
    assert job.state == "done"
    assert files.path_of(job).exists()


def test_jobs_take_turns_with_the_traces_they_change_and_wait_under_load(
    project, person, monkeypatch
):
    monkeypatch.setattr(tasks, "BULK_SECONDS", 0.001)
    job = start(project, person, "review", verdict="pass")
    tasks.bulk()
    job.refresh_from_db()
    assert job.state == "done"
    assert not store.waiting(store.driver_cursor(), 3)
    monkeypatch.setattr(tasks.actions, "digest_dirty", lambda seconds: False)
    other = start(project, person, "review", q="", verdict="fail")
    tasks.bulk()
    other.refresh_from_db()
    assert (other.state, other.traces) == ("running", 2)


def test_second_looks_let_jobs_come_in_between(project, person, monkeypatch):
    cycles = []
    monkeypatch.setattr(digest, "PAUSE", 0.01)
    monkeypatch.setattr(digest, "_cycle", lambda: cycles.append(1) or 0)
    monkeypatch.setattr(digest.second, "look_some", lambda: 1)  # endless
    start(project, person, "review", verdict="pass")
    digest.digest_all(seconds=20)
    assert len(cycles) == 1


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_an_export_that_died_in_the_middle_has_every_trace_once(project, person, kind):
    job = start(project, person, "export", q="", format=kind)
    turn(job)
    files.append(job, [b"what was not committed"])
    work.work(seconds=20)
    job.refresh_from_db()
    body = files.path_of(job).read_bytes()
    assert (job.state, job.traces, job.size) == ("done", 7, len(body))
    rows = csv.DictReader(io.StringIO(body.decode())) if kind == "csv" else None
    found = list(rows or parquet.read(io.BytesIO(body)))
    assert len({row["trace_id"] for row in found}) == len(found) == 7
    old = (timezone.now() - timedelta(days=8)).timestamp()
    os.utime(files.path_of(job), (old, old))
    actions.forget_old()
    assert not files.path_of(job).exists()


def test_a_full_disk_is_said_and_a_wrong_choice_is_refused(project, person, monkeypatch):
    job = start(project, person, "export", q="", format="jsonl")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(files, "append", full)
        turn(job)
    assert (job.state, job.error) == ("stopped", "The disk is full.")
    for kind, choice in (("queue", {"queue": "none"}), ("review", {"verdict": "bad"})):
        with pytest.raises(ActionError):
            start(project, person, kind, **choice)
