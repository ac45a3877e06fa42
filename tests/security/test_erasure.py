"""Erasure: a person's word is planted everywhere through the front door, then is nowhere."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest
import requests
from django.apps import apps
from django.db import connection
from django.test import Client
from django.utils import timezone

from tests import trace_factory as factory
from tests.server import running
from tests.web import stories
from tracehub.core.packing import VERSION, decompress, unpack
from tracehub.core.query import parse
from tracehub.core.trace import SpanFacts
from tracehub.digest import tasks
from tracehub.digest.actions import digest_all
from tracehub.digest.bulk import actions as bulk
from tracehub.digest.bulk import files
from tracehub.digest.erasure import actions, work
from tracehub.digest.models import BulkJob, Erasure
from tracehub.metrics import rollup
from tracehub.projects.actions import ActionError, create_key
from tracehub.projects.models import AuditEntry
from tracehub.review.models import Review
from tracehub.traces.extent import Range
from tracehub.traces.models import Arrival, Trace

WORD = "zanzibar7731"
USER = f"user-{WORD}"
ZSTD = b"\x28\xb5\x2f\xfd"


def sent(user: str, said: str) -> dict:
    call = {
        "name": said, "kind": "llm", "model": "gpt-4o",
        "prompt": {"name": "reply", "version": "v1"},
        "input": {"messages": [{"role": "user", "content": f"I am {said}"}]},
        "output": {"messages": [{"role": "assistant", "content": f"Dear {said}"}]},
        "attributes": {"note": said, said: 1},
        "status": "error", "error": {"type": "KeyError", "message": f"no booking of {said}"},
    }  # fmt: skip
    return {
        "name": "support", "user_id": user, "session_id": f"s-{said}", "tags": [said],
        "metadata": {"who": said}, "spans": [call],
    }  # fmt: skip


def held() -> str:
    """All tables as text, with what is packed in them unpacked."""
    texts = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND nspname = 'public'"
        )
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT t::text FROM "{table}" t')
            for (row,) in cursor.fetchall():
                packed = [bytes.fromhex(one) for one in re.findall(r"\\\\x([0-9a-f]+)", row)]
                texts += [row, *(decompress(p).decode() for p in packed if p.startswith(ZSTD))]
                payloads = [unpack(p) for p in packed if p.startswith(VERSION + ZSTD)]
                texts += [part.decode() for payload in payloads for part in payload]
    return "\n".join(texts)


def plant(url: str, project, browser: Client) -> str:
    """Put WORD wherever people and programs can; return the trace id."""
    keys = {scope: create_key(project, scope, scope)[1] for scope in ("ingest", "admin")}

    def post(path: str, body: object, scope: str = "admin") -> dict:
        headers = {"Authorization": f"Bearer {keys[scope]}"}
        answer = requests.post(f"{url}{path}", json=body, headers=headers, timeout=20)
        assert answer.status_code in {200, 201}, (path, answer.text)
        return answer.json()

    bodies = [sent(USER, WORD), sent(USER, WORD), sent("somebody-else", "a neighbour")]
    trace_id = post("/api/v1/traces", bodies, "ingest")["trace_ids"][0]
    score = {"trace_id": trace_id, "name": "thumbs", "value": 0, "comment": f"{WORD} is angry"}
    post("/api/v1/feedback", score, "ingest")
    digest_all(seconds=20)
    verdict = {"verdict": "fail", "note": f"{WORD} was right", "corrected_output": {"to": WORD}}
    post(f"/api/v1/traces/{trace_id}/reviews", verdict)
    post("/api/v1/failure-modes", {"name": "Rude", "examples": [trace_id]})
    post("/api/v1/queues", {"name": "All", "q": f"user:{USER}"})
    post("/api/v1/eval-sets", {"name": "Replies"})
    post("/api/v1/eval-sets/replies/cases", {"from_trace": trace_id})
    post("/api/v1/eval-sets/replies/fix", {})
    results = [{"case": "c_0001", "output": f"Dear {WORD}"}]
    body = {"version": 1, "candidate": {"name": "next"}, "results": results}
    post("/api/v1/eval-sets/replies/runs", body)
    failure = project.failures.order_by("number").first()
    page = f"/skylane/failures/{failure.key}/say"
    assert browser.post(page, {"text": f"Called {USER} back"}).status_code in {200, 302}
    digest_all(seconds=20)
    return trace_id


def charts_agree(project) -> bool:
    hour = timezone.now().replace(minute=0, second=0, microsecond=0)
    with connection.cursor() as cursor:
        spread = timedelta(days=2)
        return rollup.check(cursor, project.pk, hour - spread, hour + spread) == []


def finish(job: Erasure) -> Erasure:
    work.work(seconds=20)
    job.refresh_from_db()
    return job


def test_a_persons_word_is_nowhere_after_the_erasure(committed_db, settings, tmp_path):
    settings.DATA_DIR = tmp_path
    project = stories.project()
    admin = stories.member(project, "admin")
    browser = Client()
    browser.force_login(admin)
    with running() as url:
        trace_id = plant(url, project, browser)
        now = timezone.now()
        within = Range(project, now - timedelta(days=1), now + timedelta(minutes=1))
        export = bulk.start(within, parse(""), "export", {"format": "jsonl"}, by=admin)
        tasks.bulk()
        assert WORD in files.path_of(export).read_text()
        assert WORD in held()

        looked = browser.post("/skylane/settings/erasure", {"kind": "user", "ids": USER})
        for told in ("2 traces", "1 note", "1 case", "1 comment"):
            assert told in looked.text
        wanted = {"kind": "user", "ids": USER, "confirm": "erase"}
        assert browser.post("/skylane/settings/erasure", wanted).status_code == 302
        job = finish(Erasure.objects.get())
        digest_all(seconds=20)
        assert WORD not in held()
        assert not list(tmp_path.rglob("*.jsonl"))

        # What comes for the trace later is not stored again.
        key = create_key(project, "ingest", "late")[1]
        late = {**sent(USER, WORD), "trace_id": trace_id}
        headers = {"Authorization": f"Bearer {key}"}
        assert requests.post(f"{url}/api/v1/traces", json=late, headers=headers, timeout=20).ok
        digest_all(seconds=20)
        assert WORD not in held()

    assert Trace.objects.get().user_id == "somebody-else"
    assert charts_agree(project)
    assert Review.objects.get().verdict == "fail"  # numbers stay
    told = browser.get(f"/skylane/settings/erasure/{job.pk}.json").json()
    assert told["deleted"] | {"traces": 2, "notes": 1, "cases": 1, "comments": 1} == told["deleted"]
    assert told["ids_hmac_sha256"] == [actions.mark(project, USER)]
    assert WORD not in str(told)
    entries = AuditEntry.objects.filter(action__startswith="data.")
    assert {entry.action for entry in entries} == {"data.erasure_asked", "data.erased"}
    assert WORD not in str([(entry.object, entry.detail) for entry in entries])


def test_each_table_with_trace_ids_is_one_that_erasure_knows():
    """A new one needs its line in `digest.erasure.elsewhere`, and then here."""
    names = {"trace_id", "source_trace_id", "trace_ids"}
    found = {
        model._meta.db_table
        for model in apps.get_models()
        if names & {field.name for field in model._meta.get_fields()}
    }
    assert found == {
        "arrivals", "evals_case", "evals_runresult", "late_signals", "media_uses",
        "review_judgetask", "review_queueitem", "review_repeat", "review_review",
        "review_traceassignment",
        "review_tracecomment", "sampling_waiting", "second_looks", "span_supplements", "spans",
        "trace_attributes",
        "trace_texts", "traces", "traces_feedback", "traces_parked",
    }  # fmt: skip


@pytest.mark.django_db
class TestErasure:
    @pytest.fixture
    def project(self, settings, tmp_path):
        settings.DATA_DIR = tmp_path
        return stories.project()

    def trace(self, project, user="u_1", *, digested=True):
        facts = SpanFacts(user_id=user, session_id="s_1")
        made = factory.trace(project, facts=facts, digested=digested)
        if digested:
            self.seen(made)
        return made

    def seen(self, trace_id):
        Arrival.objects.filter(trace_id=trace_id).update(dirty_seq=None, dirty_at=None)

    def test_it_goes_on_where_it_was_killed_and_waits_for_what_the_worker_has_not_seen(
        self, project, monkeypatch
    ):
        monkeypatch.setattr(work, "BATCH", 2)
        for _ in range(5):
            self.trace(project)
        other = self.trace(project, "U_1")  # another person: ids are exact
        late = self.trace(project, digested=False)
        job = actions.start(project, actions.read("user", "u_1"), by=None)
        work._turn(job)  # a batch, and the worker died
        assert 0 < Trace.objects.count() < 6
        assert finish(job).finished_at is None
        assert [row.hex for row in Trace.objects.all()] == [other]
        factory.digest_now(project, late)
        self.seen(late)
        assert finish(job).traces == 6
        assert job.finished_at
        assert job.wanted == []
        assert charts_agree(project)

    def test_traces_go_by_their_ids_and_by_a_session_also_when_they_cannot_be_digested(
        self, project
    ):
        kept, gone = self.trace(project, "a"), self.trace(project, "b")
        parked = self.trace(project, "c", digested=False)
        Arrival.objects.filter(trace_id=parked).update(tries=3)
        ids = f"{gone}, {UUID(parked)}"
        job = actions.start(project, actions.read("traces", ids), by=None)
        assert finish(job).traces == 2
        assert [row.hex for row in Trace.objects.all()] == [kept]
        job = actions.start(project, actions.read("session", "s_1"), by=None)
        assert finish(job).traces == 1

    def test_another_project_with_the_same_user_keeps_its_traces(self, project):
        other = stories.project("elsewhere")
        self.trace(project)
        kept = self.trace(other)
        finish(actions.start(project, actions.read("user", "u_1"), by=None))
        assert [row.hex for row in Trace.objects.all()] == [kept]

    @pytest.mark.parametrize(
        ("kind", "ids", "said"),
        [
            ("user", " ", "1 to 1,000 characters"),
            ("traces", "xyz", "Got 'xyz'"),
            ("x", "y", "kind"),
        ],
    )
    def test_what_cannot_be_asked_for_is_named(self, kind, ids, said):
        with pytest.raises(ActionError, match=said):
            actions.read(kind, ids)

    def test_nothing_goes_without_the_typed_word(self, project, client):
        self.trace(project)
        client.force_login(stories.member(project, "admin"))
        asked = {"kind": "user", "ids": "u_1", "confirm": "yes"}
        page = client.post("/skylane/settings/erasure", asked)
        assert page.status_code == 422
        assert "Type erase" in page.text
        assert not Erasure.objects.exists()

    def test_an_export_whose_file_went_says_so(self, project):
        admin = stories.member(project, "admin")
        now = timezone.now()
        job = BulkJob.objects.create(
            project=project, by=admin, kind="export", choice={"format": "csv"}, since=now,
            until=now, expected=0, state="done", finished_at=now,
        )  # fmt: skip
        finish(actions.start(project, actions.read("user", "u_1"), by=admin))
        job.refresh_from_db()
        assert not job.has_file
        assert "erased" in job.error
