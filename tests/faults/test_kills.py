"""kill -9 of web, worker and database under load: nothing acknowledged is lost, nothing doubled."""

from __future__ import annotations

import os
import random
import signal

import psycopg
import pytest

from tests.faults.ledger import Sender
from tracehub.cli.postgres import Cluster

pytestmark = pytest.mark.processes

TOTAL = 20_000  # spans
VICTIMS = {"web": "tracehub.cli.serve", "worker": "worker", "database": "bin/postgres"}


@pytest.fixture
def seed(request) -> int:
    chosen = request.config.getoption("--seed")
    return random.randrange(10**6) if chosen is None else chosen


def test_acknowledged_spans_survive_kill_9(folder, start_up, run_command, wait_for, seed):
    print(f"seed {seed}")  # pytest shows it when the test fails
    rng = random.Random(seed)
    up = start_up(folder / "data")
    made = run_command(
        "createkey", "--project", "default", "--scope", "ingest", "--data", str(folder / "data")
    )
    assert made.returncode == 0, made.stderr
    sender = Sender(up.url, made.stdout.strip(), TOTAL)
    sender.start()
    moments = sorted(rng.uniform(0.05, 0.9) for _ in VICTIMS)
    for moment, (name, word) in zip(moments, rng.sample(list(VICTIMS.items()), 3), strict=True):
        wait_for(lambda at=moment: sender.share >= at or sender.unexpected, seconds=90, why=name)
        victim = wait_for(lambda word=word: up.child(word), seconds=30, why=f"a live {name}")
        os.kill(victim.pid, signal.SIGKILL)
    assert sender.join(120), f"the load did not end: {sender.share:.0%} acknowledged"
    assert not sender.unexpected
    assert len(sender.acknowledged) == TOTAL
    check_stored(folder, sender, wait_for)
    assert up.stop() == 0


def check_stored(folder, sender: Sender, wait_for) -> None:
    """What the ledger holds is in the table, once, and every trace reaches the list."""
    url = Cluster.of(folder / "data").url()
    with psycopg.connect(url, autocommit=True) as link:
        rows = link.execute(
            "SELECT replace(trace_id::text, '-', ''), lpad(to_hex(span_id), 16, '0') FROM spans"
        ).fetchall()
        assert len(rows) == len(set(rows)), "a span is stored twice"
        assert sender.acknowledged <= set(rows), "an acknowledged span is lost"
        traces = len({trace for trace, _ in rows})
        listed = "SELECT count(*), coalesce(sum(span_count), 0) FROM traces"
        wait_for(
            lambda: link.execute(listed).fetchone() == (traces, len(rows)),
            seconds=60,
            why="the worker to list every trace",
        )
