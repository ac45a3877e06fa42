"""`tracehub up` on a PostgreSQL that the test stops and starts, as if it were another machine's."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import subprocess
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

import psycopg

from tests import seed
from tests.cli.conftest import CLEAN, MODULE, Up, own_port
from tests.faults.ledger import Sender
from tests.plugin import MEMORY
from tracehub.cli import pgroles
from tracehub.cli.postgres import Cluster

CONNECTIONS = 40
SPARE_MB = 1_000  # until ingestion finds the disk too full; the servers of the other tests use some


class Installation:
    """One data folder, one database server, and `up` between them."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="tracehub-faults-"))
        self.folder.chmod(0o755)
        # In memory, which nobody but tests fills while that of a full disk runs.
        self.data = Path(tempfile.mkdtemp(prefix="tracehub-faults-", dir=MEMORY or self.folder))
        seed.copy_to(self.data, "static", "static.fingerprint")
        free_mb = shutil.disk_usage(self.data).free // 2**20
        seed.copy_to(self.folder / "server")
        self.cluster = Cluster.of(self.folder / "server")
        self.start_database()
        self.env = {
            "DATABASE_URL": self.cluster.app_url(),
            "DATABASE_OWNER_URL": self.cluster.url(),
            "TRACEHUB_MIN_FREE_MB": str(max(0, free_mb - SPARE_MB)),
        }
        self.port = own_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.key = ""
        self.senders: list[Sender] = []

    def start(self) -> None:
        self.up = Up(self.data, "--port", str(self.port), **self.env)

    def take_key(self) -> None:
        """Use the ingest key that the first `up` says."""
        self.key = re.search(r"th_ing_\w+", self.up.log)[0]

    def close(self) -> None:
        if self.up.process.poll() is None:
            self.up.stop()
        self.up.log_file.unlink()
        self.server.stop()
        shutil.rmtree(self.folder)
        shutil.rmtree(self.data)

    def start_database(self) -> None:
        self.server = self.cluster.start(settings={"max_connections": str(CONNECTIONS)})
        pgroles.ensure_database(self.cluster)

    def stop_database(self) -> None:
        self.server.stop()

    @contextlib.contextmanager
    def database_hangs(self):
        """Every process of the server stands still for the time of the block."""
        stopped = self.cluster.processes()
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(Exception):
                    process.send_signal(signal.SIGCONT)

    def sql(self, query: str, *, database: str = "tracehub") -> list[tuple]:
        with psycopg.connect(self.cluster.superuser_url(database), autocommit=True) as link:
            done = link.execute(query)
            return done.fetchall() if done.description else []

    def get(self, path: str) -> tuple[int, str]:
        """The status and the text of an answer; 0 without one."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def status(self, path: str) -> int:
        return self.get(path)[0]

    def command(self, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MODULE, *arguments, "--data", str(self.data)],
            check=False,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=CLEAN | self.env | env,
        )

    def sender(self, **options) -> Sender:
        self.senders.append(Sender(self.url, self.key, **({"pause": 0.02} | options)))
        return self.senders[-1].start()

    def abandon(self) -> None:
        """Stop what a failed test left sending."""
        for sender in self.senders:
            sender.abandon()
        self.senders.clear()
