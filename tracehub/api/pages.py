"""The document of the API for programs and, as a page, for people. Neither needs a key."""

from __future__ import annotations

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from tracehub.api import openapi
from tracehub.api.calls import CALLS
from tracehub.api.router import Answer, Call, respond
from tracehub.core.exports import FORMATS


@require_GET
def document(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document."""
    return respond(Answer(openapi.document()))


@require_GET
def page(request: HttpRequest) -> HttpResponse:
    """Show every call with its scope, parameters and body."""
    return render(
        request,
        "api/docs.html",
        {"calls": [_shown(call) for call in CALLS], "formats": FORMATS.values()},
    )


def _shown(call: Call) -> dict[str, Any]:
    schema = call.body
    return {
        "method": call.method,
        "path": call.path,
        "anchor": f"{call.method.lower()}{call.path}".replace("/", "-")
        .replace("{", "")
        .replace("}", ""),
        "summary": call.summary,
        "returns": call.returns,
        "scopes": openapi.scopes(call),
        "params": call.params,
        "schema": schema and orjson.dumps(schema, option=orjson.OPT_INDENT_2).decode(),
    }
