"""Calls about contracts: publishing a version, and those in force."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Subquery

from tracehub.api.numbered import page
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core.shape import Schema
from tracehub.core.trace_json import iso
from tracehub.failures import actions
from tracehub.failures.models import Contract

_NAME: Schema = {"type": ["string", "null"], "maxLength": 200}
CONTRACT: Schema = {
    "type": "object",
    "title": "contract",
    "properties": {
        "name": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$",
            "description": "letters, digits, '.', - and _, 120 characters at most",
        },
        "applies_to": {
            "type": "object",
            "properties": {"prompt": _NAME, "span": _NAME},
            "additionalProperties": False,
        },
        "schema": {"type": ["object", "boolean"]},
        "labels": {"type": ["object", "null"]},
        "nulls": {
            "type": ["object", "null"],
            "description": 'by JSON pointer: "never", or one pointer with the values there that '
            "excuse a null",
        },
        "escalations": {
            "type": ["object", "null"],
            "description": "by JSON pointer: the texts that hand over to a person",
        },
        "note": {"type": ["string", "null"], "maxLength": 300},
    },
    "required": ["name", "applies_to", "schema"],
    "additionalProperties": False,
}


def list_contracts(asked: ApiRequest) -> Answer:
    """Answer the newest version of each contract."""
    own = Contract.objects.filter(project=asked.project)
    newest = own.filter(name=OuterRef("name")).order_by("-version").values("pk")[:1]
    return page(asked, own.filter(pk=Subquery(newest)), "id", "contracts", contract_json)


def add_contract(asked: ApiRequest) -> Answer:
    """Publish a version of a contract; what is in force already makes none."""
    body = asked.body
    made, new = actions.save_contract(
        asked.project,
        body["name"],
        body["schema"],
        by=asked.key,
        prompt=body["applies_to"].get("prompt") or "",
        span=body["applies_to"].get("span") or "",
        **{rules: body.get(rules) for rules in actions.VALUE_RULES},
        note=body.get("note") or "",
    )
    return Answer(contract_json(made), 201 if new else 200)


def contract_json(row: Contract) -> dict[str, Any]:
    """Return a version of a contract."""
    return {
        "name": row.name,
        "version": row.version,
        "label": str(row),
        "applies_to": {"prompt": row.prompt or None, "span": row.span or None},
        "schema": row.schema,
        "labels": row.labels,
        "nulls": row.nulls,
        "escalations": row.escalations,
        "note": row.note or None,
        "created_by": row.created_by or None,
        "created_at": iso(row.created_at),
    }
