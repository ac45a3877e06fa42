"""What does not come as OTLP traces: logs, native JSON, feedback, LangSmith."""

from __future__ import annotations

import json
from pathlib import Path
from uuid import UUID

import pytest
import requests

from tests.ingest.test_otlp import NOW, body, post, span
from tracehub.core.stored import content_in
from tracehub.digest.actions import digest_all
from tracehub.traces.models import Feedback, Refusal, StoredSpan, Trace
from tracehub.traces.reading import received

WIRE = Path(__file__).parents[1] / "wire"


def replay(url: str, key: str, name: str, order=None) -> None:
    """Send the captured requests of a fixture with our own key."""
    meta = json.loads((WIRE / f"{name}.meta.json").read_text())
    for request in order(meta["requests"]) if order else meta["requests"]:
        headers = {
            k: v for k, v in request["headers"].items() if k in {"content-type", "x-api-key"}
        }
        headers["x-api-key"] = key
        data = (WIRE / request["file"]).read_bytes() if request.get("file") else None
        answer = requests.request(
            request.get("method", "POST"),
            url + request["path"],
            data=data,
            headers=headers,
            timeout=20,
        )
        assert answer.status_code in {200, 202}, (request["path"], answer.text)


@pytest.mark.parametrize("order", [list, lambda requests: list(reversed(requests))])
def test_log_records_join_their_spans_whichever_comes_first(url, key, order):
    replay(url, key, "otel-openai-v2-legacy", order)
    digest_all(seconds=10)
    calls = [s for s in StoredSpan.objects.all() if s.kind == "llm"]
    assert calls
    assert all("messages" in content_in(call.payload)["input"] for call in calls)
    assert Trace.objects.get().input_preview


def test_a_retry_of_a_span_does_not_take_its_joined_records_away(url, key):
    replay(url, key, "otel-openai-v2-legacy")
    digest_all(seconds=10)
    before = {s.span_id: s.payload for s in StoredSpan.objects.all()}
    replay(url, key, "otel-openai-v2-legacy")
    digest_all(seconds=10)
    assert {s.span_id: s.payload for s in StoredSpan.objects.all()} == before


@pytest.mark.parametrize("order", [list, lambda requests: list(reversed(requests))])
def test_langsmith_runs_are_whole_whichever_half_comes_first(url, key, order):
    replay(url, key, "langsmith-native-support", order)
    digest_all(seconds=10)
    trace = Trace.objects.get(name="refund-desk")
    assert (trace.session_id, trace.finished) == ("s-91", True)
    assert StoredSpan.objects.count() == 6
    assert trace.output_preview
    assert Feedback.objects.count() == 1


def test_a_trace_in_our_own_json_makes_one_call(url, key):
    sent = {
        "name": "airline-support",
        "input": "Is SK 482 on time?",
        "output": "Yes, it leaves at 14:05.",
        "model": "gpt-4o",
        "prompt": "refund@v12",
        "latency_ms": 1240,
        "tokens": {"input": 1000, "output": 100},
    }
    answer = post(url, key, sent, "/api/v1/traces")
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 1
    digest_all(seconds=10)
    trace = Trace.objects.get()
    assert trace.hex == answer.json()["trace_ids"][0]
    assert (trace.name, trace.prompts, trace.input_preview) == (
        "airline-support",
        ["refund@v12"],
        "Is SK 482 on time?",
    )


def test_one_broken_line_of_ndjson_is_named_and_the_others_are_stored(url, key):
    lines = [json.dumps({"name": f"t{i}", "input": "x"}) for i in range(5)]
    lines[2] = "{broken"
    data = "\n".join(lines).encode()
    answer = post(url, key, data, "/api/v1/traces", "application/x-ndjson")
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 4
    assert answer.json()["rejected"][0]["line"] == 3


