"""Ingestion against the bare ASGI + COPY reference, interleaved in one run: the ratios count.

  python bench/ingest.py [--shapes 1x1,1x4,20x4,100x4] [--traces 2000] [--repeat 3] [--web 1]

A shape is traces per request x connections; a trace is 5 spans of 2.1 KB and began within the
last minute, as it would when an application sends it. Both write to one
embedded PostgreSQL with fsync on. Prints durable spans/s, latency, CPU seconds per 1,000 spans of
web, worker and Postgres, bytes on disk, and how the tables fared (HOT updates, dead tuples).
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import loadgen  # noqa: E402
import tracegen  # noqa: E402

from tracehub.cli import processes  # noqa: E402
from tracehub.cli.supervisor import WORKER_NICE  # noqa: E402

DIRTY = "SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL"
MINUTE_NS = 60 * 10**9
SHAPES = "1x1,1x4,20x1,20x4,100x4"


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


@contextmanager
def process(command: list[str], env: dict[str, str], **options: Any) -> Iterator[int]:
    child = subprocess.Popen(command, env={**os.environ, **env}, cwd=HERE.parent, **options)
    try:
        yield child.pid
    finally:
        child.terminate()
        child.wait(20)


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit(f"Nothing listens on port {port}.")


def migrate(env: dict[str, str]) -> str:
    """Set the database up and return an ingest key."""
    manage = [sys.executable, "manage.py"]
    subprocess.run(
        [*manage, "migrate", "-v0"], env={**os.environ, **env}, cwd=HERE.parent, check=True
    )
    subprocess.run(
        [*manage, "createcachetable"], env={**os.environ, **env}, cwd=HERE.parent, check=True
    )
    code = (
        "from tracehub.projects import actions as a;"
        "p = a.create_project('bench'); print(a.create_key(p, 'ingest', 'bench')[1])"
    )
    done = subprocess.run(
        [*manage, "shell", "-v0", "-c", code],
        env={**os.environ, **env},
        cwd=HERE.parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip().splitlines()[-1]


def arguments(**chosen: Any) -> argparse.Namespace:
    defaults: dict[str, Any] = {
        "header": [],
        "project": "bench",
        "watch": [],
        "count_pg": None,
        "backoff": 0.2,
        "count_sql": "select count(*) from spans",
        "settle": 1.5,
        "max_seconds": 300,
        "durable_timeout": 300,
        "gzip": False,
        "format": "pb",
    }
    return argparse.Namespace(**{**defaults, **chosen})


def wait_idle(url: str) -> None:
    """Return when the worker has caught up, so that one run does not pay for another."""
    deadline = time.monotonic() + 60
    with psycopg.connect(url, autocommit=True) as link:
        while link.execute("SELECT count(*) FROM arrivals WHERE dirty_seq IS NOT NULL").fetchone()[
            0
        ]:
            if time.monotonic() > deadline:
                raise SystemExit("The worker does not catch up; is it running?")
            time.sleep(0.2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--web", type=int, default=1)
    parser.add_argument("--no-worker", action="store_true")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tracehub-bench-"))
    with ExitStack() as stack:
        cluster = stack.enter_context(database(folder))
        url = cluster.url()
        env = {
            "DATABASE_URL": url,
            "TRACEHUB_DATA_DIR": str(folder),
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
            "TRACEHUB_SECRET_KEY": "bench" * 10,
        }
        key = migrate(env)
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        port = listener.getsockname()[1]
        fd = listener.fileno()
        serve = [sys.executable, "-m", "tracehub.cli.serve", str(fd)]
        webs = [stack.enter_context(process(serve, env, pass_fds=[fd])) for _ in range(options.web)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        worker = None
        if not options.no_worker:
            command = [
                sys.executable,
                "-m",
                "celery",
                "-A",
                "tracehub.celery",
                "worker",
                "-P",
                "solo",
                "--without-gossip",
                "--without-mingle",
                "-l",
                "warning",
            ]
            # As the supervisor starts it: it yields the processor to who waits for an answer.
            yields = processes.dies_with_parent(signal.SIGKILL, nice=WORKER_NICE)
            worker = stack.enter_context(process(command, env, preexec_fn=yields, **quiet))
        ref_env = {"BENCH_DSN": cluster.superuser_url("reference"), "REF_STAGED": "1"}
        ref_port = free_port()
        ref = stack.enter_context(
            process(
                [
                    sys.executable,
                    "-m",
                    "uvicorn",
                    "ref_ingest:app",
                    "--app-dir",
                    str(HERE),
                    "--port",
                    str(ref_port),
                    "--no-access-log",
                    "--log-level",
                    "warning",
                ],
                ref_env,
            )
        )
        wait_for_port(port)
        wait_for_port(ref_port)
        with psycopg.connect(cluster.superuser_url()) as link:
            pid = link.execute("SELECT pg_backend_pid()").fetchone()[0]
            postmaster = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        watch = [f"web{i}={pid}" for i, pid in enumerate(webs)] + [f"pg={postmaster}"]
        if worker:
            watch.append(f"worker={worker}")
        targets = {
            "reference": {
                "url": f"http://127.0.0.1:{ref_port}/v1/traces",
                "count_pg": ref_env["BENCH_DSN"],
                "count_sql": "select count(*) from bench_ref",
                "watch": [f"web0={ref}", f"pg={postmaster}"],
            },
            "tracehub": {
                "url": f"http://127.0.0.1:{port}/v1/traces",
                "count_pg": cluster.superuser_url("tracehub"),
                "header": [f"authorization=Bearer {key}"],
                "watch": watch,
            },
        }
        runs = run(targets, options, url)
        report(runs)
        tables(cluster.superuser_url("tracehub"))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def run(targets: dict[str, Any], options: argparse.Namespace, url: str) -> list[dict[str, Any]]:
    tracegen.SPREAD_NS = MINUTE_NS
    runs, seed = [], int(time.time()) & 0x3FFFFF
    for repeat in range(options.repeat + 1):
        tracegen.BASE_NS = time.time_ns() - MINUTE_NS
        for shape in options.shapes.split(","):
            per, connections = map(int, shape.split("x"))
            traces = max(per * connections * 2, options.traces if per > 1 else options.traces // 4)
            for name, target in targets.items():
                seed += 1
                result = loadgen.run(
                    arguments(
                        traces=traces,
                        per_request=per,
                        concurrency=connections,
                        seed=seed,
                        label=name,
                        **target,
                    )
                )
                if name == "tracehub" and not options.no_worker:
                    wait_idle(url)
                if repeat:  # the first round warms up
                    runs.append({**result, "shape": shape})
                    print(json.dumps(runs[-1]), file=sys.stderr, flush=True)
    return runs


def report(runs: list[dict[str, Any]]) -> None:
    print(
        "| shape | target | durable spans/s | ratio | p50 ms | p99 ms | CPU s/1k web | worker "
        "| Postgres | disk B/span | WAL B/span | memory MB |"
    )
    print("|" + "---|" * 12)
    for shape in dict.fromkeys(r["shape"] for r in runs):
        base = None
        for name in ("reference", "tracehub"):
            group = [r for r in runs if r["shape"] == shape and r["label"] == name]
            rate = statistics.median(r["durable_spans_s"] or 0 for r in group)
            base = base or rate

            def med(key: str, group: list[dict[str, Any]] = group) -> float:
                return statistics.median(r[key] for r in group)

            def cpu(part: str, group: list[dict[str, Any]] = group) -> float:
                return statistics.median(
                    sum(v for k, v in r["cpu_per_1k"].items() if k.startswith(part)) for r in group
                )

            memory = statistics.median(
                sum(v for k, v in r["peak_mb"].items() if k != "pg") for r in group
            )
            print(
                f"| {shape} | {name} | {rate:.0f} | {rate / base:.2f} | {med('p50_ms'):.1f} | "
                f"{med('p99_ms'):.1f} | {cpu('web'):.3f} | {cpu('worker'):.3f} | {cpu('pg'):.3f} | "
                f"{med('disk_bytes_per_span'):.0f} | "
                f"{med('wal_bytes_per_span'):.0f} | {memory:.0f} |"
            )


def tables(url: str) -> None:
    """How the tables fared: inserts, updates, HOT share, dead rows, sizes; bytes by column."""
    with psycopg.connect(url) as link:
        rows = link.execute(
            "SELECT relname, n_tup_ins, n_tup_upd, n_tup_hot_upd, n_dead_tup,"
            " pg_size_pretty(pg_total_relation_size(relid)) FROM pg_stat_user_tables"
            " WHERE n_tup_ins > 0 AND (relname ~ '^(spans|traces)_2|arrivals|rollup') ORDER BY 1"
        ).fetchall()
        span = link.execute(
            "SELECT avg(pg_column_size(s.*)), avg(pg_column_size(facts)),"
            " avg(pg_column_size(content)), avg(pg_column_size(raw)) FROM spans s"
        ).fetchone()
        trace = link.execute(
            "SELECT avg(pg_column_size(t.*)), avg(pg_column_size(contribution)),"
            " avg(pg_column_size(metadata)), avg(pg_column_size(input_preview)),"
            " avg(pg_column_size(output_preview)) FROM traces t"
        ).fetchone()
    print("\n| table | inserted | updated | HOT | dead | size |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    sizes("a span", ("row in heap", "facts", "content", "raw"), span)
    sizes("a trace", ("row in heap", "contribution", "metadata", "input", "output"), trace)


def sizes(what: str, names: tuple[str, ...], values: tuple[Any, ...] | None) -> None:
    pairs = zip(names, values or (), strict=True)
    print(f"\nBytes {what}: " + ", ".join(f"{name} {value:.0f}" for name, value in pairs))


if __name__ == "__main__":
    main()
