"""Who may call what: every call of the table with every scope, and nothing of other projects."""

from __future__ import annotations

import base64
import io

import psycopg
import pytest
from django.core.handlers.asgi import ASGIRequest
from django.db import InterfaceError, OperationalError
from psycopg_pool import PoolTimeout

from tests import trace_factory as factory
from tracehub.api.auth import authenticate
from tracehub.api.calls import CALLS
from tracehub.projects import keys as key_form
from tracehub.projects.actions import revoke_key
from tracehub.projects.models import ApiKey
from tracehub.traces.models import Trace

# The scopes that section 5 of the contract gives each call; ingest keys read nothing.
MAY = {
    "GET /traces": "viewer reviewer admin",
    "POST /traces": "ingest admin",
    "GET /traces/{trace_id}": "viewer reviewer admin",
    "GET /traces/{trace_id}/raw": "viewer reviewer admin",
    "POST /traces/{trace_id}/reviews": "reviewer admin",
    "GET /facets": "viewer reviewer admin",
    "POST /feedback": "ingest admin",
    "GET /failure-modes": "viewer reviewer admin",
    "POST /failure-modes": "admin",
    "GET /queues": "viewer reviewer admin",
    "POST /queues": "reviewer admin",
    "GET /queues/{id}/next": "viewer reviewer admin",
    "GET /queues/{id}/stats": "viewer reviewer admin",
    "GET /eval-sets": "viewer reviewer admin",
    "POST /eval-sets": "reviewer admin",
    "GET /eval-sets/{slug}": "viewer reviewer admin",
    "PATCH /eval-sets/{slug}": "reviewer admin",
    "GET /eval-sets/{slug}/cases": "viewer reviewer admin",
    "POST /eval-sets/{slug}/cases": "reviewer admin",
    "POST /eval-sets/{slug}/fix": "reviewer admin",
    "GET /eval-sets/{slug}/versions/{version}/export": "viewer reviewer admin",
    "GET /eval-sets/{slug}/runs": "viewer reviewer admin",
    "POST /eval-sets/{slug}/runs": "reviewer admin",
    "GET /rollouts": "viewer reviewer admin",
    "GET /rollouts/flags": "viewer reviewer admin",
    "GET /runs/{id}": "viewer reviewer admin",
    "GET /runs/{id}/gate": "viewer reviewer admin",
    "GET /failures": "viewer reviewer admin",
    "GET /failures/{key}": "viewer reviewer admin",
    "PATCH /failures/{key}": "reviewer admin",
    "GET /contracts": "viewer reviewer admin",
    "POST /contracts": "admin",
    "GET /metrics": "viewer reviewer admin",
    "GET /setup": "admin",
    "POST /setup": "admin",
    "DELETE /keys/{id}": "admin",
    "DELETE /members/{email}": "admin",
    "POST /prompts": "ingest admin",
}
SERVED = [call for call in CALLS if call.view]
NAMES = [f"{call.method} {call.path}" for call in CALLS]


def path_of(call, trace_id="0" * 32) -> str:
    return call.path.format(trace_id=trace_id, slug="none", version="1", id="1", key="TH-1",
                            email="no@one.example")  # fmt: skip


def test_the_table_here_names_every_call():
    assert sorted(NAMES) == sorted(MAY)


@pytest.mark.parametrize("call", SERVED, ids=lambda call: f"{call.method} {call.path}")
def test_each_scope_may_what_the_contract_says(keys, key, call):
    path = path_of(call)
    for scope, api in keys.items():
        allowed = scope in MAY[f"{call.method} {call.path}"].split()
        status = api(call.method, path, {} if call.body else None).status_code
        assert (status == 403) == (not allowed), scope
        assert status != 401
    assert key("")(call.method, path).status_code == 401


@pytest.mark.parametrize("call", SERVED, ids=lambda call: f"{call.method} {call.path}")
def test_another_method_is_refused_with_those_that_are_taken(viewer, call):
    answer = viewer("PUT", path_of(call))
    methods = sorted(c.method for c in CALLS if c.path == call.path)
    assert (answer.status_code, answer.headers["Allow"]) == (405, ", ".join(methods))
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_key_is_taken_in_every_header_that_clients_use(viewer):
    basic = base64.b64encode(f"tracehub:{viewer.key}".encode()).decode()
    for headers in (
        {"authorization": f"Bearer {viewer.key}"},
        {"authorization": f"Bearer%20{viewer.key}"},
        {"authorization": f"Basic {basic}"},
        {"x-api-key": viewer.key},
        {"api-key": viewer.key},
        {"x-tracehub-key": viewer.key},
    ):
        answer = viewer.client.get("/api/v1/eval-sets", headers=headers)
        assert answer.status_code == 200, headers


