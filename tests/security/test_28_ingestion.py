"""28, 31: the paths that ingestion answers ahead of Django, by method and key, over a socket."""

from __future__ import annotations

import pytest
import requests
from django.utils import timezone

from tests.security import access_table as table
from tests.server import running
from tracehub.ingest import access
from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Scope

KINDS = ("none", "query", "broken", *Scope.values)


@pytest.fixture
def url(committed_db):
    with running() as address:
        yield address


@pytest.fixture
def keys(committed_db):
    project = actions.create_project("skylane", "Skylane support")
    return {scope: actions.create_key(project, scope, scope)[1] for scope in Scope.values}


def status(session, method, url, who, keys) -> int:
    headers, params = {"content-type": "application/json"}, {}
    if who == "query":
        params["api_key"] = keys["admin"]
    elif who != "none":
        text = keys.get(who, "th_ing_0123456789_" + "a" * 38)
        headers["authorization"] = f"Bearer {text}"
    answer = session.request(method, url, headers=headers, params=params, data=b"{}", timeout=10)
    return answer.status_code


def test_each_path_answers_each_key_as_the_table_says(url, keys):
    wrong = []
    with requests.Session() as session:
        for path, rule in table.INGESTION.items():
            for method in table.METHODS:
                need = rule.get(method)
                shared = path.startswith("/api/v1/") and need is None
                if shared:
                    continue  # Django's, and in the other matrix
                for who in KINDS if need else ("none", "ingest"):
                    got = status(session, method, url + path, who, keys)
                    if need is None:
                        fine = got == 405
                    elif who in table.SCOPES:
                        allowed = need in table.SCOPES[who]
                        fine = got in (200, 202, 400, 415) if allowed else got == 403
                    else:
                        fine = got == 401
                    if not fine:
                        wrong.append(f"{method} {path} as {who}: {got}")
    assert wrong == []


def test_45_a_revoked_and_an_expired_key_write_nothing(url, keys, monkeypatch):
    monkeypatch.setattr(access, "REMEMBER_SECONDS", 0.0)
    trace = {"trace_id": "a" * 32, "name": "x"}

    def sent(scope):
        headers = {"authorization": f"Bearer {keys[scope]}"}
        answer = requests.post(f"{url}/api/v1/traces", json=trace, headers=headers, timeout=10)
        return answer.status_code

    assert [sent("ingest"), sent("admin")] == [200, 200]
    actions.revoke_key(ApiKey.objects.get(scope="ingest"))
    ApiKey.objects.filter(scope="admin").update(expires_at=timezone.now())
    assert [sent("ingest"), sent("admin")] == [401, 401]


def test_31_an_ingest_key_cannot_tell_whether_a_trace_exists(url, keys):
    with requests.Session() as session:
        session.headers["authorization"] = f"Bearer {keys['ingest']}"
        trace = {"trace_id": "a" * 32, "name": "x"}
        assert session.post(f"{url}/api/v1/traces", json=trace, timeout=10).status_code == 200
        for path in ("traces/{}", "traces/{}/raw", "traces?q=trace:{}", "facets?q=trace:{}"):
            told = [session.get(f"{url}/api/v1/{path.format(c * 32)}", timeout=10) for c in "ab"]
            assert [answer.status_code for answer in told] == [403, 403], path
            assert told[0].content == told[1].content, path
        # Feedback on a trace that is there and on one that is not is taken alike.
        told = [
            session.post(f"{url}/api/v1/feedback", timeout=10,
                         json={"trace_id": c * 32, "name": "thumbs", "value": 1})
            for c in "ab"
        ]  # fmt: skip
        assert told[0].status_code == told[1].status_code
