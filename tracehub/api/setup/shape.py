"""The form of a project's set-up, as `tracehub apply` reads it and `/api/v1/setup` takes it."""

from __future__ import annotations

from tracehub.api.contracts import CONTRACT
from tracehub.api.queues import QUEUE
from tracehub.api.reviews import MODE
from tracehub.core.shape import Schema
from tracehub.notify.alert_actions import KEYS, SEVERITIES
from tracehub.notify.models import AlertKind, Kind
from tracehub.projects import outbox
from tracehub.projects.models import Role, Scope

MOST = 500  # items of a list
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 80}


def _objects(properties: Schema, required: list[str]) -> Schema:
    return {
        "type": "array",
        "maxItems": MOST,
        "items": {
            "type": "object",
            "properties": properties,
            "required": required,
            "additionalProperties": False,
        },
    }


def _list_of(schema: Schema, without: str = "") -> Schema:
    properties = {k: v for k, v in schema["properties"].items() if k != without}
    return _objects(properties, schema["required"])


PARTS: Schema = {
    "name": {"type": "string", "minLength": 1, "maxLength": 120},
    "hides_content": {"type": "boolean"},
    "members": _objects(
        {
            "email": {"type": "string", "minLength": 3, "maxLength": 254},
            "role": {"enum": list(Role.values)},
        },
        ["email", "role"],
    ),
    "keys": _objects({"name": _NAME, "scope": {"enum": list(Scope.values)}}, ["name", "scope"]),
    "failure_modes": _list_of(MODE, without="examples"),
    "contracts": _list_of(CONTRACT),
    "queues": _list_of(QUEUE),
    "destinations": _objects(
        {
            "name": _NAME,
            "kind": {"enum": list(Kind.values)},
            "address": {"type": "string", "minLength": 3, "maxLength": 1000},
            "events": {
                "type": "array",
                "maxItems": len(outbox.KINDS),
                "items": {"enum": list(outbox.KINDS)},
            },
        },
        ["name", "kind", "address"],
    ),
    "alerts": _objects(
        {
            "name": _NAME,
            "kind": {"enum": list(AlertKind.values)},
            "to": {"type": "array", "minItems": 1, "maxItems": 50, "items": _NAME},
            "quiet": {"type": "integer", "minimum": 1, "maximum": 168},
            "severity": {"enum": list(SEVERITIES)},
            "key": {"enum": list(KEYS[1:])},
            "value": {"type": "string", "minLength": 1, "maxLength": 200},
            "against": {"type": "string", "minLength": 1, "maxLength": 200},
            "hours": {"type": "integer"},
            "percent": {"type": "number"},
            "least": {"type": "integer"},
        },
        ["name", "kind", "to"],
    ),
}
SETUP: Schema = {
    "type": "object",
    "title": "set-up of a project",
    "properties": PARTS,
    "additionalProperties": False,
}
FILE: Schema = {
    "type": "object",
    "title": "set-up of an installation",
    "properties": {
        "projects": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST,
            "items": {
                "type": "object",
                "properties": {
                    "slug": {"type": "string", "minLength": 1, "maxLength": 60},
                    **PARTS,
                },
                "required": ["slug"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["projects"],
    "additionalProperties": False,
}
