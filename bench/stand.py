"""What benchmarks run on: an embedded PostgreSQL with fsync, web processes, worker, reference."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from tracehub.cli import processes  # noqa: E402
from tracehub.cli.supervisor import WORKER_NICE  # noqa: E402

WORKER = "celery -A tracehub.celery worker -P solo --without-gossip --without-mingle -l warning"
# By key: counting a table of millions would cost more than what is measured.
STORED = """
    SELECT count(*) FROM arrivals a JOIN spans s USING (project_id, day, trace_id)
    WHERE a.project_id = (SELECT id FROM projects_project WHERE slug = 'bench')
        AND a.trace_id = ANY(%(ids)s)
"""
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'"
QUIET = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


@contextmanager
def database(folder: Path) -> Iterator[Any]:
    """An embedded server with the product's own configuration."""
    from tracehub.cli import pgroles
    from tracehub.cli.postgres import Cluster

    cluster = Cluster.of(folder)
    server = cluster.start()
    pgroles.ensure_database(cluster)
    with psycopg.connect(cluster.superuser_url(), autocommit=True) as link:
        if not link.execute("SELECT FROM pg_database WHERE datname = 'reference'").fetchall():
            link.execute("CREATE DATABASE reference")
    try:
        yield cluster
    finally:
        server.stop()


def measured_apart(script: str, folder: Path, **options: int) -> dict[str, Any]:
    """Fill a database of our own, run `script --measure` on it, and return the JSON it prints."""
    with database(folder) as cluster:
        return measured(script, cluster, **options)


def measured(script: str, cluster: Any, **options: int) -> dict[str, Any]:
    """Run `script --measure` as the role of web processes, and return the JSON it prints."""
    given = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    done = subprocess.run(
        [sys.executable, str(HERE / script), "--measure", *given],
        env={**os.environ, **prepared(cluster)}, cwd=HERE.parent,
        stdout=subprocess.PIPE, check=True, text=True, timeout=900,
    )  # fmt: skip
    return dict(json.loads(done.stdout.splitlines()[-1]))


def prepared(cluster: Any) -> dict[str, str]:
    """Bring a database up to date; return the environment of web processes and workers on it."""
    from tracehub.cli import pgroles

    env = {
        "DATABASE_URL": cluster.url(),
        "TRACEHUB_DATA_DIR": str(cluster.folder),
        "DJANGO_SETTINGS_MODULE": "tracehub.settings",
        "TRACEHUB_SECRET_KEY": "bench" * 10,
    }
    for command in (["migrate"], ["createcachetable"], ["collectstatic", "--noinput"]):
        subprocess.run(
            [sys.executable, "manage.py", *command, "-v0"],
            env={**os.environ, **env}, cwd=HERE.parent, check=True, timeout=600,
        )  # fmt: skip
    pgroles.grant(cluster.url(), cluster.app_url())
    return {**env, "DATABASE_URL": cluster.app_url(), "BENCH_OWNER_URL": cluster.url()}


def tidied(*statements: str) -> None:
    """Run statements of maintenance in what `measured` started: as the owner of the tables."""
    with psycopg.connect(os.environ["BENCH_OWNER_URL"], autocommit=True) as link:
        for statement in statements:
            link.execute(statement)


def p95(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, round(0.95 * len(times)))]


@contextmanager
def process(command: list[str], env: dict[str, str], **options: Any) -> Iterator[int]:
    child = subprocess.Popen(command, env={**os.environ, **env}, cwd=HERE.parent, **options)
    try:
        yield child.pid
    finally:
        child.terminate()
        try:
            child.wait(120)  # a worker ends its message first
        except subprocess.TimeoutExpired:  # a worker ends its batch first
            child.kill()
            child.wait()


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on port {port}.")


