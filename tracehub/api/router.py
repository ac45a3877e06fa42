"""The one way into the API: method, key, scope, query and body are checked before any view runs."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson
import psycopg.errors
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt

from tracehub.api import auth, concealing, limits, requests
from tracehub.api.errors import ApiError
from tracehub.api.requests import ApiRequest, Param
from tracehub.core.concealment import conceal_json
from tracehub.core.query import FilterError
from tracehub.core.shape import Schema, ShapeError
from tracehub.core.times import TimeError
from tracehub.projects.actions import ActionError, Conflict
from tracehub.projects.conflicts import settled
from tracehub.projects.logs import redact
from tracehub.projects.store import away, driver_error

logger = logging.getLogger(__name__)

# Answers are data: whatever HTML they hold runs nowhere, also when opened in a browser.
CSP = "default-src 'none'; sandbox; frame-ancestors 'none'"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a view gives back: JSON by default, or bytes of a media type with a file name."""

    value: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Call:
    """One call: where, who may, what it takes, what it gives. The OpenAPI document prints these.

    `view` is None for calls that the ingestion application answers before Django sees them. With
    `outline` only that is checked before the view, which reads the rest by rules of its own.
    """

    method: str
    path: str  # as in OpenAPI: "/traces/{trace_id}"
    need: auth.Need
    view: Callable[[ApiRequest], Answer] | None
    summary: str
    returns: str
    params: tuple[Param, ...] = ()
    body: Schema | None = None
    outline: Schema | None = None
    creates: bool = False


def url_patterns(calls: Iterable[Call]) -> list[URLPattern]:
    """Return one Django route per path; each answers all methods of that path."""
    by_path: dict[str, dict[str, Call]] = {}
    for call in calls:
        by_path.setdefault(call.path, {})[call.method] = call
    return [
        path(where.lstrip("/").replace("{", "<str:").replace("}", ">"), _dispatcher(methods))
        for where, methods in by_path.items()
    ]


def _dispatcher(methods: dict[str, Call]) -> Callable[..., HttpResponse]:
    # A key in a header is no cookie: other sites cannot make a browser send it, so no CSRF token.
    @csrf_exempt
    def dispatch(request: HttpRequest, **parts: str) -> HttpResponse:
        try:
            return respond(_answer(request, methods, parts))
        except ApiError as error:
            refusal = error
        except Exception as error:
            if away(error):
                refusal = _database(error)
            else:
                # A client that reads JSON gets JSON also then; the log has what happened.
                logger.exception("A call of the API failed: %s %s.", request.method, request.path)
                refusal = ApiError(500, "The server met an error, which its log describes.")
        return respond(Answer(refusal.as_json(), refusal.status, refusal.headers or {}))

    return dispatch


def _answer(request: HttpRequest, methods: dict[str, Call], parts: dict[str, str]) -> Answer:
    call = methods.get("GET" if request.method == "HEAD" else request.method or "")
    if call is None or call.view is None:
        allow = ", ".join(sorted(methods))
        raise ApiError(405, f"Use {allow} here. Got {request.method}.", headers={"Allow": allow})
    key = auth.authenticate(request)
    limits.check(key.pk)
    auth.require(key, call.need)
    query = requests.read_query(request, call.params)
    conceals = concealing.guard(key, call.path, request.path.removeprefix("/api/v1/"), query)
    body = None
    if call.body is not None:
        body = requests.read_body(request, call.outline or call.body)
    asked = ApiRequest(key, parts, query, body, request.headers)
    try:
        answer = settled(partial(call.view, asked))
        return replace(answer, value=conceal_json(answer.value)) if conceals else answer
    except Conflict as error:
        raise ApiError(409, str(error), error.field) from error
    except (ActionError, ShapeError) as error:
        raise ApiError(400, str(error), error.field or "body") from error
    except FilterError as error:
        mended = error.mended(query.get("q", ""))
        hint = f" Try: {mended}" if mended else ""
        raise ApiError(400, f"{error.message} (at {error.start}){hint}", "q") from error
    except TimeError as error:
        raise ApiError(400, str(error), str(error).partition(" ")[0]) from error


def _database(error: Exception) -> ApiError:
    if isinstance(driver_error(error), psycopg.errors.QueryCanceled):
        return ApiError(400, "This took too long. Ask for a shorter range or a narrower filter.")
    return ApiError(503, "The database is away or busy. Try again.", headers={"Retry-After": "1"})


def respond(answer: Answer) -> HttpResponse:
    """Return the answer with the headers that make it inert in a browser."""
    return HttpResponse(
        answer.value if isinstance(answer.value, bytes) else _encoded(answer.value),
        status=answer.status,
        content_type=answer.media_type,
        headers={"Content-Security-Policy": CSP, **answer.headers},
    )


def _encoded(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except TypeError:  # whole numbers beyond 64 bits, which jsonb makes of floats such as 1e29
        return json.dumps(value, ensure_ascii=False).encode()


def not_found(request: HttpRequest, rest: str = "") -> HttpResponse:
    """Answer for paths that no call has."""
    error = ApiError(404, f"The API has no /api/v1/{redact(rest)[:100]}. See /api/v1/docs.")
    return respond(Answer(error.as_json(), 404))


not_found = csrf_exempt(not_found)