def test_a_key_is_taken_in_api_key_with_its_underscore(viewer):
    scope = {
        "type": "http", "method": "GET", "path": "/api/v1/traces", "query_string": b"",
        "headers": [(b"api_key", viewer.key.encode())],
    }  # fmt: skip
    request = ASGIRequest(scope, io.BytesIO())
    assert "api_key" not in request.headers  # what Django leaves out
    assert authenticate(request).public_id == key_form.parse(viewer.key).public_id


def test_a_key_in_the_query_or_cookie_is_no_key(viewer):
    answer = viewer.client.get(f"/api/v1/eval-sets?api_key={viewer.key}")
    assert answer.status_code == 401
    assert viewer.key not in answer.content.decode()


def test_a_mistyped_key_costs_no_query(viewer, django_assert_num_queries):
    wrong = viewer.key[:-1] + ("a" if viewer.key[-1] != "a" else "b")
    with django_assert_num_queries(0):
        answer = viewer.client.get("/api/v1/eval-sets", headers={"x-api-key": wrong})
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (
        401,
        'Bearer realm="TraceHub"',
    )


def test_unknown_revoked_and_wrong_keys_are_told_the_same(viewer, reviewer):
    unknown = key_form.generate("api").text
    body = f"th_api_{key_form.parse(reviewer.key).public_id}_{'a' * 32}"
    wrong_secret = body + key_form._checksum(body)
    revoke_key(ApiKey.objects.get(scope="viewer"))
    answers = [
        viewer.client.get("/api/v1/eval-sets", headers={"x-api-key": text})
        for text in (unknown, wrong_secret, viewer.key)
    ]
    assert [a.status_code for a in answers] == [401, 401, 401]
    assert len({a.content for a in answers}) == 1


def test_a_key_of_another_project_finds_nothing_here(project, other, key):
    trace_id = factory.trace(project)
    mine, theirs = key("admin"), key("admin", of=other)
    mine.post("/eval-sets", {"name": "None"})
    mine.post("/eval-sets/none/cases", {"input": {"variables": {"a": 1}}})
    mine.post("/eval-sets/none/fix")
    bodies = {
        "POST /traces/{trace_id}/reviews": {"verdict": "fail"},
        "POST /eval-sets/{slug}/runs": {
            "version": 1,
            "candidate": {"name": "main"},
            "results": [{"case": "c_0001", "passed": True}],
        },
    }
    mine.post("/eval-sets/none/runs", bodies["POST /eval-sets/{slug}/runs"])
    for call in SERVED:
        if "{" not in call.path:
            continue
        body = bodies.get(f"{call.method} {call.path}", {} if call.body else None)
        answer = theirs(call.method, path_of(call, trace_id), body)
        missing = theirs(call.method, path_of(call, "f" * 32).replace("none", "nope"), body)
        assert (answer.status_code, answer.content) == (404, missing.content), call.path
    for path in ("/traces", "/eval-sets", "/failure-modes", "/facets"):
        assert theirs.get(path).json()["items"] == []
    assert Trace.objects.filter(verdict="fail").count() == 0


def test_a_reading_key_is_noted_as_used_once_a_minute(viewer):
    viewer.get("/eval-sets")
    first = ApiKey.objects.get(scope="viewer").last_used_at
    viewer.get("/eval-sets")
    assert first is not None
    assert ApiKey.objects.get(scope="viewer").last_used_at == first


def test_answers_are_inert_and_private(viewer):
    for answer in (viewer.get("/eval-sets"), viewer.get("/nowhere"), viewer.get("/traces/x")):
        assert answer.headers["Content-Type"] == "application/json"
        csp = "default-src 'none'; sandbox; frame-ancestors 'none'"
        assert answer.headers["Content-Security-Policy"] == csp
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "private, no-store"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert "Set-Cookie" not in answer.headers


def test_a_signed_in_person_needs_a_key_as_well(viewer, django_user_model):
    viewer.client.force_login(django_user_model.objects.create_user("mina@skylane.example"))
    assert viewer.client.get("/api/v1/traces").status_code == 401


@pytest.mark.parametrize(
    "error", [OperationalError, InterfaceError, PoolTimeout, psycopg.OperationalError]
)
def test_an_absent_database_costs_503_wherever_it_is_missed(viewer, monkeypatch, error):
    def away(*_given, **_more):
        raise error("the connection is closed")

    for place in ("tracehub.api.auth.find_key", "tracehub.traces.listing.read"):
        with monkeypatch.context() as patched:
            patched.setattr(place, away)
            answer = viewer.get("/traces")
        assert (answer.status_code, answer["Retry-After"]) == (503, "1"), place
        assert answer.json()["error"]["code"] == "unavailable"
