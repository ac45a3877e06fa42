"""Media of traces: set aside on arrival, shown apart, kept once, gone with the last trace."""

from __future__ import annotations

import base64
import json
from datetime import date, timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from tests.ingest.test_otlp import body, post, span
from tests.ingest.test_payloads import files, folder
from tests.web import stories
from tracehub.digest import actions as digests
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.projects.actions import create_key
from tracehub.traces import partitions
from tracehub.traces.media import keeping
from tracehub.traces.media.reading import read
from tracehub.traces.models import Medium, MediumUse, StoredSpan, TraceText
from tracehub.traces.sampling import store as sampling

__all__ = ["folder"]  # a fixture
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200
DATA = base64.b64encode(PNG).decode()
HTML = b"<script>alert(1)</script>" * 500


def chat(*parts) -> list[dict]:
    message = {"role": "user", "parts": list(parts)}
    return [
        {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.input.messages", "value": {"stringValue": json.dumps([message])}},
    ]


def send(url, key, trace: int = 1, data: str = DATA, mime: str = "image/png"):
    picture = {"type": "blob", "modality": "image", "mime_type": mime, "content": data}
    said = chat({"type": "text", "content": "What is this?"}, picture)
    assert post(url, key, body(span(trace, attributes=said))).status_code == 200


def delete(project, trace: int) -> None:
    with partitions.connection.cursor() as cursor:
        sampling.delete_content(cursor, project.pk, timezone.now().date(), [UUID(int=trace)])


def test_a_picture_is_kept_once_and_leaves_a_chip_a_reference_and_the_raw_bytes(
    url, key, project, committed_db
):
    send(url, key, 1)
    native = {"trace_id": f"{2:032x}", "name": "b", "input": f"data:image/png;base64,{DATA}"}
    assert post(url, key, native, "/api/v1/traces").status_code == 200
    log = {
        "traceId": f"{3:032x}", "spanId": f"{9:016x}", "timeUnixNano": "1",
        "eventName": "gen_ai.user.message", "body": {"stringValue": f"see {DATA}"},
    }  # fmt: skip
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": [log]}]}]}
    assert post(url, key, logs, "/v1/logs").status_code == 200
    digests.digest_all(seconds=20)
    kept = Medium.objects.get()
    assert (kept.type, kept.size, bytes(kept.body)) == ("image/png", len(PNG), PNG)
    assert {use.trace_id.int for use in MediumUse.objects.all()} == {1, 2, 3}
    spans = StoredSpan.objects.all()
    assert max(len(bytes(one.payload)) for one in spans) < 3000
    assert DATA[:40] not in TraceText.objects.get(trace_id=UUID(int=1)).input
    browser = Client()
    browser.force_login(stories.member(project, "viewer"))
    where = f"/skylane/media/{bytes(kept.hash).hex()}"
    page = browser.get(f"/skylane/traces/{1:032x}").text
    assert f'<img src="{where}"' in page
    assert DATA[:40] not in page
    answer = browser.get(where)
    assert (answer.content, answer["Content-Type"]) == (PNG, "image/png")
    assert "sandbox" in answer["Content-Security-Policy"]
    assert browser.get(f"/skylane/media/{'0' * 64}").status_code == 404
    assert DATA[:40] not in browser.get(f"/skylane/traces/{2:032x}?tab=raw").text
    case = evals.create_set(project, "Pictures")[0]
    made = promoting.add_all(case, [promoting.Promotion(UUID(int=1))])[0][0]
    assert DATA in json.dumps(made.input)
    _, secret = create_key(project, "viewer", "reads")
    raw = browser.get(f"/api/v1/traces/{1:032x}/raw", headers={"authorization": f"Bearer {secret}"})
    assert DATA in raw.json()["spans"][0]["attributes"]["gen_ai.input.messages"]


def test_what_only_says_that_it_is_a_picture_is_saved_and_never_drawn(url, key, project, db):
    send(url, key, 1, f"data:image/png;base64,{base64.b64encode(HTML).decode()}")
    digests.digest_all(seconds=20)
    browser = Client()
    browser.force_login(stories.member(project, "viewer"))
    answer = browser.get(f"/skylane/media/{bytes(Medium.objects.get().hash).hex()}")
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"].startswith("attachment; filename=")
    assert answer.content == HTML


def test_a_medium_goes_with_the_last_trace_that_speaks_of_it_its_object_too(
    url, key, project, folder, settings, committed_db
):
    settings.PAYLOAD_BYTES = 1000
    send(url, key, 1)
    send(url, key, 2)
    kept = Medium.objects.get()
    hash_ = bytes(kept.hash).hex()
    assert keeping.work() == 0, "it moves after ten minutes"
    Medium.objects.update(due_at=timezone.now())
    assert keeping.work() == 1
    assert len([one for one in files(folder) if hash_ in one.name]) == 1
    assert bytes(Medium.objects.get().body) == b""
    assert read(project.pk, hash_).body == PNG
    delete(project, 1)
    keeping.work()
    assert read(project.pk, hash_).body == PNG
    delete(project, 2)
    assert keeping.work() == 1
    assert not Medium.objects.exists()
    assert [one for one in files(folder) if hash_ in one.name] == []
    send(url, key, 2)  # of a trace that was deleted: nothing is kept
    assert not Medium.objects.exists()


def test_a_move_that_a_crash_ended_leaves_no_object_that_nobody_knows(
    url, key, project, folder, settings, monkeypatch, committed_db
):
    settings.PAYLOAD_BYTES = 1000
    send(url, key, 1)
    hash_ = bytes(Medium.objects.get().hash).hex()

    def crash(*_):
        raise KeyboardInterrupt

    def objects():
        return [one for one in files(folder) if hash_ in one.name]

    Medium.objects.update(due_at=timezone.now())
    for _ in range(2):  # the second finds what the first wrote
        with monkeypatch.context() as patched:
            patched.setattr(keeping.store, "moved", crash)
            with pytest.raises(KeyboardInterrupt):
                keeping.work()
        assert len(objects()) == 1
    assert bytes(Medium.objects.get().body) == PNG
    delete(project, 1)
    assert keeping.work() == 1
    assert objects() == []


def test_retention_takes_the_media_of_its_days(url, key, project, committed_db):
    send(url, key, 1)
    MediumUse.objects.update(day=date(2020, 1, 4))
    with partitions.connection.cursor() as cursor:
        cursor.execute("SELECT tracehub_ensure_partitions('2020-01-05', '2020-01-05')")
    partitions.drop_before(date(2020, 1, 6))
    assert not MediumUse.objects.exists()
    assert keeping.work() == 1
    assert not Medium.objects.exists()


def test_a_storage_that_is_away_keeps_nothing_else_waiting(
    url, key, project, folder, settings, monkeypatch, committed_db
):
    settings.PAYLOAD_BYTES = 1000
    send(url, key, 1)
    send(url, key, 2, base64.b64encode(PNG + b"other").decode())
    delete(project, 2)
    Medium.objects.update(due_at=timezone.now() - timedelta(seconds=1))

    def away(*_):
        raise OSError("away")

    monkeypatch.setattr(keeping.objects, "write", away)
    keeping.work()
    assert bytes(Medium.objects.get().body) == PNG
    assert Medium.objects.get().due_at > timezone.now()
