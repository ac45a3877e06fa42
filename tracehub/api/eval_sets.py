"""Calls about eval sets, their cases, versions and exports."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from tracehub.api.errors import ApiError, missing
from tracehub.api.numbered import page
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core import cases, gate_rules
from tracehub.core.exports import ExportError, download, find
from tracehub.core.shape import Schema, ShapeError, check
from tracehub.evals import actions, promoting, querysets, run_actions
from tracehub.evals.models import Case, EvalSet
from tracehub.projects.actions import ActionError, audit
from tracehub.traces import reading

MAX_AT_ONCE = 500
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": 120}
_DESCRIPTION: Schema = {"type": ["string", "null"], "maxLength": 2000}
SET: Schema = {
    "type": "object",
    "title": "eval set",
    "properties": {
        "name": _NAME,
        "slug": {
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9_-]{0,59}$",
            "description": "lower-case letters, digits, - and _, 60 characters at most",
        },
        "description": _DESCRIPTION,
    },
    "required": ["name"],
    "additionalProperties": False,
}
SET_CHANGE: Schema = {
    "type": "object",
    "properties": {"name": _NAME, "description": _DESCRIPTION, "gate": gate_rules.SCHEMA},
    "additionalProperties": False,
}
FIX: Schema = {
    "type": "object",
    "properties": {"note": {"type": ["string", "null"], "maxLength": 2000}},
    "additionalProperties": False,
}
FROM_TRACE: Schema = {
    "type": "object",
    "title": "from a trace",
    "properties": {
        "from_trace": {
            "type": "string",
            "pattern": "^[0-9a-fA-F]{32}$",
            "description": "a trace id of 32 hex digits",
        },
        "kind": {"enum": list(cases.KINDS)},
        "span_id": {
            "type": ["string", "null"],
            "pattern": "^[0-9a-fA-F]{16}$",
            "description": "16 hex digits",
        },
    },
    "required": ["from_trace"],
    "additionalProperties": False,
}
# For the document; `add_cases` reads each item by its own schema, for messages that fit it.
ADD: Schema = {
    "anyOf": [
        cases.CASE_SCHEMA,
        FROM_TRACE,
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_AT_ONCE,
            "items": {"anyOf": [cases.CASE_SCHEMA, FROM_TRACE]},
        },
    ]
}


def find_set(asked: ApiRequest) -> EvalSet:
    """Return the set that the path names. Raises ApiError 404."""
    slug = asked.path["slug"]
    found = querysets.sets(asked.project).filter(slug=slug).first() if _is_slug(slug) else None
    if found is None:
        raise missing("such eval set")
    return found


def _is_slug(text: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_-]{1,60}", text) is not None


def list_sets(asked: ApiRequest) -> Answer:
    """Answer the eval sets of the project."""
    return page(asked, querysets.sets(asked.project), "id", "eval-sets", querysets.set_json)


def add_set(asked: ApiRequest) -> Answer:
    """Make an eval set."""
    body = asked.body
    made, new = actions.create_set(
        asked.project,
        body["name"],
        slug=body.get("slug", ""),
        description=body.get("description") or "",
    )
    return _set_answer(asked, made, 201 if new else 200)


def get_set(asked: ApiRequest) -> Answer:
    """Answer one eval set."""
    return Answer(querysets.set_json(find_set(asked)))


def change_set(asked: ApiRequest) -> Answer:
    """Rename or describe a set, or give its gate other rules."""
    eval_set = find_set(asked)
    changes = {name: value or "" for name, value in asked.body.items() if name != "gate"}
    if "gate" in asked.body:
        run_actions.set_rules(eval_set, gate_rules.read(asked.body["gate"]), by=asked.key)
    return _set_answer(asked, actions.change_set(eval_set, **changes), 200)


def _set_answer(asked: ApiRequest, eval_set: EvalSet, status: int) -> Answer:
    row = querysets.sets(asked.project).get(pk=eval_set.pk)
    return Answer(querysets.set_json(row), status)


def list_cases(asked: ApiRequest) -> Answer:
    """Answer the cases of a version, or of the draft."""
    eval_set = find_set(asked)
    version = _version(eval_set, asked.query.get("version", "draft"))
    rows = querysets.in_version(eval_set, version)
    name = f"cases:{eval_set.pk}:{version}"
    return page(asked, rows, "number", name, lambda row: querysets.native(row, eval_set, version))


def _version(eval_set: EvalSet, text: str) -> int:
    """Return the number that `text` names: `draft` or a fixed version. Raises ApiError."""
    draft = querysets.draft_number(eval_set)
    if text in {"draft", str(draft)}:
        return draft
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise ApiError(
            400, f"version must be a version number or draft. Got {text[:40]!r}.", "version"
        )
    if int(text) > draft:
        raise missing(f"version {text} of {eval_set.slug}")
    return int(text)


def add_cases(asked: ApiRequest) -> Answer:
    """Add one case, or an array of them, to the draft."""
    eval_set, body = find_set(asked), asked.body
    if not isinstance(body, list):
        case, new = _add(asked, eval_set, [body])[0]
        return Answer(_case(eval_set, case), 201 if new else 200)
    check(body, {"minItems": 1, "maxItems": MAX_AT_ONCE})
    added = _add(asked, eval_set, body)
    return Answer(
        {"items": [_case(eval_set, case) for case, _ in added], "next": None},
        201 if any(new for _, new in added) else 200,
    )


def _case(eval_set: EvalSet, case: Case) -> dict[str, Any]:
    return querysets.native(case, eval_set, querysets.draft_number(eval_set))


def _add(asked: ApiRequest, eval_set: EvalSet, items: list[Any]) -> list[tuple[Case, bool]]:
    """Add all or none. Errors in an array name the item: `[3].kind`."""
    prefix = "" if items is not asked.body else "[{}]"
    todo = []
    for i, item in enumerate(items):
        try:
            todo.append(_read(asked, item))
        except (ShapeError, ActionError, ApiError) as error:
            raise _placed(error, prefix.format(i)) from error
    return promoting.add_all(eval_set, todo)


def _read(asked: ApiRequest, item: Any) -> cases.Case | promoting.Promotion:
    """Return what to add: the content of a case, or a trace of this project to make one from."""
    if not (isinstance(item, dict) and "from_trace" in item):
        return cases.read(item)
    check(item, FROM_TRACE)
    trace_id = UUID(hex=item["from_trace"])
    if reading.day_of(asked.project, trace_id) is None:
        raise missing("such trace")
    return promoting.Promotion(
        trace_id, item.get("kind"), (item.get("span_id") or "").lower() or None
    )


def _placed(error: Exception, place: str) -> ApiError:
    status = error.status if isinstance(error, ApiError) else 400
    inner = getattr(error, "field", None) or ""
    field = f"{place}.{inner}" if place and inner and inner[0] != "[" else f"{place}{inner}"
    return ApiError(status, f"{place} {error}".strip(), field or "body")


def fix(asked: ApiRequest) -> Answer:
    """Fix the draft as the next version."""
    eval_set = find_set(asked)
    version = actions.fix(eval_set, note=asked.body.get("note") or "", by=asked.key)
    return Answer(querysets.version_json(version), 201)


def export(asked: ApiRequest) -> Answer:
    """Answer a version as a file, or a zip when the format has several files."""
    eval_set = find_set(asked)
    if not re.fullmatch(r"[1-9][0-9]{0,8}", asked.path["version"]):
        raise missing("such version")
    version = _version(eval_set, asked.path["version"])
    if version > querysets.newest_version(eval_set) and asked.query.get("draft") != "true":
        raise ApiError(
            400,
            f"Version {version} of {eval_set.slug} is a draft. Fix it, or ask for draft=true.",
            "version",
        )
    try:
        fmt = find(asked.query.get("format", "native"), raw=asked.query.get("raw") == "true")
        file = download(fmt, querysets.bundle(eval_set, version))
    except ExportError as error:
        raise ApiError(400, str(error), "format") from error
    place = f"{eval_set.slug}@{version}"
    audit("evalset.exported", by=asked.key, project=asked.project, object=place, format=fmt.name)
    return Answer(
        file.body,
        headers={
            # The name is made of a slug and a number only, so it needs no escaping.
            "Content-Disposition": f'attachment; filename="{file.filename}"',
            "X-TraceHub-Export": file.summary,
        },
        media_type=file.media_type,
    )
