"""Odd ids, times, names, types and repetitions: cases 6 to 7 and 9 to 15."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
import requests

from tests.ingest.test_otlp import NOW, body, post, span
from tracehub.digest.actions import digest_all
from tracehub.metrics.models import Rollup
from tracehub.projects import actions
from tracehub.traces.models import Arrival, Feedback, StoredSpan, Trace
from tracehub.traces.reading import received


def text(key, value):
    return {"key": key, "value": {"stringValue": value}}


def digest_now():
    digest_all(seconds=20, sleep=lambda _: None)


@pytest.mark.parametrize("bad", ["\x00", "\ud800"], ids=["6 NUL", "7 lone surrogate"])
def test_6_and_7_what_postgres_cannot_hold_gets_a_stand_in(url, key, project, bad):
    odd = span(1, 1, name=f"a{bad}b", attributes=[text(f"k{bad}", f"v{bad}")])
    answer = post(url, key, json.dumps(body(odd)).encode())
    assert answer.status_code == 200
    assert "U+FFFD" in answer.text
    score = {"trace_id": f"{1:032x}", "name": f"n{bad}", "value": 1, "id": f"i{bad}"}
    assert post(url, key, json.dumps(score).encode(), "/api/v1/feedback").status_code == 200
    native = {"name": f"x{bad}", "input": f"y{bad}", "metadata": {f"m{bad}": 1}}
    assert post(url, key, json.dumps(native).encode(), "/api/v1/traces").status_code == 200
    digest_now()
    assert {t.name for t in Trace.objects.all()} == {"a\ufffdb", "x\ufffd"}
    assert Feedback.objects.get().key == "i\ufffd"


def test_6_nul_in_a_note_and_in_a_filter_is_a_stand_in_or_400(url, key, project):
    assert post(url, key, {"name": "a", "trace_id": "a" * 32}, "/api/v1/traces").status_code == 200
    digest_now()
    admin = {"authorization": f"Bearer {actions.create_key(project, 'admin', 'a')[1]}"}
    review = {"verdict": "fail", "note": "a\x00b", "corrected_output": {"c\x00": "d\x00"}}
    at = f"{url}/api/v1/traces"
    told = requests.post(f"{at}/{'a' * 32}/reviews", json=review, headers=admin, timeout=20)
    assert told.status_code in (201, 400), told.text
    assert "\\u0000" not in told.text
    for q in ("\x00", "name:a\x00", "input:\x00b"):
        assert requests.get(at, params={"q": q}, headers=admin, timeout=20).status_code == 400


def test_9_names_that_mean_something_to_programs_are_plain_data(url, key, project):
    attributes = [
        text("__proto__", "p"),
        text("constructor.prototype.x", "c"),
        text("a.b", "dotted"),
        {"key": "a", "value": {"kvlistValue": {"values": [text("b", "nested")]}}},
        text("twice", "first"),
        text("twice", "last"),
    ]
    assert post(url, key, body(span(1, attributes=attributes))).status_code == 200
    sent = received(project, UUID(int=1))["spans"][0]["attributes"]
    assert sent == {
        "__proto__": "p",
        "constructor.prototype.x": "c",
        "a.b": "dotted",
        "a": {"b": "nested"},
        "twice": "last",
    }


@pytest.mark.parametrize("bad", ["../../x", "zz" * 16, "0" * 32, "ab" * 15, "", "ab" * 17])
def test_10_ids_are_checked_before_anything_is_made_of_them(url, key, bad):
    answer = post(url, key, body(span(1, traceId=bad), span(2))).json()
    assert answer["partialSuccess"]["rejectedSpans"] == "1"
    assert "traceId" in answer["partialSuccess"]["errorMessage"]
    native = post(url, key, {"name": "a", "trace_id": bad or "x"}, "/api/v1/traces")
    assert (native.status_code, native.json()["error"]["field"]) == (400, "trace_id")
    assert StoredSpan.objects.count() == 1


def test_10_ids_in_capitals_are_folded(url, key):
    assert post(url, key, body(span(1, traceId="AB" * 16))).status_code == 200
    assert StoredSpan.objects.get().trace_id.hex == "ab" * 16


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, 0),
        (0, NOW),
        (NOW, NOW - 10**9),
        (1, 2),
        (NOW + 365 * 86400 * 10**9, NOW + 366 * 86400 * 10**9),
        (2**64 - 1, 2**64 - 1),
    ],
    ids=["zero", "no start", "reversed", "1970", "next year", "the last"],
)
def test_11_any_times_are_stored_in_the_partition_of_their_arrival(url, key, start, end):
    sent = span(1, startTimeUnixNano=str(start), endTimeUnixNano=str(end))
    assert post(url, key, body(sent)).status_code == 200
    digest_now()
    assert Trace.objects.get().day == Arrival.objects.get().day


def test_12_a_batch_sent_again_at_once_on_two_processes_counts_once(start_web, key):
    web = start_web()
    start_web()
    call = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.request.model", "gpt-4o"),
        {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "10"}},
    ]
    spans = [span(1), *(span(1, n, parentSpanId=f"{1:016x}", attributes=call) for n in range(2, 6))]
    batch = body(*spans, *(span(t) for t in range(2, 40)))
    score = {"trace_id": f"{1:032x}", "name": "thumbs", "value": 0, "id": "once"}

    def send(_):
        post(web.url, key, score, "/api/v1/feedback")
        return post(web.url, key, batch).status_code

    assert [send(None) for _ in range(3)] == [200] * 3
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(16))) == {200}
    digest_now()
    assert (StoredSpan.objects.count(), Feedback.objects.count()) == (43, 1)
    trace = Trace.objects.get(trace_id=UUID(int=1))
    assert (trace.span_count, trace.input_tokens, len(trace.feedback)) == (5, 40, 1)
    hours = Rollup.objects.filter(resolution=3600)
    whole = max(row.requests for row in hours)
    assert whole == 39


@pytest.mark.parametrize("kind", [None, "text/plain", "application/json; charset=utf-16"], ids=str)
def test_13_other_types_are_415_that_names_what_is_taken(url, key, kind):
    headers = {"authorization": f"Bearer {key}"} | ({"content-type": kind} if kind else {})
    answer = requests.post(f"{url}/v1/traces", data=b"{}", headers=headers, timeout=20)
    assert answer.status_code == 415
    assert b"application/json" in answer.content or b"utf-8" in answer.content


def test_14_a_key_in_the_address_opens_nothing(url, key):
    answer = requests.post(f"{url}/v1/traces?api_key={key}", json=body(span()), timeout=20)
    assert answer.status_code == 401
    assert key not in answer.text


def test_15_one_broken_line_harms_only_itself(url, key):
    sent = b"\n".join(b'{"name": "a"}' if n != 3 else b'{"name": ' for n in range(1, 6))
    answer = post(url, key, sent, "/api/v1/traces", "application/x-ndjson").json()
    assert answer["accepted"] == 4
    assert [item["line"] for item in answer["rejected"]] == [3]
    assert StoredSpan.objects.count() == 4