def ingest_key(env: dict[str, str]) -> str:
    """Make the project `bench` and return a key of it."""
    code = (
        "from tracehub.projects import actions as a;"
        "p = a.create_project('bench'); print(a.create_key(p, 'ingest', 'bench')[1])"
    )
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "-v0", "-c", code],
        env={**os.environ, **env},
        cwd=HERE.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip().splitlines()[-1]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class Stand:
    """TraceHub and the reference beside each other, on one server; ends with its `stack`."""

    def __init__(
        self, folder: Path, stack: ExitStack, *, worker: bool = True, reference: bool = True
    ) -> None:
        self.stack = stack
        self.cluster = stack.enter_context(database(folder))
        self.url = self.cluster.url()
        self.admin_url = self.cluster.superuser_url("tracehub")
        self.env = prepared(self.cluster)
        self.key = ingest_key(self.env)
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = int(self.listener.getsockname()[1])
        self.webs: list[int] = []
        self.add_web()
        self.worker = self._worker() if worker else None
        self.reference = self._reference() if reference else None
        with psycopg.connect(self.cluster.superuser_url()) as link:
            pid = link.execute("SELECT pg_backend_pid()").fetchone()[0]
            stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1]
        self.postmaster = int(stat.split()[1])

    def add_web(self) -> None:
        """Start one more web process on the same socket."""
        fd = self.listener.fileno()
        serve = [sys.executable, "-m", "tracehub.cli.serve", str(fd)]
        with psycopg.connect(self.admin_url, autocommit=True) as link:
            before = link.execute(CONNECTIONS).fetchone()[0]
            self.webs.append(self.stack.enter_context(process(serve, self.env, pass_fds=[fd])))
            deadline = time.monotonic() + 60
            while link.execute(CONNECTIONS).fetchone()[0] <= before:  # it has its writer's
                if time.monotonic() > deadline:
                    raise SystemExit("A web process does not start.")
                time.sleep(0.1)
        wait_for_port(self.port)

    def add_beat(self, folder: Path) -> int:
        """Start the scheduler, as an installation has it; return its process id."""
        own = ["--schedule", str(folder / "schedule"), "--pidfile="]
        command = [sys.executable, "-m", "celery", "-A", "tracehub.celery", "-q", "beat", *own]
        return self.stack.enter_context(process(command, self.env, **QUIET))

    def _worker(self) -> int:
        # As the supervisor starts it: it yields the processor to who waits for an answer.
        yields = processes.dies_with_parent(signal.SIGKILL, nice=WORKER_NICE)
        command = [sys.executable, "-m", *WORKER.split()]
        return self.stack.enter_context(process(command, self.env, preexec_fn=yields, **QUIET))

    def _reference(self) -> dict[str, Any]:
        dsn = self.cluster.superuser_url("reference")
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "ref_ingest:app", "--app-dir", str(HERE)]
        command += ["--port", str(port), "--no-access-log", "--log-level", "warning"]
        env = {"BENCH_DSN": dsn, "REF_STAGED": "1"}
        pid = self.stack.enter_context(process(command, env))
        wait_for_port(port)
        return {"port": port, "dsn": dsn, "pid": pid}

    def targets(self) -> dict[str, dict[str, Any]]:
        """Return what `loadgen` needs of each: address, key, counts, processes to watch."""
        watch = [f"web{i}={pid}" for i, pid in enumerate(self.webs)] + [f"pg={self.postmaster}"]
        watch += [f"worker={self.worker}"] if self.worker else []
        targets = {
            "tracehub": {
                "url": f"http://127.0.0.1:{self.port}/v1/traces",
                "count_pg": self.admin_url,
                "count_sql": STORED,
                "header": [f"authorization=Bearer {self.key}"],
                "watch": watch,
            },
        }
        if reference := self.reference:
            targets["reference"] = {
                "url": f"http://127.0.0.1:{reference['port']}/v1/traces",
                "count_pg": reference["dsn"],
                "count_sql": "select count(*) from bench_ref",
                "watch": [f"web0={reference['pid']}", f"pg={self.postmaster}"],
            }
        return targets

    def wait_idle(self, seconds: float = 300, *, looked: bool = False) -> None:
        """Return when lists and signals are right.

        With `looked` also what the second pass finds and writes, attributes among it.
        """
        if not self.worker:
            return
        deadline = time.monotonic() + seconds
        waits = "SELECT EXISTS (SELECT FROM arrivals WHERE dirty_seq IS NOT NULL)"
        if looked:
            waits += " OR EXISTS (SELECT FROM second_looks)"
        with psycopg.connect(self.url, autocommit=True) as link:
            while link.execute(waits).fetchone()[0]:
                if time.monotonic() > deadline:
                    raise SystemExit("The worker does not catch up; is it running?")
                time.sleep(0.05)
