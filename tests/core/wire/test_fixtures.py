"""Every captured body becomes what its `*.meta.json` says."""

from __future__ import annotations

import pytest

from tests.core.wire import expectations
from tests.core.wire.expectations import (
    ARRIVED_NS,
    FOLDER,
    differences,
    is_traces,
    load_meta,
    spans_of,
    trace_json,
)
from tracehub.core.wire.normalise import normalise

METAS = [
    path
    for path in sorted(FOLDER.glob("*.meta.json"))
    if any(is_traces(request) for request in load_meta(path)["requests"])
]


@pytest.mark.parametrize("path", METAS, ids=lambda path: path.name.removesuffix(".meta.json"))
def test_captured_bodies_become_the_expected_traces(path):
    meta = load_meta(path)
    expected = meta["expected"]
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
    for request in load_meta(path)["requests"]:
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


def test_a_late_root_completes_a_trace_that_showed_before_it():
    meta = load_meta(FOLDER / "edge-late-root.meta.json")
    first, second = meta["requests"]
    early = [normalise(raw, arrived_ns=ARRIVED_NS) for raw in expectations.decode(first).spans]
    shown = trace_json(early)
    expected = meta["expected"]["after_request_1"]
    assert len(early) == expected.pop("span_total")
    assert not differences(expected, shown)
    for requests in ([second, first], [first, second, first], [second, first, second]):
        got = trace_json(next(iter(spans_of({"requests": requests}).values())))
        wanted = {k: v for k, v in meta["expected"]["traces"][0].items() if k != "spans"}
        assert not differences(wanted, got)


@pytest.mark.parametrize("path", METAS, ids=lambda path: path.name.removesuffix(".meta.json"))
def test_the_order_of_requests_does_not_matter(path):
    meta = load_meta(path)
    if "pending" in path.name or "export-retry" in path.name:
        meta["requests"] *= 2
    forwards = spans_of(meta)
    backwards = spans_of({**meta, "requests": meta["requests"][::-1]})
    assert {k: trace_json(v) for k, v in forwards.items()} == {
        k: trace_json(v) for k, v in backwards.items()
    }
