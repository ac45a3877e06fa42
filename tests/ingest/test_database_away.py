"""Without its database ingestion says so at once, and goes on by itself: cases 64 and 65."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psutil
import psycopg
import pytest
from django.db import connection

from tests.ingest.test_otlp import body, post, span
from tracehub.traces.models import StoredSpan


def timed(url, key, number):
    began = time.monotonic()
    answer = post(url, key, body(span(1, number)))
    return answer, time.monotonic() - began


@contextlib.contextmanager
def stopped(server, database_url):
    """The server as it is when it has stopped: nobody gets in, and who was in is out."""
    folder = Path(dict(parse_qsl(urlsplit(database_url).query))["host"])
    socket, away = folder / ".s.PGSQL.5432", folder / ".away"
    with psycopg.connect(server.cluster.superuser_url(), autocommit=True) as link:
        socket.rename(away)
        try:
            link.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = %s AND pid <> pg_backend_pid()",
                (urlsplit(database_url).path.strip("/"),),
            )
            yield
        finally:
            away.rename(socket)


@contextlib.contextmanager
def hanging(server):
    """The server as it is when its disk hangs: it takes connections and says nothing."""
    processes = server.cluster.processes()
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()


@pytest.mark.parametrize("known", [True, False], ids=["key known", "key new"])
def test_65_a_stopped_database_is_503_within_a_second_and_comes_back_alone(
    url, key, committed_db, postgres_server, wait_for, known
):
    if known:
        assert post(url, key, body(span(1, 1))).status_code == 200
    with stopped(postgres_server, committed_db):
        post(url, key, body(span(1, 2)))
        answer, seconds = timed(url, key, 3)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert seconds < 1.5
    wait_for(lambda: post(url, key, body(span(1, 4))).status_code == 200, seconds=5)
    connection.close()  # ours were ended as well
    connection.close_pool()
    numbers = set(StoredSpan.objects.values_list("span_id", flat=True))
    assert 4 in numbers
    assert 3 not in numbers


def test_65_a_hanging_database_is_503_within_five_seconds_and_comes_back_alone(
    url, key, postgres_server, wait_for
):
    assert post(url, key, body(span(1, 1))).status_code == 200
    with hanging(postgres_server):
        answer, seconds = timed(url, key, 2)
    assert answer.status_code == 503
    assert seconds < 5.5
    wait_for(lambda: post(url, key, body(span(1, 3))).status_code == 200, seconds=5)


def test_67_a_disk_that_is_nearly_full_is_503_until_there_is_room(url, key, settings, wait_for):
    settings.MIN_FREE_MB = 10**9
    answer = wait_for(lambda: (a := post(url, key, body(span())).status_code) == 503 and a)
    assert answer == 503
    settings.MIN_FREE_MB = 1
    wait_for(lambda: post(url, key, body(span())).status_code == 200, seconds=3)
