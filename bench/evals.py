"""Eval sets: pages of a large set, its exports, and how near a run comes to what is ideal.

  python bench/evals.py [--cases 10000] [--rounds 15]

Fills a set with cases and three runs in an embedded database, asks for its pages through Django's
own handler, warm and as the role of web processes, writes every export format in a process of its
own (time and peak memory), and runs 1,000 cases at concurrency 20 against an address that takes
50 ms. About two minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from stand import p95, tidied  # noqa: E402

PAGE_MS, EXPORT_SECONDS, EXPORT_MB, RUN_RATIO = 100.0, 3.0, 200.0, 1.3
RUN_CASES, AT_ONCE, ANSWER_SECONDS = 1000, 20, 0.05
SLUG = "large"
KINDS = ("known_failure", "success", "risky_edge", "format")
MODES = ("wrong-amount", "wrong-scope", "tool-loop", "invented-policy", "wrong-tone")


def content(number: int) -> dict[str, Any]:
    """A case of usual size: some 3 kB."""
    draw = random.Random(number)
    words = " ".join(draw.choice(("refund", "ticket", "fare", "policy", "seat")) for _ in range(60))
    return {
        "kind": KINDS[number % 4],
        "title": f"Case {number}",
        "input": {
            "messages": [
                {"role": "system", "content": f"You are a refund agent. {words}"},
                {"role": "user", "content": f"Request {number}: {words}"},
            ]
        },
        "context": [{"id": f"policy-{n}", "content": words, "score": 0.9} for n in range(3)],
        "tool_calls": {"recorded": [{"name": "get_booking", "result": {"total": number}}]},
        "prompt": {"name": f"prompt-{number % 7}", "version": "v1"},
        "model": "gpt-4o",
        "expected_output": {"refund": {"amount": number, "currency": "EUR"}, "reply": words},
        "assertions": [
            {"type": "json_pointer_equals", "pointer": "/refund/amount", "value": number},
            {"type": "contains", "value": "refund"},
        ],
        "failure_modes": [MODES[number % 5]],
        "tags": [f"tag-{number % 9}"],
    }


def fill(count: int) -> None:
    """A project with a set of `count` cases, fixed, and three runs of them."""
    from tracehub.core import cases
    from tracehub.evals import actions, run_actions
    from tracehub.evals.models import Case, EvalSet
    from tracehub.projects.models import Membership, Project, User
    from tracehub.review.actions import create_mode

    project = Project.objects.create(slug="bench", name="Bench")
    user = User.objects.create_user("bench@localhost")
    Membership.objects.create(project=project, user=user, role="reviewer")
    for mode in MODES:
        create_mode(project, mode)
    made = EvalSet.objects.create(project=project, slug=SLUG, name="Large", next_case=count + 1)
    rows = []
    for number in range(1, count + 1):
        row = Case(project=project, eval_set=made, number=number, added_in=1)
        actions._fill(row, cases.read(content(number)))
        rows.append(row)
    Case.objects.bulk_create(rows, batch_size=1000)
    actions.fix(made)
    for run in range(3):
        results = [
            {
                "case": f"c_{n:04d}", "passed": (n + run) % 50 != 0, "cost": "0.01",
                "latency_ms": 800, "output": {"refund": {"amount": n}},
            }
            for n in range(1, count + 1)
        ]  # fmt: skip
        body = {
            "version": 1,
            "candidate": {"name": f"v{run}", "branch": "main"},
            "results": results,
        }
        run_actions.add_run(made, body)


def pages(count: int, rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Return (wall, CPU of this process) of each page in milliseconds, warm."""
    from django.test import Client

    from tracehub.projects.models import User

    fill(count)
    tidied("VACUUM ANALYZE")
    browser = Client(headers={"host": "localhost"})
    browser.force_login(User.objects.get(email="bench@localhost"))
    base = f"/bench/evals/{SLUG}"
    asked = {
        "set": base,
        "set, draft": f"{base}?version=draft",
        "set, one kind": f"{base}?kind=format",
        "set, further rows": f"{base}?after={count // 2}",
        "coverage": f"{base}/coverage",
        "all sets": "/bench/evals",
        "run": f"{base}/runs/3",
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in asked}
    for turn in range(rounds + 2):
        for name, path in asked.items():
            begun, cpu = time.perf_counter(), time.process_time()
            answer = browser.get(path)
            took = time.perf_counter() - begun, time.process_time() - cpu
            assert answer.status_code == 200, (path, answer.status_code)
            if turn > 1:  # the first two warm
                found[name].append((took[0] * 1000, took[1] * 1000))
    return found


