"""kill -9 of each part under load: nothing acknowledged is lost, nothing stored twice."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

import psycopg
import pytest

from tests.faults.ledger import Sender, check_stored
from tracehub.cli.postgres import Cluster

pytestmark = pytest.mark.processes

VICTIMS = {
    "web": "tracehub.cli.serve",
    "worker": "worker",
    "beat": "beat",
    "database": "bin/postgres",
}


@pytest.fixture
def total(request) -> int:
    """Spans of a round."""
    return 20_000 if request.config.getoption("--minutes") else 3_000


def test_acknowledged_spans_survive_kill_9(folder, start_up, key_of, wait_for, rounds, total):
    data = folder / "data"
    up = start_up(data)
    key = key_of(data)
    acknowledged: set[tuple[str, str]] = set()
    for rng in rounds:
        sender = Sender(up.url, key, total).start()
        moments = sorted(rng.uniform(0.05, 0.9) for _ in VICTIMS)
        for moment, name in zip(moments, rng.sample(list(VICTIMS), len(VICTIMS)), strict=True):
            wait_for(
                lambda sender=sender, at=moment: sender.share >= at or sender.unexpected,
                seconds=90,
                why=f"the moment to kill {name}",
            )
            word = VICTIMS[name]
            victim = wait_for(lambda word=word: up.child(word), seconds=30, why=f"a live {name}")
            os.kill(victim.pid, signal.SIGKILL)
        assert sender.join(120), f"the load did not end: {sender.share:.0%} acknowledged"
        assert not sender.unexpected
        assert len(sender.acknowledged) == total
        acknowledged |= sender.acknowledged
        check_stored(Cluster.of(data).url(), acknowledged, wait_for)
    assert up.stop() == 0
    check_pages(data)


def check_pages(data) -> None:
    """Every page of the stopped database has the checksum it was written with."""
    cluster = Cluster.of(data)
    command = [cluster.binaries.tool("pg_checksums"), "--check", "-D", str(cluster.data)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_killed_supervisor_loses_nothing_and_the_next_start_goes_on(
    folder, start_up, key_of, wait_for, rounds
):
    data = folder / "data"
    up = start_up(data)
    key, port = key_of(data), up.url.rpartition(":")[2]
    acknowledged: set[tuple[str, str]] = set()
    for rng in rounds:
        sender = Sender(up.url, key).start()
        wait_for(lambda sender=sender: len(sender.acknowledged) > 400, seconds=30)
        threading.Event().wait(rng.uniform(0.0, 0.5))
        up.process.kill()
        up.process.wait(5)
        up = start_up(data, "--port", port)
        back = time.monotonic()
        wait_for(lambda sender=sender, at=back: sender.since(at, 200), seconds=20)
        sender.finish()
        acknowledged |= sender.acknowledged
        check_stored(Cluster.of(data).url(), acknowledged, wait_for)
    assert up.stop() == 0


def test_a_stop_under_load_is_drained_within_ten_seconds(folder, start_up, key_of, wait_for):
    data = folder / "data"
    up = start_up(data)
    sender = Sender(up.url, key_of(data)).start()
    wait_for(lambda: len(sender.acknowledged) > 400, seconds=30)
    parts = up.children()
    assert up.stop(signal.SIGTERM) == 0
    wait_for(lambda: not any(part.is_running() for part in parts), why="no orphan")
    sender.abandon()
    kept = set(sender.acknowledged)
    server = Cluster.of(data).start()
    try:
        with psycopg.connect(server.cluster.url()) as link:
            rows = link.execute(
                "SELECT replace(trace_id::text, '-', ''), lpad(to_hex(span_id), 16, '0') FROM spans"
            ).fetchall()
    finally:
        server.stop()
    assert kept <= set(rows)
