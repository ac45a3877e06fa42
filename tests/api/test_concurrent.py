"""The same call at once from several threads: one object, no error, real commits."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests import trace_factory as factory
from tests.api.conftest import Api
from tracehub.projects.actions import create_key
from tracehub.projects.models import Project

AT_ONCE = 6


@pytest.fixture
def together(committed_db, client):
    """`together(method, path, body)`: the statuses of AT_ONCE such calls made at once."""
    project = Project.objects.create(slug="skylane", name="Skylane support")
    api = Api(create_key(project, "admin", "admin key")[1], client)

    def one(asked):
        try:
            return api(*asked).status_code
        finally:
            connection.close()

    def call(*asked) -> Counter:
        with ThreadPoolExecutor(AT_ONCE) as pool:
            return Counter(pool.map(one, [asked] * AT_ONCE))

    call.api, call.project = api, project
    return call


def test_what_is_made_at_once_is_made_once(together):
    trace_id = factory.trace(together.project)
    once = {201: 1, 200: AT_ONCE - 1}
    mode = {"name": "Wrong amount"}
    assert together("POST", "/failure-modes", mode) == once
    assert together("POST", "/eval-sets", {"name": "Refunds"}) == once
    case = {"input": {"variables": {"n": 1}}}
    assert together("POST", "/eval-sets/refunds/cases", case) == once
    assert together("POST", "/eval-sets/refunds/cases", {"from_trace": trace_id}) == once
    assert together("POST", f"/traces/{trace_id}/reviews", {"verdict": "fail"}) == once
    prompt = {"name": "refund", "version": "v1", "template": "x"}
    assert together("POST", "/prompts", prompt) == once
    assert together("POST", "/eval-sets/refunds/fix") == {201: 1, 409: AT_ONCE - 1}
    run = {"version": 1, "candidate": {"name": "main"},
           "results": [{"case": "c_0001", "passed": True}]}  # fmt: skip
    assert together("POST", "/eval-sets/refunds/runs", run) == once
    items = together.api.get("/eval-sets/refunds/cases").json()["items"]
    assert [case["id"] for case in items] == ["c_0001", "c_0002"]


def test_an_error_of_the_server_is_json_and_logged(together, monkeypatch, caplog):
    def fail(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr("tracehub.evals.querysets.set_json", fail)
    together.api.post("/eval-sets", {"name": "Refunds"})
    answer = together.api.get("/eval-sets")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "a bug" not in answer.content.decode()
    assert "a bug" in caplog.text
