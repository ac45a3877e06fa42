"""Every captured body becomes what its `*.meta.json` says."""

from __future__ import annotations

import json

import pytest

from tests.core.wire import expectations
from tests.core.wire.expectations import FOLDER, differences, is_traces, spans_of, trace_json

METAS = sorted(FOLDER.glob("*.meta.json"))


def load(path):
    return json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", METAS, ids=lambda path: path.name.removesuffix(".meta.json"))
def test_captured_bodies_become_the_expected_traces(path):
    meta = load(path)
    expected = meta["expected"]
    if not any(is_traces(request) for request in meta["requests"]):
        pytest.skip("no OTLP request in this capture")
    traces = spans_of(meta)
    if "span_total" in expected:
        assert sum(map(len, traces.values())) == expected["span_total"]
    found = []
    for wanted in expected.get("traces", []):
        got = trace_json(traces[wanted["trace_id"]])
        by_id = {span["span_id"]: span for span in got["spans"]}
        spans = wanted.pop("spans", [])
        found += differences(wanted, got, "trace")
        for span in spans:
            found += differences(span, by_id[span["span_id"]], span["span_id"])
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", METAS, ids=lambda path: path.name.removesuffix(".meta.json"))
def test_requests_are_answered_as_expected(path):
    for request in load(path)["requests"]:
        expect = request.get("expect")
        if expect is None or not is_traces(request):
            continue
        if expect.get("status") == 400:
            with pytest.raises(ValueError, match="not JSON"):
                expectations.decode(request)
            continue
        decoded = expectations.decode(request)
        assert len(decoded.rejected) == expect.get("rejected_spans", 0)
        for word in expect.get("error_message_mentions", []):
            assert word in decoded.explain()
