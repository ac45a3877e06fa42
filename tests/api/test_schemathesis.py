"""Generated requests, right and wrong, against the API's own document."""

from __future__ import annotations

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from tests import trace_factory as factory
from tracehub.api.calls import CALLS

SERVED = [call for call in CALLS if call.view]
# Of any answer: no 5xx, a status, type and shape that the document names.
ALWAYS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


_django = get_wsgi_application()


def app(environ, start_response):
    """The application on the connection of the test, as Django's own test client has it."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    try:
        answer = _django(environ, start_response)
        body = list(answer)
        answer.close()
    finally:
        for signal in (request_started, request_finished):
            signal.connect(close_old_connections)
    return body


@pytest.fixture
def api_schema(db):
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=str)
@pytest.mark.parametrize("call", SERVED, ids=lambda call: f"{call.method} {call.path}")
def test_whatever_is_sent_is_answered_as_documented(api_schema, project, admin, call, mode):
    trace_id = factory.trace(project, finish_reasons=["length"])  # in the group TH-1
    admin.post("/eval-sets", {"name": "known"})
    admin.post("/eval-sets/known/cases", {"input": {"variables": {"a": 1}}})
    admin.post("/eval-sets/known/fix")
    result = {"case": "c_0001", "passed": True}
    run = {"version": 1, "candidate": {"name": "main"}, "results": [result]}
    admin.post("/eval-sets/known/runs", run)
    known = {"trace_id": trace_id, "slug": "known", "version": "1", "id": "1", "key": "TH-1"}
    known["email"] = "no@one.example"
    operation = api_schema[call.path][call.method]
    if mode is GenerationMode.NEGATIVE and not (call.body or call.params or "{" in call.path):
        pytest.skip("This call takes nothing that could be wrong.")

    @settings(
        max_examples=12, deadline=None, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case):
        if mode is GenerationMode.POSITIVE:  # names of objects that are there
            case.path_parameters = {name: known[name] for name in case.path_parameters}
        # Plain: this client calls the application itself and does not unpack what is compressed.
        headers = {"Authorization": f"Bearer {admin.key}", "Accept-Encoding": "identity"}
        case.call_and_validate(headers=headers, checks=ALWAYS)

    run()
