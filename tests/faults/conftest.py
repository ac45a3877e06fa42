"""Fault tests run the real installation and harm it.

`--seed N` repeats a run, `--minutes M` makes it long: as many rounds as fit, 50 at most. Without,
two rounds. The seed is printed, and pytest shows it when a test fails.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import psycopg
import pytest

from tests.cli.conftest import folder, run_command, start_up
from tests.faults.ledger import Sender
from tracehub.cli import pgroles
from tracehub.cli.postgres import Cluster

__all__ = ["folder", "run_command", "start_up"]

MOST_ROUNDS = 50


@pytest.fixture
def rounds(request) -> Iterator[random.Random]:
    """Give a random generator for each round, seeded so that the seed repeats the round."""
    seed = request.config.getoption("--seed")
    seed = random.randrange(10**6) if seed is None else seed
    minutes = request.config.getoption("--minutes")

    def each() -> Iterator[random.Random]:
        end = time.monotonic() + 60.0 * (minutes or 0)
        for number in range(MOST_ROUNDS if minutes else 2):
            if minutes and number >= 2 and time.monotonic() > end:
                return
            print(f"round {number + 1}: --seed {seed + number}")
            yield random.Random(seed + number)

    return each()


@pytest.fixture
def key_of(run_command):
    """Make an ingest key for an installation."""

    def make(data, **env: str) -> str:
        made = run_command(
            "createkey", "--project", "default", "--scope", "ingest", "--data", str(data), **env
        )
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    return make


class Installation:
    """`tracehub up` on a PostgreSQL that the test stops and starts, as another machine's."""

    def __init__(self, folder, start_up, **env: str) -> None:
        (folder / "server").mkdir()
        self.folder = folder
        self.cluster = Cluster.of(folder / "server")
        self.server = None
        self.start_database()
        self.env = {"DATABASE_URL": self.cluster.url(), **env}
        self.start_up = start_up
        self.up = None

    def run(self, **options) -> None:
        self.up = self.start_up(self.folder / "data", **options, **self.env)

    def start_database(self) -> None:
        self.server = self.cluster.start(settings={"max_connections": "40"})
        pgroles.ensure_database(self.cluster)

    def stop_database(self) -> None:
        self.server.stop()

    def sql(self, query: str) -> list[tuple]:
        with psycopg.connect(self.cluster.superuser_url("tracehub"), autocommit=True) as link:
            done = link.execute(query)
            return done.fetchall() if done.description else []

    def sender(self, key: str, **options) -> Sender:
        return Sender(self.up.url, key, **options).start()


@pytest.fixture
def installation(folder, start_up) -> Iterator[Installation]:
    """An installation that is not started yet."""
    made = Installation(folder, start_up)
    yield made
    if made.up is not None and made.up.process.poll() is None:
        made.up.stop()
    made.server.stop()