def test_an_idempotency_key_makes_a_retry_one_trace(url, key):
    for _ in range(2):
        answer = post(url, key, {"name": "a", "input": "x"}, "/api/v1/traces", idempotency_key="k")
        assert answer.status_code == 200
    headers = {"idempotency-key": "one"}
    ids = {
        requests.post(
            f"{url}/api/v1/traces",
            json={"name": "a", "input": "x"},
            headers={"authorization": f"Bearer {key}", **headers},
            timeout=10,
        ).json()["trace_ids"][0]
        for _ in range(3)
    }
    assert len(ids) == 1


def test_an_unknown_field_is_refused_by_name(url, key):
    answer = post(url, key, {"name": "a", "inptu": "x"}, "/api/v1/traces")
    assert answer.status_code == 400
    assert "inptu" in answer.json()["error"]["message"]


def test_feedback_marks_its_trace_and_counts_once(url, key):
    assert post(url, key, body(span())).status_code == 200
    digest_all(seconds=10)
    score = {"trace_id": f"{1:032x}", "name": "thumbs", "value": 0, "id": "f-1", "comment": "bad"}
    for _ in range(2):
        answer = post(url, key, score, "/api/v1/feedback")
        assert answer.status_code == 200, answer.text
    digest_all(seconds=10)
    trace = Trace.objects.get()
    assert trace.signal_kinds == ["negative_feedback"]
    assert [f["comment"] for f in trace.feedback] == ["bad"]


def test_feedback_may_come_before_its_trace(url, key):
    score = {"trace_id": f"{1:032x}", "name": "thumbs", "value": False}
    assert post(url, key, score, "/api/v1/feedback").status_code == 200
    assert post(url, key, body(span())).status_code == 200
    digest_all(seconds=10)
    assert Trace.objects.get().signal_kinds == ["negative_feedback"]


def test_bad_feedback_names_the_field(url, key):
    answer = post(url, key, {"trace_id": "zz", "name": "thumbs"}, "/api/v1/feedback")
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "trace_id"


def test_late_spans_change_the_summary_in_place(url, key):
    root = span(1, 1, name="root", endTimeUnixNano=str(NOW + 9_000_000))
    child = span(1, 2, name="child", parentSpanId=f"{1:016x}")
    assert post(url, key, body(child)).status_code == 200
    digest_all(seconds=10)
    assert Trace.objects.get().provisional
    assert post(url, key, body(root)).status_code == 200
    digest_all(seconds=10)
    trace = Trace.objects.get()
    assert (trace.name, trace.provisional, trace.span_count) == ("root", False, 2)


def test_raw_of_native_traces_is_what_was_posted(url, key, project):
    spans = [
        {"span_id": f"{1:016x}", "name": "answer", "kind": "agent", "attributes": {"a.b": 1}},
        {
            "parent_id": f"{1:016x}",
            "name": "chat",
            "kind": "llm",
            "model": "gpt-4o",
            "input": "Can I get my money back for the flight?",
            "tokens": {"input": 3},
            "started_at": "2026-11-24T10:00:00Z",
            "validation_errors": [{"pointer": "/refund", "rule": "type", "message": "m"}],
        },
    ]
    whole = {"trace_id": "ab" * 16, "name": "support", "tags": ["eu"], "verdict": None}
    short = {"trace_id": "cd" * 16, "name": "refund", "model": "gpt-4o", "latency_ms": 12.5}
    sent = [{**whole, "spans": spans}, short]
    answer = requests.post(
        f"{url}/api/v1/traces",
        json=sent,
        headers={"authorization": f"Bearer {key}"},
        timeout=20,
    )
    assert answer.json()["accepted"] == 2
    first, second = (received(project, UUID(t["trace_id"]))["spans"] for t in (whole, short))
    assert sorted((s["posted"] for s in first), key=lambda s: s["name"]) == spans
    assert [s["posted_trace"] for s in first if "posted_trace" in s] == [whole]
    assert [s["posted"] for s in second] == [short]


def test_a_refused_request_is_kept_for_the_connect_page(url, key, project, wait_for):
    assert post(url, key, b"{", "/v1/traces").status_code == 400
    kept = wait_for(lambda: Refusal.objects.first(), why="the refusal")
    assert (kept.project, kept.status, kept.path) == (project, 400, "/v1/traces")
    assert "not JSON" in kept.reason
