"""Calls about reviews and the taxonomy."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

import orjson

from tracehub.api import answers
from tracehub.api.errors import missing
from tracehub.api.numbered import page
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.api.traces import trace_uuid
from tracehub.core.shape import Schema
from tracehub.core.trace import SEVERITIES
from tracehub.projects.actions import Conflict
from tracehub.review import actions, querysets, summaries
from tracehub.review.models import FailureMode, Review, Verdict
from tracehub.traces import reading

REVIEW: Schema = {
    "type": "object",
    "title": "review",
    "properties": {
        "verdict": {"enum": list(Verdict.values)},
        "failure_modes": {
            "type": "array",
            "maxItems": 50,
            "items": {"type": "string", "minLength": 1, "maxLength": 60},
        },
        "severity": {"enum": [*SEVERITIES, None]},
        "note": {"type": ["string", "null"], "maxLength": 10_000},
        "corrected_output": {},
    },
    "required": ["verdict"],
    "additionalProperties": False,
}
MODE: Schema = {
    "type": "object",
    "title": "failure mode",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 80},
        "slug": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9_-]{0,59}$",
            "description": "lower-case letters, digits, - and _, 60 characters at most",
        },
        "definition": {"type": ["string", "null"], "maxLength": 2000},
        "examples": {
            "type": "array",
            "maxItems": 50,
            "items": {
                "type": "string",
                "pattern": "^[0-9a-fA-F]{32}$",
                "description": "a trace id of 32 hex digits",
            },
        },
    },
    "required": ["name"],
    "additionalProperties": False,
}
_NAMESPACE = UUID("4c6d6cf5-8a4a-5f0e-9f3e-0e5b9a7c1d11")


def add_review(asked: ApiRequest) -> Answer:
    """Add a review by this key. The same again, before anyone said otherwise, is one review."""
    trace_id = trace_uuid(asked)
    if reading.day_of(asked.project, trace_id) is None:
        raise missing("such trace")
    body = asked.body
    newest = next(iter(querysets.of_trace(asked.project, trace_id)), None)
    if newest is not None and newest.author_key == asked.key.name and _same(newest, body):
        return Answer(summaries.review(newest))
    correction = body.get("corrected_output", actions.NOTHING)
    review, new = actions.submit_review(
        asked.project,
        trace_id,
        body["verdict"],
        author=asked.key,
        modes=body.get("failure_modes", ()),
        severity=body.get("severity") or "",
        note=body.get("note") or "",
        corrected_output=correction,
        submission=_submission(asked, trace_id, newest),
    )
    return Answer(summaries.review(review), 201 if new else 200)


def _same(review: Review, body: dict[str, Any]) -> bool:
    return (
        review.verdict == body["verdict"]
        and {mode.slug for mode in review.modes.all()} == set(body.get("failure_modes", ()))
        and review.severity == (body.get("severity") or "")
        and review.note == (body.get("note") or "")
        and review.has_correction == ("corrected_output" in body)
        and review.corrected_output == body.get("corrected_output")
    )


def _submission(asked: ApiRequest, trace_id: UUID, newest: Review | None) -> UUID:
    """What two sendings of one review have in common: the sender's key for it, else its content."""
    said = asked.headers.get("idempotency-key")
    if not said:
        content = orjson.dumps(asked.body, option=orjson.OPT_SORT_KEYS).decode()
        said = f"{newest.pk if newest else 0}:{content}"
    return uuid5(_NAMESPACE, f"{asked.key.public_id}:{trace_id.hex}:{said}")


def list_modes(asked: ApiRequest) -> Answer:
    """Answer the failure modes of the project."""
    rows = FailureMode.objects.filter(project=asked.project, archived_at=None)
    return page(asked, rows, "id", "failure-modes", answers.failure_mode)


def add_mode(asked: ApiRequest) -> Answer:
    """Add a failure mode. One that is there is answered when nothing that was sent differs."""
    body = asked.body
    said: dict[str, Any] = {}
    if "definition" in body:
        said["definition"] = body["definition"] or ""
    if "examples" in body:
        said["examples"] = [example.lower() for example in body["examples"]]
    mode, new = actions.create_mode(
        asked.project, body["name"], by=asked.key, slug=body.get("slug", ""), **said
    )
    for field, value in said.items():
        if getattr(mode, field) != value:
            raise Conflict(f"failure mode {mode.slug!r} is there with another {field}.", field)
    return Answer(answers.failure_mode(mode), 201 if new else 200)
