"""Masking what is stored: after the job the text is nowhere, killed or run twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection, transaction

from tests.digest.test_repricing import charts_agree
from tests.ingest.test_masking import ADDRESS, tables
from tests.ingest.test_otlp import body, post, span
from tests.ingest.test_payloads import files, folder, later
from tracehub.digest import actions as digests
from tracehub.digest import second
from tracehub.digest.models import Remasking
from tracehub.digest.remasking import work
from tracehub.failures.models import Activity, Failure
from tracehub.projects import actions, masking
from tracehub.projects.models import AuditEntry
from tracehub.review.actions import submit_review
from tracehub.review.models import TraceComment
from tracehub.traces.actions import save_prompt
from tracehub.traces.models import Trace, TraceText
from tracehub.traces.payloads import moving
from tracehub.traces.reading import received

__all__ = ["folder"]  # a fixture
LOG = {
    "resourceLogs": [{"scopeLogs": [{"logRecords": [{
        "traceId": f"{1:032x}", "spanId": f"{9:016x}", "timeUnixNano": "1",
        "eventName": "gen_ai.user.message", "body": {"stringValue": f"I am {ADDRESS}"},
    }]}]}]
}  # fmt: skip


@pytest.fixture
def admin(project):
    return actions.add_user("maja@skylane.example")


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(work, "WAIT", timedelta(0))


def send(url, key):
    said = [
        {"key": "input.value", "value": {"stringValue": f"I am {ADDRESS}, and I like tea"}},
        {"key": "openinference.span.kind", "value": {"stringValue": "LLM"}},
        {"key": "output.value", "value": {"stringValue": "Hello"}},
        {"key": "user.id", "value": {"stringValue": "u-4711-secret"}},
        {"key": "sent.to", "value": {"stringValue": ADDRESS}},
    ]
    assert post(url, key, body(span(1, attributes=said))).status_code == 200
    assert post(url, key, LOG, "/v1/logs").status_code == 200
    call = {"span_id": f"{1:016x}", "name": "b", "kind": "llm", "input": f"mail {ADDRESS}",
            "tokens": {"input": 5, "output": 2}, "cost": 0.25}  # fmt: skip
    step = {"name": "c", "parent_id": f"{1:016x}", "error": {"message": ADDRESS}}
    whole = {"trace_id": f"{2:032x}", "name": "a", "session_id": "s1", "user_id": "u-4711-secret",
             "metadata": {"who": ADDRESS}, "tags": [ADDRESS], "spans": [call, step]}  # fmt: skip
    short = {"trace_id": f"{3:032x}", "name": "d", "input": f"mail {ADDRESS}", "output": "Sent."}
    clean = {"trace_id": f"{4:032x}", "name": "e", "input": "tea"}
    for each in (whole, short, clean):
        assert post(url, key, each, "/api/v1/traces").status_code == 200
    score = {"trace_id": f"{3:032x}", "name": "thumbs", "value": 0, "comment": f"ask {ADDRESS}",
             "id": f"vote of {ADDRESS}"}  # fmt: skip
    assert post(url, key, score, "/api/v1/feedback").status_code == 200


def shown(project, number):
    return Trace.objects.get(project_id=project.pk, trace_id=UUID(int=number))


def test_a_new_rule_takes_its_text_out_of_everything_stored(url, key, project, admin, committed_db):
    send(url, key)
    submit_review(project, UUID(int=3), "fail", author=admin, note=f"told {ADDRESS}",
                  corrected_output={"to": ADDRESS})  # fmt: skip
    save_prompt(project, "refund", "v1", f"Write to {ADDRESS}")
    digests.digest_all(seconds=20)
    second.look_some()
    comment = TraceComment.objects.create(
        project=project, trace_id=UUID(int=3), text=f"{ADDRESS} wrote", quote=f"mail {ADDRESS}"
    )
    failure = Failure.objects.filter(project=project)[0]
    Activity.objects.create(failure=failure, actor="Maja", verb="comment", text=f"ask {ADDRESS}")
    held = [name for name, rows in tables(committed_db).items() if ADDRESS in rows]
    assert any("attributes_" in name for name in held)
    before = {n: shown(project, n) for n in (1, 2, 3, 4)}
    assert ADDRESS in before[1].input_preview
    masking.add_rule(project, "email", "email", by=admin)
    masking.add_rule(project, "who", "path", "user*", "hmac", by=admin)
    work.start(project, by=admin)
    assert not work.work(seconds=30)
    digests.digest_all(seconds=20)
    while second.look_some():
        digests.digest_all(seconds=20)
    for secret in (ADDRESS, "u-4711-secret"):
        assert [name for name, rows in tables(committed_db).items() if secret in rows] == []
    comment.refresh_from_db()
    assert (comment.text, comment.quote) == ("[masked:email] wrote", "mail [masked:email]")
    job = Remasking.objects.get()
    assert (job.traces, job.changed, job.total) == (4, 3, 4)
    assert job.finished_at is not None
    assert masking.counted(project)["email"] == job.values - masking.counted(project)["who"]
    after = {n: shown(project, n) for n in (1, 2, 3, 4)}
    assert after[1].input_preview == "I am [masked:email], and I like tea"
    assert after[1].user_id == after[2].user_id
    assert after[2].tags == ["[masked:email]"]
    assert (after[2].session_id, after[2].input_tokens) == ("s1", 5)
    assert TraceText.objects.get(trace_id=UUID(int=3)).input.endswith("[masked:email]")
    for number in before:
        for name in ("name", "span_count", "cost", "duration_ns", "started_at", "status"):
            assert getattr(after[number], name) == getattr(before[number], name)
    assert after[4].digest_hash == before[4].digest_hash
    assert charts_agree(project)
    assert AuditEntry.objects.get(action="masking.stored").actor == admin.email


def test_a_job_that_is_killed_goes_on_and_changes_nothing_twice(
    url, key, project, admin, committed_db, monkeypatch
):
    monkeypatch.setattr(work, "BATCH", 2)
    send(url, key)
    masking.add_rule(project, "who", "path", "user*", "hmac", by=admin)
    job = work.start(project, by=admin)
    with transaction.atomic():
        work._step(Remasking.objects.get())
    with pytest.raises(RuntimeError), transaction.atomic():
        work._step(Remasking.objects.get())
        raise RuntimeError("killed")
    job.refresh_from_db()
    assert (job.traces, job.changed, job.share) == (2, 2, 0.5)
    assert job.ms_left > 0
    assert not work.work(seconds=30)
    digests.digest_all(seconds=20)
    pseudonym = shown(project, 1).user_id
    work.start(project, by=admin)
    assert not work.work(seconds=30)
    again = Remasking.objects.order_by("-pk")[0]
    assert (again.traces, again.changed, again.values) == (4, 0, 0)
    assert shown(project, 1).user_id == pseudonym
    first, second = work.start(project, by=admin), work.start(project, by=admin)
    first.refresh_from_db()
    assert first.finished_at is not None
    assert second.finished_at is None


def test_a_rule_of_one_place_leaves_the_others_stored_as_they_are(
    url, key, project, admin, committed_db
):
    send(url, key)
    native = {"trace_id": f"{5:032x}", "name": "f", "input": "tea", "output": "more tea"}
    assert post(url, key, native, "/api/v1/traces").status_code == 200
    masking.add_rule(project, "drink", "pattern", "tea$", "mask", "output", by=admin)
    work.start(project, by=admin)
    assert not work.work(seconds=30)
    digests.digest_all(seconds=20)
    row = shown(project, 5)
    assert (row.input_preview, row.output_preview) == ("tea", "more [masked:drink]")
    assert shown(project, 4).input_preview == "tea"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL")
        assert cursor.fetchone()[0] == 0


def test_a_payload_in_object_storage_is_masked_and_its_object_goes(
    folder, url, key, project, admin, committed_db
):
    digits = "".join(f"{n:x}" for n in range(60_000))
    body = {"name": "x", "trace_id": f"{6:032x}", "input": f"{digits} {ADDRESS}"}
    assert post(url, key, body, "/api/v1/traces").status_code == 200
    assert moving.work(now=later(11)) == 1
    assert len(files(folder)) == 1
    masking.add_rule(project, "email", "email", by=admin)
    work.start(project, by=admin)
    assert not work.work(seconds=30)
    moving.work(now=later(1))
    assert files(folder) == []
    text = str(received(project, UUID(int=6)))
    assert f"{digits} [masked:email]" in text
    assert ADDRESS not in text
