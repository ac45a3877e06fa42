"""Compares what TraceHub made of captured bodies with what their `*.meta.json` says.

Only the fields that are there are checked; a list that is there is the whole list; numbers within
0.01; a text that is a JSON object or list is compared as JSON; `metadata` must contain.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from tracehub.core import summary_rules
from tracehub.core.summary import digest, summarise
from tracehub.core.trace import Span
from tracehub.core.wire.normalise import normalise
from tracehub.core.wire.otlp import decode_json, decode_protobuf

FOLDER = Path(__file__).parents[2] / "wire"
ARRIVED_NS = 1_795_557_600 * 10**9  # 2026-11-24T22:00:00Z, just after the captures
TRACE_PATHS = ("/v1/traces", "/otlp/v1/traces", "/otel/v1/traces", "/api/public/otel/v1/traces")


def load_meta(path):
    return json.loads(path.read_text(encoding="utf-8"))


def decode(request):
    """The decoded spans of one captured request to an OTLP path."""
    body = (FOLDER / request["file"]).read_bytes()
    is_json = request["headers"].get("content-type", "").startswith("application/json")
    return (decode_json if is_json else decode_protobuf)(body)


def is_traces(request):
    return bool(request["file"]) and request["path"] in TRACE_PATHS


def upsert(stored, raws):
    """Finished beats pending; of two finished ones the one with more attributes, then the later."""
    for raw in raws:
        key = (raw.trace_id, raw.span_id)
        old = stored.get(key)
        if old is None or _rank(raw) >= _rank(old):
            stored[key] = raw


def _rank(raw):
    return (raw.end_ns > 0, len(raw.attributes) if raw.end_ns else 0)


def spans_of(meta):
    """Normalised spans by trace after all OTLP requests of a capture."""
    stored = {}
    arrived_ns = arrival(meta)
    for request in meta["requests"]:
        if is_traces(request) and request.get("expect", {}).get("status", 200) == 200:
            upsert(stored, decode(request).spans)
    traces: dict[str, list[Span]] = {}
    for raw in stored.values():
        traces.setdefault(raw.trace_id, []).append(normalise(raw, arrived_ns=arrived_ns))
    return traces


def arrival(meta):
    """When a capture arrived, in ns; starts of more than a day later would be mended."""
    moment = meta.get("arrived")
    return int(datetime.fromisoformat(moment).timestamp()) * 10**9 if moment else ARRIVED_NS


def trace_json(spans):
    """The trace as the API shows it, with the names of contract section 6."""
    digests = [digest(span) for span in spans]
    summary = summarise(digests)
    for span_id, errors in summary_rules.reported_errors(digests).items():
        span = next(span for span in spans if span.span_id == span_id)
        span.validation_errors = [*span.validation_errors, *errors]
    return {
        "trace_id": summary.trace_id,
        "name": summary.name,
        "name_present": bool(summary.name),
        "root_present": summary.root_present,
        "span_count": summary.span_count,
        "started_at": iso(summary.start_ns),
        "status": summary.status,
        "environment": summary.environment,
        "release": summary.release,
        "service": summary.service,
        "cohort": summary.cohort,
        "session_id": summary.session_id,
        "user_id": summary.user_id,
        "tags": summary.tags,
        "metadata": summary.metadata,
        "models": summary.models,
        "prompts": summary.prompts,
        "tokens": plain(summary.tokens),
        "cost": summary.cost,
        "retries": summary.retries,
        "fallbacks": summary.fallbacks,
        "outcome": summary.outcome,
        "spans": [span_json(span) for span in sorted(spans, key=lambda s: (s.start_ns, s.span_id))],
    }


def span_json(span):
    return {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "name": span.name,
        "kind": span.kind,
        "duration_ms": None if span.duration_ns is None else span.duration_ns / 1e6,
        "status": "error" if span.error else "ok",
        "error": {"type": span.error_type, "message": span.error_message},
        "provider": span.provider,
        "model": span.model,
        "model_requested": span.model_requested,
        "parameters": span.parameters,
        "finish_reasons": span.finish_reasons,
        "prompt": plain(span.prompt),
        "input": span.input,
        "output": span.output,
        "context": span.context,
        "tool": plain(span.tool),
        "validation_errors": [plain(error) for error in span.validation_errors],
        "tokens": plain(span.tokens),
        "cost": span.cost,
        "time_to_first_token_ms": None if span.ttft_ns is None else span.ttft_ns / 1e6,
        "attributes": span.attributes,
        "feedback": span.feedback,
    }


def plain(record):
    if record is None:
        return None
    return {name: getattr(record, name) for name in record.__slots__}


def iso(ns):
    moment = datetime.fromtimestamp(ns // 10**9, UTC).replace(microsecond=ns // 1000 % 10**6)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def differences(expected, got, path=""):
    """Every field of `expected` that `got` does not match, as readable lines."""
    if isinstance(expected, dict):
        if isinstance(got, str):
            got = _json(got)
        if not isinstance(got, dict):
            return [f"{path}: expected {expected!r}, got {got!r}"]
        return [
            line
            for key, value in expected.items()
            for line in differences(value, got.get(key), f"{path}.{key}")
        ]
    if isinstance(expected, list):
        if isinstance(got, str):
            got = _json(got)
        if not isinstance(got, list) or len(got) != len(expected):
            return [f"{path}: expected {expected!r}, got {got!r}"]
        pairs = enumerate(zip(expected, got, strict=True))
        return [line for i, (a, b) in pairs for line in differences(a, b, f"{path}[{i}]")]
    return [] if _same(expected, got, path) else [f"{path}: expected {expected!r}, got {got!r}"]


def _same(expected, got, path):
    if isinstance(expected, bool) or expected is None or got is None:
        return expected is got
    if path.endswith(".cost"):
        return abs(Decimal(str(expected)) - Decimal(str(got))) < Decimal("0.00000001")
    if isinstance(expected, int | float) and isinstance(got, int | float):
        return abs(expected - got) <= (1.0 if "time_to_first" in path else 0.01)
    if isinstance(expected, str) and expected[:1] in ("{", "["):
        return _json(expected) == (_json(got) if isinstance(got, str) else got)
    return expected == got


def _json(text):
    try:
        return json.loads(text)
    except ValueError:
        return text
