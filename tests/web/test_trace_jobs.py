"""Everything that matches, at once: jobs from the list, exports, and who sees them."""

from __future__ import annotations

import csv
import io
import re
import time
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.utils import timezone

from tests import trace_factory
from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.core import parquet
from tracehub.digest.bulk import work
from tracehub.digest.models import BulkJob
from tracehub.evals.models import Case
from tracehub.notify import sending
from tracehub.projects.models import AuditEntry
from tracehub.review.models import Queue, QueueItem, Review

pytestmark = pytest.mark.django_db
LIST = "/skylane/traces"


@pytest.fixture
def project(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    made = stories.project()
    for n in range(60):
        trace_row(made, failing=n % 2 == 0, name="=cmd" if n == 0 else "airline-support")
    return made


@pytest.fixture
def reviewer(client, project):
    person = stories.member(project, "reviewer")
    client.force_login(person)
    return person


@pytest.fixture
def large(monkeypatch):
    monkeypatch.setattr("tracehub.web.trace_export.AT_ONCE", 10)


@async_to_sync
async def streamed(answer) -> bytes:
    return b"".join([piece async for piece in answer.streaming_content])


def test_what_matches_is_marked_as_a_job_told_above_the_list_and_undone(client, project, reviewer):
    page = client.get(f"{LIST}?q=is:failing").text
    assert 'All <span id="match-count">30 </span>that match' in page
    asked = {"all": "1", "q": "is:failing", "verdict": "fail", "next": f"{LIST}?q=is:failing"}
    assert client.post(f"{LIST}/bulk", asked)["Location"] == f"{LIST}?q=is:failing"
    page = client.get(LIST).text
    assert "Marking 30 traces fail" in page
    assert 'hx-trigger="every 2s"' in page
    work.work(seconds=20)
    strip = client.get(f"{LIST}/jobs?strip=1").text
    assert "30 traces marked fail" in strip
    assert "every 2s" not in strip
    job = BulkJob.objects.get()
    client.post(f"{LIST}/jobs/{job.pk}", {"act": "undo"})
    assert "Taking back 30" in client.get(f"{LIST}/jobs").text
    work.work(seconds=20)
    assert not Review.objects.filter(withdrawn_at=None).exists()
    assert "Marking traces fail was undone." in client.get(f"{LIST}/jobs").text


def test_a_job_leaves_near_duplicates_out_unless_they_are_to_be_kept(client, project, reviewer):
    ids = [trace_factory.trace(project) for _ in range(3)]  # all ask the same
    these = {"all": "1", "q": f"trace:{','.join(ids)}"}
    client.post(f"{LIST}/bulk", these | {"new_set": "Refunds"})
    work.work(seconds=20)
    assert Case.objects.count() == 1
    left = "1 case added to the draft of refunds; 2 left out, like another or there already"
    assert left in client.get(f"{LIST}/jobs").text
    client.post(f"{LIST}/bulk", these | {"set": "refunds", "near": "keep"})
    work.work(seconds=20)
    assert Case.objects.count() == 3


def test_selected_traces_go_into_a_queue_and_out_again(client, project, reviewer):
    Queue.objects.create(project=project, slug="refunds", name="Refunds")
    ids = [trace_factory.trace(project) for _ in range(3)]
    client.post(f"{LIST}/bulk", {"trace": ids, "queue": "refunds"})
    page = client.get(LIST).text
    assert "3 traces added to Refunds" in page
    assert QueueItem.objects.count() == 3
    client.post(f"{LIST}/bulk", {"trace": ids, "queue": "refunds"})
    assert "0 traces added to Refunds, 3 there already" in client.get(LIST).text
    client.post(re.search(r'action="(/skylane/traces/undo/[^"]+)"', page)[1])
    assert QueueItem.objects.count() == 0


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_small_export_comes_at_once(client, project, reviewer, kind):
    answer = client.post(f"{LIST}/export", {"all": "1", "q": "is:failing", "format": kind})
    assert f'filename="traces-skylane.{kind}"' in answer["Content-Disposition"]
    body = b"".join(answer.streaming_content) if kind == "parquet" else streamed(answer)
    if kind == "csv":
        names = [row["name"] for row in csv.DictReader(io.StringIO(body.decode()))]
        assert len(names) == 30
        assert "'=cmd" in names
    elif kind == "parquet":
        assert sum(1 for _ in parquet.read(io.BytesIO(body))) == 30
    assert AuditEntry.objects.get(action="traces.exported").detail["format"] == kind


def test_a_large_export_is_a_job_whose_file_only_its_owner_and_admins_fetch(
    client, project, reviewer, large
):
    asked = client.post(f"{LIST}/export", {"all": "1", "format": "csv"})
    assert asked["Location"] == f"{LIST}/jobs"
    assert "Exporting 60 traces to CSV" in client.get(f"{LIST}/jobs").text
    job = BulkJob.objects.get()
    assert client.get(f"{LIST}/jobs/{job.pk}/file").status_code == 404
    work.work(seconds=20)
    page = client.get(f"{LIST}/jobs").text
    assert f"traces-skylane-{job.pk}.csv is ready" in page
    file = client.get(f"{LIST}/jobs/{job.pk}/file")
    assert len(b"".join(file.streaming_content).splitlines()) == 61
    assert AuditEntry.objects.filter(action="traces.downloaded").count() == 1
    client.force_login(stories.member(project, "viewer", "other@skylane.example"))
    assert client.get(f"{LIST}/jobs/{job.pk}/file").status_code == 404
    assert "is ready" not in client.get(f"{LIST}/jobs").text
    client.force_login(stories.member(project, "admin"))
    file = client.get(f"{LIST}/jobs/{job.pk}/file")
    assert file.status_code == 200
    BulkJob.objects.update(finished_at=timezone.now() - timedelta(days=8))
    page = client.get(f"{LIST}/jobs").text
    assert "was deleted after 7 days" in page
    assert "Download" not in page
    file.close()  # last: it ends the request, and with it the connection


def test_what_cannot_be_done_is_said(client, project, reviewer):
    for path, data, why in (
        ("export", {"all": "1", "format": "xml"}, "format must be one of jsonl, csv, parquet."),
        ("bulk", {"all": "1", "q": "latency:>5sec", "verdict": "fail"}, "latency"),
        ("bulk", {"all": "1", "queue": "none"}, "does not have what was chosen: queue"),
    ):
        client.post(f"{LIST}/{path}", {**data, "next": LIST})
        assert why in client.get(LIST).text
    assert not BulkJob.objects.exists()
    viewer = stories.member(project, "viewer")
    client.force_login(viewer)
    assert client.post(f"{LIST}/bulk", {"all": "1", "verdict": "fail"}).status_code == 403


def test_who_asked_for_it_gets_a_mail_when_a_job_is_over(
    client, project, reviewer, settings, mailoutbox
):
    asked = {"all": "1", "q": "is:failing", "verdict": "fail", "next": LIST}
    client.post(f"{LIST}/bulk", asked)
    job = BulkJob.objects.get()
    settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
    assert f'data-notify="{job.pk}"' in client.get(LIST).text, "without mail the browser tells"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    for pressed in ("false", "true", "false"):
        assert f'value="notify" aria-pressed="{pressed}"' in client.get(LIST).text
        client.post(f"{LIST}/jobs/{job.pk}", {"act": "notify"})
    work.work(seconds=20)
    now = timezone.now()
    sending.distribute(now)
    sending.deliver_due(until=time.monotonic() + 10)
    assert [mail.to for mail in mailoutbox] == [[reviewer.email]]
    assert "Mark: 30 of 30 traces, done" in mailoutbox[0].subject
    assert f"{LIST}/jobs" in mailoutbox[0].body
    client.post(f"{LIST}/jobs/{job.pk}", {"act": "notify"})
    assert BulkJob.objects.get().notifies, "nothing to wait for any more"
