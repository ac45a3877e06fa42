"""What TraceHub stands on goes away under load and comes back: no person has to do anything.

One installation for the file; each test leaves it healthy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time

import psycopg
import pytest
import requests

from tests.cli.conftest import START_SECONDS
from tests.faults.installation import (
    CONNECTIONS,
    SPARE_MB,
    Installation,
)
from tests.faults.ledger import check_stored, post, request_of_spans
from tests.plugin import MEMORY
from tracehub.cli import config
from tracehub.ingest import refusals
from tracehub.projects import keys

pytestmark = pytest.mark.processes

AWAY = 2.5  # seconds that a part is gone


def rest(seconds: float) -> None:
    """Let a fault last; nothing can be waited for."""
    threading.Event().wait(seconds)


@pytest.fixture(scope="module")
def seen_at_boot(wait_for):
    """Start with the database away, look, and bring it back."""
    made = Installation()
    made.stop_database()
    made.start()
    try:
        wait_for(
            lambda: made.status("/healthz") == 200, seconds=START_SECONDS, why="the web process"
        )
        body, _ids = request_of_spans()
        some_key = keys.generate("ing").text
        seen = {"readyz": made.get("/readyz"), "ingest": post(made.url, some_key, body)}
        made.start_database()
        back = time.monotonic()
        wait_for(lambda: made.status("/readyz") == 200, seconds=START_SECONDS, why="readiness")
        seen["ready after"] = time.monotonic() - back
        wait_for(lambda: made.up.url, seconds=20)
        made.take_key()
        yield made, seen
    finally:
        made.close()


@pytest.fixture
def installation(seen_at_boot, wait_for):
    made, _seen = seen_at_boot
    try:
        wait_for(lambda: made.status("/readyz") == 200, seconds=30, why="health before the test")
    except pytest.fail.Exception:
        print(made.get("/readyz"), made.up.log[-3000:])
        raise
    yield made
    made.abandon()


def back_within(sender, moment: float, seconds: float, wait_for) -> None:
    """Requests sent after `moment` are acknowledged again, the first within `seconds`."""
    wait_for(lambda: sender.since(moment, 200), seconds=seconds, why="an answer")
    sender.finish()


def test_64_it_starts_without_its_database_and_comes_alive_alone(seen_at_boot):
    _made, seen = seen_at_boot
    status, text = seen["readyz"]
    assert (status, "The database does not answer" in text) == (503, True)
    assert seen["ingest"].status == 503
    assert 1 <= int(seen["ingest"].retry_after) <= 5


def test_65_a_stopped_database_costs_503_at_once_and_is_found_again(
    installation, wait_for, patience
):
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 200)
    installation.stop_database()
    gone = time.monotonic() + 0.5
    rest(AWAY)
    assert installation.status("/healthz") == 200
    assert installation.status("/readyz") == 503
    pages = {
        path: installation.status(path) for path in ("/", "/accounts/login/", "/api/v1/traces")
    }
    installation.start_database()
    back = time.monotonic()
    refused = [a for a in sender.since(gone) if a.at < back - 1]
    assert refused
    assert {a.status for a in refused} == {503}
    assert max(a.seconds for a in refused) <= 1.5 * patience
    assert all(1 <= int(a.retry_after) <= 5 for a in refused)
    assert 500 not in pages.values(), pages
    back_within(sender, back, 5.0, wait_for)
    check_stored(installation.cluster.url(), sender.acknowledged, wait_for)


def test_65_a_database_that_takes_no_writes_costs_503_and_heals(installation, wait_for):
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 100)
    at = time.monotonic()
    installation.sql("ALTER SYSTEM SET default_transaction_read_only = on")
    try:
        installation.sql("SELECT pg_reload_conf()")
        refused = wait_for(lambda: sender.since(at, 503), seconds=15)
        assert all(1 <= int(answer.retry_after) <= 5 for answer in refused)
        pages = {path: installation.status(path) for path in ("/", "/accounts/login/", "/readyz")}
        assert not {0, 500} & set(pages.values()), pages
    finally:
        installation.sql("ALTER SYSTEM RESET default_transaction_read_only")
        installation.sql("SELECT pg_reload_conf()")
    back_within(sender, time.monotonic(), 6.0, wait_for)
    assert {answer.status for answer in sender.since(at)} == {200, 503}
    check_stored(installation.cluster.url(), sender.acknowledged, wait_for, seconds=30)


def told(sender, moment: float) -> list[tuple[float, float, int]]:
    """The last answers, by when they were asked for from a moment on, how long, and status."""
    return [(round(a.at - moment, 2), round(a.seconds, 2), a.status) for a in sender.since(0)[-12:]]


@pytest.mark.usefixtures("long_run")
def test_65_a_database_that_hangs_costs_503_within_five_seconds(installation, wait_for):
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 200)
    hung = time.monotonic() - 0.5
    with installation.database_hangs():
        rest(6.0)
        refused = sender.since(hung, 503)
        assert refused, told(sender, hung)
        assert max(a.seconds for a in refused) <= 5.5
        back = time.monotonic()
    back_within(sender, back, 6.0, wait_for)
    check_stored(installation.cluster.url(), sender.acknowledged, wait_for)


def test_66_a_deleted_broker_loses_no_work(installation, wait_for):
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 200)
    shutil.rmtree(installation.data / "broker")
    at = time.monotonic()
    wait_for(lambda: len(sender.since(at, 200)) > 5)
    sender.finish()
    assert not sender.since(at, 503)
    check_stored(installation.cluster.url(), sender.acknowledged, wait_for, seconds=10)


@pytest.mark.skipif(not MEMORY, reason="fills 1 GB of memory, so that no disk is harmed")
def test_67_a_full_disk_stops_ingestion_before_the_database(installation, wait_for):
    sender = installation.sender(pause=0.2)
    wait_for(lambda: sender.acknowledged)
    filler = installation.data / "filler"
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, (SPARE_MB + 32) * 2**20)
    at = time.monotonic() + 1.1
    try:
        wait_for(lambda: sender.since(at, 503))
        assert installation.status("/readyz") == 200
        assert installation.status("/accounts/login/") == 200
        assert not sender.since(at, 200)
    finally:
        filler.unlink()
    back_within(sender, time.monotonic(), 3.0, wait_for)


def test_68_a_worker_that_stood_still_catches_up(installation, wait_for):
    worker = installation.up.child("worker")
    worker.suspend()
    try:
        sender = installation.sender()
        wait_for(lambda: len(sender.acknowledged) >= 2_000, seconds=30)
        sender.finish()
        assert not sender.since(0.0, 503)
        waiting = installation.sql("SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL")
        assert waiting[0][0] > 0
    finally:
        worker.resume()
    check_stored(installation.cluster.url(), sender.acknowledged, wait_for, seconds=30)


def test_70_partitions_are_made_on_demand_when_beat_did_not_run(installation, wait_for):
    days = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'spans'::regclass"
    tomorrow = "to_char(current_date + 1, 'YYYYMMDD')"
    for table in ("spans", "traces"):
        for (name,) in installation.sql(f"SELECT '{table}_' || {tomorrow}"):
            installation.sql(f"DROP TABLE {name}")
    web = installation.up.child("tracehub.cli.serve")
    web.kill()  # a web process that starts has not seen them
    wait_for(lambda: installation.status("/healthz") == 200, seconds=30)
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) >= 100, seconds=20)
    sender.finish()
    (wanted,) = installation.sql(f"SELECT 'spans_' || {tomorrow}")[0]
    assert wanted in {name for (name,) in installation.sql(days)}


@pytest.mark.usefixtures("long_run")
def test_71_retention_while_ingesting_and_reading_refuses_nobody(installation, wait_for):
    for age in (400, 401, 402):
        installation.sql(
            f"SELECT tracehub_ensure_partitions(current_date - {age}, current_date - {age})"
        )
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 200)
    at = time.monotonic()
    with psycopg.connect(installation.cluster.url()) as reader:  # an export, say
        reader.execute("SELECT count(*) FROM traces JOIN spans USING (trace_id)")
        held = installation.command("prune")
        assert held.returncode == 0, held.stderr
    done = installation.command("prune")
    assert done.returncode == 0, done.stderr
    sender.finish()
    assert not sender.since(at, 503)
    slow = sorted(answer.seconds for answer in sender.since(at))
    assert slow[int(len(slow) * 0.99)] < 1.5
    old = (
        "SELECT count(*) FROM pg_inherits WHERE inhparent = 'spans'::regclass"
        " AND right(inhrelid::regclass::text, 8) < to_char(current_date - 40, 'YYYYMMDD')"
    )
    assert installation.sql(old) == [(0,)]


def test_73_a_backup_under_load_is_one_moment_and_restores_elsewhere(installation, wait_for):
    sender = installation.sender()
    wait_for(lambda: len(sender.acknowledged) > 200)
    at, file = time.monotonic(), installation.folder / "all.zip"
    saved = installation.command("backup", str(file))
    assert saved.returncode == 0, saved.stderr
    sender.finish()
    assert not sender.since(at, 503)
    installation.sql(f"CREATE DATABASE second OWNER {config.OWNER_ROLE}", database="postgres")
    second = installation.cluster.url("second")
    restored = installation.command(
        "restore", str(file), DATABASE_URL=second, DATABASE_OWNER_URL=second
    )
    assert restored.returncode == 0, restored.stderr
    with psycopg.connect(second) as link:
        assert link.execute("SELECT count(*) > 200 FROM spans").fetchone() == (True,)
    installation.sql("DROP DATABASE second", database="postgres")


def test_78_bad_requests_fill_neither_the_log_nor_a_table(installation, request):
    rounds = 5_000 if request.config.getoption("--minutes") else 25
    key, url = {"authorization": f"Bearer {installation.key}"}, installation.url
    json_type, bad_key = {"content-type": "application/json"}, "th_ing_" + "x" * 45
    before, counted = len(installation.up.log), "SELECT count(*) FROM traces_refusal"
    kept, began = installation.sql(counted)[0][0], time.monotonic()
    with requests.Session() as session:

        def asked(method: str, path: str, headers: dict[str, str], body: bytes = b"") -> int:
            answer = session.request(method, url + path, headers=headers, data=body, timeout=20)
            return answer.status_code

        for _ in range(rounds):
            found = [
                asked("POST", "/v1/traces", json_type),
                asked("POST", "/v1/traces", json_type | {"authorization": f"Bearer {bad_key}"}),
                asked("POST", f"/v1/traces?key={installation.key}", json_type),
                asked("POST", "/v1/traces", key | {"content-type": "text/plain"}, b"x"),
                asked("POST", "/v1/traces", key | json_type, b"{"),
                asked("GET", "/api/v1/traces", key),
                asked("GET", "/no/such/page", {}),
                asked("POST", "/accounts/login/", {}),
                asked("GET", "/", {"host": "evil.example"}),
            ]
            assert found == [401, 401, 401, 415, 400, 403, 404, 403, 400]
    lines = installation.up.log[before:].splitlines(keepends=True)
    added = "".join(line for line in lines if line.startswith("web "))  # others tell of other tests
    minutes = (time.monotonic() - began) / 60
    assert len(added) < 5_000 + 1_000 * minutes, added  # a line a minute of each kind
    assert installation.sql(counted)[0][0] - kept <= (time.monotonic() - began) / refusals.EVERY + 2


def test_76_no_connection_left_costs_503_and_heals(installation, wait_for):
    sender = installation.sender(pause=0.1)
    wait_for(lambda: len(sender.acknowledged) > 100)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS):
            with contextlib.suppress(psycopg.OperationalError):
                stack.enter_context(psycopg.connect(installation.cluster.url(), autocommit=True))
        at = time.monotonic()
        installation.sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'tracehub%'"
        )
        for _ in range(CONNECTIONS):
            with contextlib.suppress(psycopg.OperationalError):
                stack.enter_context(psycopg.connect(installation.cluster.url(), autocommit=True))
        wait_for(lambda: sender.since(at, 503), seconds=15)
        pages = {path: installation.status(path) for path in ("/", "/accounts/login/", "/readyz")}
        assert not {0, 500} & set(pages.values()), pages
    back_within(sender, time.monotonic(), 6.0, wait_for)
