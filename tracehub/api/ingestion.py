"""What the document says of calls that ingestion answers before Django sees them.

The checks themselves are ingestion's own; these shapes are for readers and clients.
"""

from __future__ import annotations

from tracehub.core.shape import Schema

_ID: Schema = {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{32}$"}
_TRACE: Schema = {
    "type": "object",
    "title": "trace",
    "description": (
        "One trace as GET /traces/{trace_id} answers it. Required: name or spans. Without spans, "
        "the fields at the top make one model call."
    ),
    "properties": {
        "trace_id": _ID,
        "name": {"type": ["string", "null"]},
        "spans": {"type": "array", "items": {"type": "object"}},
    },
    "anyOf": [{"required": ["name"]}, {"required": ["spans"]}],
}
TRACES: Schema = {"oneOf": [_TRACE, {"type": "array", "items": _TRACE}]}
_SCORE: Schema = {
    "type": "object",
    "title": "feedback",
    "properties": {
        "trace_id": {"type": "string", "pattern": "^[0-9a-fA-F]{32}$"},
        "span_id": {"type": ["string", "null"], "pattern": "^[0-9a-fA-F]{16}$"},
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "value": {"type": ["number", "boolean", "string", "null"]},
        "label": {"type": ["string", "null"], "maxLength": 200},
        "comment": {"type": ["string", "null"], "maxLength": 10_000},
        "source": {"type": ["string", "null"], "maxLength": 60},
        "id": {"type": ["string", "null"], "minLength": 1, "maxLength": 200},
    },
    "required": ["trace_id", "name"],
    "additionalProperties": False,
}
FEEDBACK: Schema = {"oneOf": [_SCORE, {"type": "array", "items": _SCORE}]}
