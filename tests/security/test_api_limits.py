"""Section 4, Limits: calls a second of one key; 429 is for that alone."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.web import stories
from tracehub.api import limits
from tracehub.core import bucket
from tracehub.projects import actions


@pytest.mark.django_db
def test_a_key_that_calls_too_often_waits_and_others_do_not(settings, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(limits, "_buckets", bucket.Buckets(lambda: now[0]))
    settings.API_RATE, settings.WEB_WORKERS = 3, 1
    project = stories.project()
    eager, other = (actions.create_key(project, "viewer", name)[1] for name in "ab")

    def status(key):
        answer = Client().get("/api/v1/failure-modes", headers={"x-api-key": key})
        return answer.status_code, answer.headers.get("Retry-After")

    assert [status(eager) for _ in range(4)] == [(200, None)] * 3 + [(429, "1")]
    assert status(other) == (200, None)
    now[0] += 0.4
    assert [status(eager) for _ in range(2)] == [(200, None), (429, "1")]
    settings.API_RATE = 0
    assert [status(eager) for _ in range(5)] == [(200, None)] * 5


def test_what_is_remembered_is_bounded(monkeypatch):
    monkeypatch.setattr(bucket, "MOST", 3)
    buckets = bucket.Buckets()
    for key in range(10):
        buckets.take(key, 1.0)
    assert len(buckets._left) == 3
