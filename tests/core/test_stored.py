"""A span comes back from its row as it went in."""

from __future__ import annotations

from dataclasses import fields, replace

import orjson
import pytest

from tests.core.wire.expectations import ARRIVED_NS, FOLDER, decode, is_traces, load_meta
from tracehub.core import span_facts
from tracehub.core.digest import digest
from tracehub.core.stored import digest_of, received_json, row_of, span_of
from tracehub.core.trace import SpanDigest, SpanFacts
from tracehub.core.wire.normalise import normalise

COLUMNS = {
    "trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "duration_ns", "error",
    "provider", "model", "cost", "tokens", "tokens_counted", "facts",
}  # fmt: skip


def loaded(row):
    """The row as the driver gives it back."""
    return {**row._asdict(), "facts": orjson.loads(row.facts)}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.meta.json")), ids=lambda path: path.name)
def test_every_captured_span_comes_back_from_its_row(path):
    requests = [r for r in load_meta(path)["requests"] if is_traces(r)]
    good = [r for r in requests if r.get("expect", {}).get("status", 200) == 200]
    for raw in [raw for request in good for raw in decode(request).spans]:
        span = normalise(raw, arrived_ns=ARRIVED_NS)
        row = loaded(row_of(1, span, digest(span), received_json(raw)))
        kept = replace(
            span.facts,
            trace_input=None if span.facts.trace_input is None else True,
            trace_output=None if span.facts.trace_output is None else True,
        )
        assert digest_of(row) == replace(digest(span), facts=kept)
        back = span_of(row)
        assert (back.input, back.output, back.context) == (span.input, span.output, span.context)
        assert (back.attributes, back.events) == (raw.attributes, raw.events)
        assert (back.tool, back.prompt, back.flags) == (span.tool, span.prompt, span.flags)
        assert (back.cost, back.cost_source) == (span.cost, span.cost_source)


def test_every_field_of_a_digest_and_its_facts_has_a_place():
    placed = {*span_facts.DIGEST, *span_facts.ERRORS, *span_facts.BITS, *COLUMNS} - {"uncounted"}
    assert placed == {f.name for f in fields(SpanDigest)}
    assert set(span_facts.TRACE) == {f.name for f in fields(SpanFacts)}
    short = [*span_facts.DIGEST.values(), *span_facts.ERRORS.values(), *span_facts.TOKENS.values()]
    assert len(set(short)) == len(short)
