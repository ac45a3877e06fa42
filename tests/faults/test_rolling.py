"""72: a rolling upgrade under load, in `make test-faults` alone.

The older version is the commit before the newest that changed the tables, out of git's history.
Its web process takes spans while the tables are brought to today's version, and beyond it by what
a later one may bring; then both versions serve side by side.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import requests

from tests.cli.conftest import CLEAN, own_port
from tests.faults.ledger import Sender, check_stored
from tests.topology.programs import Program, Programs
from tracehub.cli import pgroles
from tracehub.cli.postgres import Cluster

pytestmark = pytest.mark.processes

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0
MOST_LOCKED = 1.0  # seconds that a statement may wait for a table
FILLED = 6_000  # spans in the tables before anything changes
WAITS = """
    SELECT coalesce(max(extract(epoch FROM clock_timestamp() - waitstart)), 0)::float
    FROM pg_locks WHERE NOT granted AND locktype = 'relation'
"""
# What a later version may bring to filled tables, in the way of a migration.
LATER = """
import django
django.setup()
from django.core import management
from django.db import connection
from tracehub.cli import bootstrap
from tracehub.traces import partitions

def change(*_given, **_more):
    with connection.cursor() as cursor:
        for table in ("traces", "spans", "arrivals"):
            cursor.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS later int DEFAULT 7")

management.call_command = change
bootstrap.migrate()
with connection.cursor() as cursor:
    partitions.create_index(cursor, "spans_later", "spans", "(project_id, later)")
    partitions.create_index(cursor, "traces_later", "traces", "(project_id, later)")
"""


def git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


class Rolling:
    """A database, and processes of two versions of the code on it."""

    def __init__(self, wait_for) -> None:
        self.wait_for = wait_for
        self.folder = Path(tempfile.mkdtemp(prefix="tracehub-rolling-"))
        self.folder.chmod(0o755)
        self.older = self.folder / "older"
        self.programs = Programs(self.folder)
        (self.folder / "server").mkdir()
        self.cluster = Cluster.of(self.folder / "server")
        self.server = self.cluster.start()
        pgroles.ensure_database(self.cluster)

    def check_out(self) -> None:
        newest = git("log", "-1", "--format=%H", "--", "tracehub/*/migrations/*.py")
        if not (before := git("rev-parse", "--verify", f"{newest}^") if newest else ""):
            pytest.skip("needs the history of git, for the code of before")
        self.older.mkdir()
        packed = subprocess.run(["git", "archive", before], cwd=ROOT, capture_output=True)
        subprocess.run(["tar", "-x", "-C", self.older], input=packed.stdout, check=True)

    def env(self, code: Path) -> dict[str, str]:
        return CLEAN | {
            "PYTHONPATH": str(code),
            "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
            "DATABASE_URL": self.cluster.app_url(),
            "DATABASE_OWNER_URL": self.cluster.url(),
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
            "TRACEHUB_DATA_DIR": str(self.folder / "data"),
            "TRACEHUB_SECRET_KEY": "a key for tests only, which guards nothing at all",
            "TRACEHUB_MIN_FREE_MB": "0",
        }

    def done(self, code: Path, *arguments: str, **env: str) -> str:
        """Run a Python command of one version to its end; return what it printed."""
        command = [sys.executable, "-P", *arguments]
        ended = subprocess.run(
            command, env=self.env(code) | env, cwd="/", capture_output=True, text=True, timeout=300
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout.strip()

    def bootstrap(self, code: Path) -> dict[str, str]:
        result = self.folder / "result.json"
        self.done(code, "-m", "tracehub.cli.bootstrap", str(result))
        return json.loads(result.read_text())

    def serve(self, code: Path) -> str:
        """Start web and worker of one version; return the address when it is ready."""
        env, port, name = self.env(code), own_port(), code.name
        web = [sys.executable, "-P", "-m", "tracehub.cli.serve", f"127.0.0.1:{port}"]
        worker = "celery -A tracehub.celery -q worker --pool=solo --loglevel WARNING".split()
        self.run(f"web-{name}", web, env)
        self.run(f"worker-{name}", [sys.executable, "-P", "-m", *worker, "-n", f"{name}@%h"], env)
        url = f"http://127.0.0.1:{port}"
        self.wait_for(lambda: self.status(f"{url}/readyz") == 200, seconds=START_SECONDS)
        return url

    def run(self, name: str, command: list[str], env: dict[str, str]) -> Program:
        return self.programs.run(name, command, env)

    def status(self, url: str, key: str = "") -> int:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            return requests.get(url, headers=headers, timeout=20).status_code
        except requests.RequestException:
            return 0

    def close(self) -> None:
        self.programs.close()
        self.server.stop()
        shutil.rmtree(self.folder)


class Locks(threading.Thread):
    """Notes the longest that a statement waited for a table, until `finish`."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        self.url, self.longest = url, 0.0
        self._end = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as link:
            while not self._end.wait(0.02):
                self.longest = max(self.longest, link.execute(WAITS).fetchone()[0])

    def finish(self) -> float:
        self._end.set()
        self.join(10)
        return self.longest


@pytest.fixture
def rolling(long_run, wait_for) -> Iterator[Rolling]:
    made = Rolling(wait_for)
    try:
        made.check_out()
        yield made
    finally:
        made.close()


def test_72_two_versions_serve_side_by_side_while_the_tables_change(rolling, wait_for):
    older, newer = rolling.older, ROOT
    where = rolling.done(older, "-c", "import tracehub; print(tracehub.__file__)")
    assert Path(where).is_relative_to(older)
    key = rolling.bootstrap(older)["ingest_key"]
    first = rolling.serve(older)
    beat = "celery -A tracehub.celery -q beat --pidfile= --loglevel WARNING".split()
    beat += ["--schedule", str(rolling.folder / "schedule")]
    rolling.run("beat", [sys.executable, "-P", "-m", *beat], rolling.env(older))
    senders = [Sender(first, key, pause=0.05).start()]
    try:
        wait_for(lambda: len(senders[0].acknowledged) >= FILLED, seconds=180, why="filled tables")
        locks = Locks(rolling.cluster.superuser_url("tracehub"))
        locks.start()
        rolling.bootstrap(newer)
        rolling.done(newer, "-c", LATER, DATABASE_URL=rolling.cluster.url())
        longest = locks.finish()
        print(f"the longest wait for a table took {longest:.2f} s")
        assert longest < MOST_LOCKED

        second = rolling.serve(newer)
        senders.append(Sender(second, key, pause=0.05).start())
        wait_for(lambda: len(senders[1].acknowledged) >= 1_000, seconds=120, why="the new version")
        reader = rolling.done(
            newer, "-m", "tracehub.cli.main", "createkey", "--project", "default",
            "--scope", "viewer",
        )  # fmt: skip
        for url in (first, second):
            for path in ("traces", "facets", "metrics?metric=requests", "failure-modes"):
                assert rolling.status(f"{url}/api/v1/{path}", reader) == 200, (url, path)
            assert rolling.status(f"{url}/accounts/login/") == 200
        for sender in senders:
            sender.finish(60)
    finally:
        for sender in senders:
            sender.abandon()
    assert {answer.status for sender in senders for answer in sender.since(0.0)} <= {200, 503}
    acknowledged = senders[0].acknowledged | senders[1].acknowledged
    check_stored(rolling.cluster.url(), acknowledged, wait_for, seconds=300)