def export(format_name: str) -> dict[str, float]:
    """Write one format to nowhere; return seconds and the peak memory of this process in MB."""
    from tracehub.core.exports import Tally, find
    from tracehub.evals import querysets
    from tracehub.evals.models import EvalSet

    bundle = querysets.bundle(EvalSet.objects.select_related("project").get(slug=SLUG), 1)
    begun, cpu, size = time.perf_counter(), time.process_time(), 0
    for _, pieces in find(format_name).write(bundle, Tally()):
        size += sum(map(len, pieces))
    return {
        "seconds": time.perf_counter() - begun,
        "cpu": time.process_time() - cpu,
        "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "size": size / 1e6,
    }


@contextlib.contextmanager
def target() -> Iterator[str]:
    """An address that answers each POST after 50 ms."""
    ready, stop = threading.Event(), threading.Event()
    where = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = next(int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length"))  # fmt: skip
            await reader.readexactly(size)
            await asyncio.sleep(ANSWER_SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n"
                         b"Connection: close\r\n\r\n23 kg")  # fmt: skip
            await writer.drain()
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        where.append(server.sockets[0].getsockname()[1])
        ready.set()
        async with server:
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{where[0]}/"
    finally:
        stop.set()
        thread.join(10)


def run_cases() -> float:
    """Return how many times the ideal a run took: 1,000 cases, 20 at once, 50 ms each."""
    from tracehub.cli import runner, targets
    from tracehub.core import cases

    given = [
        cases.native(cases.read(content(n)), id=f"c_{n:04d}", set=SLUG, version=1,
                     created_at="2026-11-20T09:12:00.000000Z",
                     updated_at="2026-11-20T09:12:00.000000Z")
        for n in range(1, RUN_CASES + 1)
    ]  # fmt: skip
    with target() as url, tempfile.TemporaryDirectory() as folder:
        journal = runner.Journal(Path(folder) / "journal.jsonl")
        begun = time.perf_counter()
        runner.run(
            given, targets.Endpoint(url, 60.0, ""), None, runner.Plan(AT_ONCE, 1, 0), journal
        )
        took = time.perf_counter() - begun
    return took / (RUN_CASES / AT_ONCE * ANSWER_SECONDS)


def measured(folder: Path, count: int, rounds: int) -> dict[str, Any]:
    """Fill a database of our own and measure in processes apart."""
    import stand

    from tracehub.core.exports import FORMATS

    with stand.database(folder) as cluster:
        env = {**os.environ, **stand.prepared(cluster)}

        def ask(*given: str) -> Any:
            done = subprocess.run([sys.executable, *given], env=env, cwd=HERE.parent, check=True,
                                  stdout=subprocess.PIPE, text=True, timeout=480)  # fmt: skip
            return json.loads(done.stdout.splitlines()[-1]) if done.stdout.strip() else None

        size = ["--cases", str(count), "--rounds", str(rounds)]
        return {
            "pages": ask("bench/evals.py", "--pages", *size),
            "exports": {name: ask("bench/evals.py", "--export", name) for name in FORMATS},
            "run": ask("bench/evals.py", "--run"),
        }


def said(value: float, limit: float, unit: str) -> str:
    return f"{value:.1f} {unit}, {'within' if value <= limit else 'ABOVE'} {limit:g} {unit}"


def report(found: dict[str, Any], count: int) -> None:
    print(f"A set of {count:,} cases with three runs, wall and CPU of the web process")
    for name, times in found["pages"].items():
        wall, cpu = zip(*times, strict=True)
        print(
            f"  {name:20} p50 {statistics.median(wall):6.0f} ms  p95 {p95(wall):6.0f} ms"
            f"  CPU {statistics.median(cpu):6.0f} ms"
        )
    print(
        f"  the set's page: p95 {said(p95([t[0] for t in found['pages']['set']]), PAGE_MS, 'ms')}"
    )
    print("Exports of the whole version: seconds, peak memory of the process, size")
    for name, one in found["exports"].items():
        print(
            f"  {name:18} {said(one['seconds'], EXPORT_SECONDS, 's'):28}"
            f" {said(one['mb'], EXPORT_MB, 'MB'):32} {one['size']:6.1f} MB, CPU {one['cpu']:.1f} s"
        )
    print(f"A run of {RUN_CASES:,} cases, {AT_ONCE} at once, {ANSWER_SECONDS * 1000:g} ms each")
    print(f"  {said(found['run'], RUN_RATIO, 'times the ideal')}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--pages", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--export", help=argparse.SUPPRESS)
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.pages or options.export or options.run:
        import django

        django.setup()
        if options.pages:
            print(json.dumps(pages(options.cases, options.rounds)))
        else:
            print(json.dumps(run_cases() if options.run else export(options.export)))
        return
    made = Path(tempfile.mkdtemp(prefix="tracehub-evals-"))
    try:
        report(measured(made, options.cases, options.rounds), options.cases)
    finally:
        shutil.rmtree(made)


if __name__ == "__main__":
    main()
