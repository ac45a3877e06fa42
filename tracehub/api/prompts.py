"""The call that registers prompt versions."""

from __future__ import annotations

from tracehub.api import answers
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core.shape import Schema
from tracehub.traces import actions

PROMPT: Schema = {
    "type": "object",
    "title": "prompt version",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 200},
        "version": {"type": "string", "minLength": 1, "maxLength": 100},
        "template": {"type": "string", "maxLength": 1_000_000},
        "author": {"type": ["string", "null"], "maxLength": 200},
        "message": {"type": ["string", "null"], "maxLength": 2000},
        "order": {"type": ["integer", "null"], "minimum": -2_000_000_000, "maximum": 2_000_000_000},
    },
    "required": ["name", "version", "template"],
    "additionalProperties": False,
}


def add_prompt(asked: ApiRequest) -> Answer:
    """Register a prompt version with its template."""
    body = asked.body
    row, new = actions.save_prompt(
        asked.project,
        body["name"],
        body["version"],
        body["template"],
        author=body.get("author") or "",
        message=body.get("message") or "",
        order=body.get("order"),
    )
    return Answer(answers.prompt(row), 201 if new else 200)
