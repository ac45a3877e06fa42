"""The OpenAPI 3.1 document, made from the table of calls."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from django.conf import settings

from tracehub.api.auth import ALLOWS
from tracehub.api.calls import CALLS
from tracehub.api.errors import CODES
from tracehub.api.requests import Param
from tracehub.api.router import Call

_PATTERNS = {
    "trace_id": "^[0-9a-fA-F]{32}$",
    "slug": "^[A-Za-z0-9_-]{1,60}$",
    "version": "^[1-9][0-9]{0,8}$",
    "id": "^[1-9][0-9]{0,8}$",
    "email": "^[^/@]+@[^/@]+$",
    "key": "^TH-[1-9][0-9]{0,8}$",
}
_REFUSALS = {
    400: "Something in the request is wrong; the message names it.",
    401: "The key is missing or not valid.",
    403: "The scope of the key does not allow this.",
    404: "There is no such object in the project of the key.",
    409: "Something else is there already.",
    413: "The body is too large.",
    415: "The body has another type than application/json.",
    429: "This key calls too often. Try again after `Retry-After` seconds.",
    503: "The server is behind or its database away. Try again after `Retry-After` seconds.",
}


@cache
def document() -> dict[str, Any]:
    """Return the document as JSON."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TraceHub API",
            "version": "1",
            "description": "A key acts for its own project, which no path names.",
        },
        "servers": [{"url": f"{settings.BASE_URL}/api/v1"}],
        "security": [{"bearer": []}, {"header": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
            "schemas": {"error": _error_schema()},
            "responses": {
                str(status): {
                    "description": text,
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/error"}}
                    },
                }
                for status, text in _REFUSALS.items()
            },
        },
    }


def scopes(call: Call) -> list[str]:
    """Return the scopes of keys that may make a call."""
    return [str(scope) for scope, needs in ALLOWS.items() if call.need in needs]


def _operation(call: Call) -> dict[str, Any]:
    words = re.findall("[a-z]+", call.path.replace("{", "").replace("}", ""))
    operation: dict[str, Any] = {
        "operationId": "_".join([call.method.lower(), *words]),
        "summary": call.summary,
        "description": f"Keys of scope {', '.join(scopes(call))}.",
        "parameters": [*_path_parameters(call.path), *map(_parameter, call.params)],
        "responses": _responses(call),
    }
    if call.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": call.body}},
        }
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": _PATTERNS[name]},
        }
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _parameter(param: Param) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": param.name,
        "in": "query",
        "required": param.required,
        "description": param.help,
        "schema": param.as_schema(),
    }
    return made | ({"example": param.example} if param.example else {})


def _responses(call: Call) -> dict[str, Any]:
    export = call.path.endswith(("/export", "/gate"))
    media_type = "*/*" if export else "application/json"
    answer = {"description": call.returns, "content": {media_type: {"schema": {}}}}
    statuses = [400, 401, 403, 429, 503]
    if "{" in call.path:
        statuses.append(404)
    if call.body is not None:
        statuses += [413, 415]
    if call.creates:
        statuses += [404, 409]
    refusals = {
        str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)
    }
    done = {"200": answer}
    if call.creates:
        done = {"200": {**answer, "description": "It is there already."}, "201": answer}
    return done | refusals


def _error_schema() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "error": {
                "type": "object",
                "properties": {
                    "code": {"enum": [*CODES.values(), "error"]},
                    "message": {"type": "string"},
                    "field": {"type": "string"},
                },
                "required": ["code", "message"],
            }
        },
        "required": ["error"],
    }
