"""Lists and charts come from the replica while it is fresh, and from the primary otherwise.

A second connection to the same server that can only read stands for the replica; streaming itself
is in tests/topology.
"""

from __future__ import annotations

from copy import deepcopy

import pytest
from django.conf import settings as django_settings
from django.db import OperationalError, connection, connections
from django.urls import reverse

from tests import trace_factory as factory
from tests.web import stories
from tracehub.projects import actions
from tracehub.traces.replica import store as replica


@pytest.fixture
def project(committed_db):
    made = stories.project()
    factory.trace(made)
    return made


@pytest.fixture
def standby(project, monkeypatch):
    """A replica, and the statements that reached it."""
    own = deepcopy(connections.databases["default"])
    own["NAME"] = connection.settings_dict["NAME"]
    own["OPTIONS"] |= {"options": "-c default_transaction_read_only=on", "pool": False}
    monkeypatch.setitem(connections.databases, replica.ALIAS, own)
    monkeypatch.setitem(django_settings.DATABASES, replica.ALIAS, own)
    monkeypatch.setattr(replica, "follower", replica.Follower())
    monkeypatch.setattr(replica, "REPLAYED", replica.WRITTEN)
    seen: list[str] = []

    def note(execute, sql, params, many, context):
        seen.append(str(sql))
        return execute(sql, params, many, context)

    with connections[replica.ALIAS].execute_wrapper(note):
        yield seen
    connections[replica.ALIAS].close()
    del connections[replica.ALIAS]


@pytest.fixture
def reader(client, project):
    client.force_login(stories.member(project, "admin"))
    return client


def looked(seen: list[str]) -> bool:
    return any("FROM" in statement and "pg_" not in statement for statement in seen)


@pytest.mark.parametrize("name", ["traces", "metrics", "metrics_breakdown", "metrics_compare"])
def test_lists_and_charts_are_read_from_the_replica(reader, project, standby, name):
    answer = reader.get(reverse(name, args=[project.slug]))
    assert answer.status_code == 200
    assert looked(standby)
    assert connection.alias == "default"


def test_the_api_reads_lists_from_it_and_a_whole_trace_from_the_primary(client, project, standby):
    key = actions.create_key(project, "viewer", "test")[1]
    headers = {"authorization": f"Bearer {key}"}
    for path in ("traces", "facets", "metrics?metric=cost"):
        assert client.get(f"/api/v1/{path}", headers=headers).status_code == 200
        assert looked(standby), path
        standby.clear()
    listed = client.get("/api/v1/traces", headers=headers).json()["items"][0]["trace_id"]
    standby.clear()
    assert client.get(f"/api/v1/traces/{listed}", headers=headers).status_code == 200
    assert not looked(standby)


def test_who_wrote_reads_the_primary_for_a_while(reader, project, standby):
    done = reader.post(reverse("traces_columns", args=[project.slug]), {"columns": "name"})
    assert done.cookies[replica.COOKIE]["max-age"] == replica.STICKY
    assert replica.STICKY > replica.MAX_LAG
    assert reader.get(reverse("traces", args=[project.slug])).status_code == 200
    assert not looked(standby)


def test_a_replica_that_lags_or_fails_is_left_alone(reader, project, standby, monkeypatch):
    where = reverse("traces", args=[project.slug])
    monkeypatch.setattr(replica, "REPLAYED", "SELECT 0")
    assert reader.get(where).status_code == 200
    assert not looked(standby)

    monkeypatch.setattr(replica, "REPLAYED", replica.WRITTEN)
    monkeypatch.setattr(replica, "follower", replica.Follower())

    def broken(_execute, sql, *_rest):
        if "pg_" in str(sql):
            return _execute(sql, *_rest)
        raise OperationalError("canceling statement due to conflict with recovery")

    with connections[replica.ALIAS].execute_wrapper(broken):
        assert reader.get(where).status_code == 200
    assert not replica.follower.fresh()


def test_lag_is_counted_by_what_the_primary_wrote_when(monkeypatch):
    positions = {"default": 100, "replica": 100}
    monkeypatch.setattr(replica, "_number", lambda alias, _statement: positions[alias])
    follower = replica.Follower()
    assert follower._lag(0.0) == 0.0
    positions["default"] = 200
    assert follower._lag(1.0) == float("inf"), "nothing older is known"
    positions["replica"] = 150
    assert follower._lag(2.0) == float("inf")
    positions |= {"default": 300, "replica": 200}
    assert follower._lag(3.0) == 1.0, "it has what the primary had a second ago, and not all"
    assert follower._lag(5.0) == 3.0
    positions["replica"] = 300
    assert follower._lag(6.0) == 0.0
