"""Without its database ingestion says so at once, and goes on by itself: cases 64 and 65."""

from __future__ import annotations

import asyncio
import contextlib
import time
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import psutil
import psycopg
import pytest
from django.db import InternalError, connection

from tests.ingest.test_otlp import body, post, span
from tracehub import asgi
from tracehub.projects.store import away
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


@contextlib.contextmanager
def read_only(server):
    """The server as it is on a standby, or while somebody moves it: it reads and does not write."""
    setting = "default_transaction_read_only"
    url = server.cluster.superuser_url()
    with psycopg.connect(url, autocommit=True, options=f"-c {setting}=off") as link:
        link.execute(f"ALTER SYSTEM SET {setting} = on")
        link.execute("SELECT pg_reload_conf()")
        try:
            yield
        finally:
            link.execute(f"ALTER SYSTEM RESET {setting}")
            link.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("known", [True, False], ids=["key known", "key new"])
def test_65_a_stopped_database_is_503_within_a_second_and_comes_back_alone(
    url, key, committed_db, postgres_server, wait_for, patience, known
):
    if known:
        assert post(url, key, body(span(1, 1))).status_code == 200
    with stopped(postgres_server, committed_db):
        post(url, key, body(span(1, 2)))
        answer, seconds = timed(url, key, 3)
        assert answer.status_code == 503
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        assert seconds < 1.5 * patience
    wait_for(lambda: post(url, key, body(span(1, 4))).status_code == 200, seconds=5)
    connection.close()  # ours were ended as well
    connection.close_pool()
    numbers = set(StoredSpan.objects.values_list("span_id", flat=True))
    assert 4 in numbers
    assert 3 not in numbers


def test_65_a_hanging_database_is_503_within_five_seconds_and_comes_back_alone(
    url, key, postgres_server, wait_for, patience
):
    assert post(url, key, body(span(1, 1))).status_code == 200
    with hanging(postgres_server):
        answer, seconds = timed(url, key, 2)
    assert answer.status_code == 503
    assert seconds < 5.5 * patience
    wait_for(lambda: post(url, key, body(span(1, 3))).status_code == 200, seconds=5)


def test_nothing_is_prepared_since_a_pooler_may_give_each_transaction_another_server(url, key):
    """Behind PgBouncer the fifth look-up of a key failed: its statement was on another server."""
    statements = "SELECT count(*) FROM pg_prepared_statements"

    async def prepared():
        async with asgi._ingest.pool.connection() as conn:
            for _ in range(12):
                found = await (await conn.execute(statements)).fetchone()
            return found

    loop = asgi._ingest.writer._task.get_loop()
    assert asyncio.run_coroutine_threadsafe(prepared(), loop).result(20) == (0,)


def test_67_a_disk_that_is_nearly_full_is_503_until_there_is_room(url, key, settings, wait_for):
    settings.MIN_FREE_MB = 10**9
    answer = wait_for(lambda: (a := post(url, key, body(span())).status_code) == 503 and a)
    assert answer == 503
    settings.MIN_FREE_MB = 1
    wait_for(lambda: post(url, key, body(span())).status_code == 200, seconds=3)


def test_a_database_that_takes_no_writes_is_503_and_nothing_is_acknowledged_falsely(
    url, key, postgres_server, wait_for
):
    numbers = iter(range(1, 10_000))
    kept = {}

    def sent():
        number = next(numbers)
        answer = post(url, key, body(span(1, number)))
        kept[number] = answer.status_code
        return answer

    assert sent().status_code == 200
    score = {"trace_id": f"{1:032x}", "name": "thumb", "value": 1}
    with read_only(postgres_server):
        # In a list, since an answer that refuses is false.
        (answer,) = wait_for(lambda: (a := sent()).status_code != 200 and [a])
        assert 1 <= int(answer.headers["retry-after"]) <= 5
        told = post(url, key, score, "/api/v1/feedback")
        assert (told.status_code, told.headers["retry-after"]) == (503, "1")
        with pytest.raises(InternalError) as refused:
            StoredSpan.objects.all().delete()
        assert away(refused.value)
    wait_for(lambda: sent().status_code == 200, seconds=5)
    assert set(kept.values()) == {200, 503}
    stored = set(StoredSpan.objects.values_list("span_id", flat=True))
    assert stored == {number for number, status in kept.items() if status == 200}
