"""kill -9 of each part under load: nothing acknowledged is lost, nothing stored twice.

One installation for the file; each test leaves it healthy or stopped, and starts what is stopped.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import seed
from tests.cli.conftest import START_SECONDS, Up, own_port
from tests.faults.ledger import Sender, check_stored, stored_spans
from tracehub.cli.postgres import Cluster

pytestmark = pytest.mark.processes

VICTIMS = {
    "web": "tracehub.cli.serve",
    "worker": "worker",
    "beat": "beat",
    "database": "bin/postgres",
}


class Home:
    """A data folder with its embedded database, and the ledger of all that it acknowledged."""

    def __init__(self, wait_for) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tracehub-kills-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.wait_for = wait_for
        self.acknowledged: set[tuple[str, str]] = set()
        seed.copy_to(self.data)
        self.port = own_port()
        self.up = Up(self.data, "--port", str(self.port))
        self.ready()
        self.key = re.search(r"th_ing_\w+", self.up.log)[0]

    def ready(self) -> None:
        try:
            self.wait_for(
                lambda: self.up.url or self.up.process.poll() is not None, seconds=START_SECONDS
            )
        except pytest.fail.Exception:
            print(self.up.log[-3000:])
            raise
        assert self.up.url, self.up.log

    def start(self) -> None:
        self.up.log_file.unlink()
        self.up = Up(self.data, "--port", str(self.port))
        self.ready()

    def send(self, total: int = 10**9) -> Sender:
        return Sender(self.up.url, self.key, total).start()

    def check(self) -> None:
        """All is healthy again, though the last kill came when all was acknowledged; nothing lost.

        The worker lists up to a million spans that came while it was killed again and again.
        """
        self.wait_for(lambda: self.up.get("/readyz") == 200, seconds=300, why="health after kills")
        check_stored(Cluster.of(self.data).url(), self.acknowledged, self.wait_for, seconds=300)

    def close(self) -> None:
        if self.up.process.poll() is None:
            assert self.up.stop() == 0
        self.up.log_file.unlink()
        try:
            check_pages(self.data)
        finally:
            shutil.rmtree(self.folder)


@pytest.fixture(scope="module")
def kept(wait_for) -> Iterator[Home]:
    made = Home(wait_for)
    yield made
    made.close()


@pytest.fixture
def home(kept) -> Home:
    if kept.up.process.poll() is not None:
        kept.start()
    return kept


@pytest.fixture
def total(request) -> int:
    """Spans of a round."""
    return 20_000 if request.config.getoption("--minutes") else 2_000


def check_pages(data) -> None:
    """Every page of the stopped database has the checksum it was written with."""
    cluster = Cluster.of(data)
    command = [cluster.binaries.tool("pg_checksums"), "--check", "-D", str(cluster.data)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_60_to_62_acknowledged_spans_survive_kill_9(home, wait_for, rounds, total):
    for rng in rounds:
        sender = home.send(total)
        moments = sorted(rng.uniform(0.05, 0.9) for _ in VICTIMS)
        for moment, name in zip(moments, rng.sample(list(VICTIMS), len(VICTIMS)), strict=True):
            wait_for(
                lambda sender=sender, at=moment: sender.share >= at or sender.unexpected,
                seconds=90,
                why=f"the moment to kill {name}",
            )
            word = VICTIMS[name]
            victim = wait_for(
                lambda word=word: home.up.child(word), seconds=30, why=f"a live {name}"
            )
            os.kill(victim.pid, signal.SIGKILL)
        assert sender.join(120), f"the load did not end: {sender.share:.0%} acknowledged"
        assert not sender.unexpected
        assert len(sender.acknowledged) == total
        home.acknowledged |= sender.acknowledged
    home.check()


def test_a_killed_supervisor_loses_nothing_and_the_next_start_goes_on(home, wait_for, rounds):
    for rng in rounds:
        sender = home.send()
        wait_for(lambda sender=sender: len(sender.acknowledged) > 400, seconds=30)
        threading.Event().wait(rng.uniform(0.0, 0.5))
        home.up.process.kill()
        home.up.process.wait(5)
        home.start()
        back = time.monotonic()
        wait_for(lambda sender=sender, at=back: sender.since(at, 200), seconds=20)
        sender.finish()
        home.acknowledged |= sender.acknowledged
    home.check()


@pytest.mark.parametrize("way", ["SIGTERM", "Ctrl-C"])
def test_63_a_stop_under_load_is_drained_within_ten_seconds(home, wait_for, way):
    sender = home.send()
    wait_for(lambda: len(sender.acknowledged) > 400, seconds=30)
    parts = home.up.children()
    if way == "Ctrl-C":  # which a terminal sends to the whole group
        os.killpg(home.up.process.pid, signal.SIGINT)
        assert home.up.process.wait(15) == 0
    else:
        assert home.up.stop(signal.SIGTERM) == 0
    wait_for(lambda: not any(part.is_running() for part in parts), why="no orphan")
    sender.abandon()
    home.acknowledged |= sender.acknowledged
    server = Cluster.of(home.data).start()
    try:
        stored = stored_spans(server.cluster.url())
    finally:
        server.stop()
    assert home.acknowledged <= set(stored)
    assert len(stored) == len(set(stored))
