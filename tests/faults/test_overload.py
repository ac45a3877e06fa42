"""Case 16: a minute of more than the machine can take, in `make test-faults` alone.

Every answer is 200 or a 503 that says when to come again, memory stays flat, what was acknowledged
is stored once, and afterwards requests are quick again with nobody's help.
"""

from __future__ import annotations

import threading
import time

import psutil
import pytest

from tests.faults.installation import Installation
from tests.faults.ledger import check_stored

pytestmark = pytest.mark.processes

CONNECTIONS = 64
SECONDS = 60.0
MOST_MB = 300  # of the web process
CATCH_UP = 600.0  # seconds that the worker may take for the backlog


@pytest.fixture
def installation(request, wait_for):
    if not request.config.getoption("--minutes"):
        pytest.skip("a minute of load: run it with --minutes, as make test-faults does")
    made = Installation()
    made.start()
    try:
        wait_for(lambda: made.status("/readyz") == 200, seconds=90, why="readiness")
        wait_for(lambda: made.up.url, seconds=20)
        made.take_key()
        yield made
    finally:
        made.abandon()
        made.close()


def web_process(up) -> psutil.Process:
    children = psutil.Process(up.pid).children(recursive=True)
    return next(c for c in children if "tracehub.cli.serve" in c.cmdline())


def test_16_a_minute_above_capacity_loses_nothing_and_heals(installation, wait_for):
    web = web_process(installation.up.process)
    began = time.monotonic()
    sender = installation.sender(connections=CONNECTIONS, pause=0.0)
    sizes = []
    while time.monotonic() < began + SECONDS:
        sizes.append(web.memory_info().rss / 2**20)
        threading.Event().wait(0.25)
    assert installation.status("/healthz") == 200
    sender.finish(120)

    answers = sender.since(began)
    assert {a.status for a in answers} <= {200, 503}
    assert all(1 <= int(a.retry_after) <= 5 for a in answers if a.status == 503)
    third = len(sizes) // 3
    early, late = max(sizes[third : 2 * third]), max(sizes[2 * third :])
    assert late < MOST_MB, f"{early:.0f} MB, then {late:.0f} MB"
    assert late <= 1.2 * early, f"{early:.0f} MB, then {late:.0f} MB"

    healed = time.monotonic()
    again = installation.sender(total=20)
    assert again.join(10)
    assert {a.status for a in again.since(healed)} == {200}
    ledger = sender.acknowledged | again.acknowledged
    print(f"{len(ledger) / SECONDS:.0f} spans/s, {len(answers)} answers, {late:.0f} MB")
    check_stored(installation.cluster.url(), ledger, wait_for, seconds=CATCH_UP)
