"""Reading: server time of whole responses, p95 over varied queries, beside the targets.

  python bench/read.py [--traces 1000000] [--data DIR] [--small DIR] [--rounds 5] [--keep]

Loads traces into embedded databases (bench/load_traces.py), a tenth of them into a second one for
the ratio, and asks a web process for the parts that the Traces page is made of and for single
traces, warm: middleware, view, queries, template and compression, on this machine. Then looks at
the page in Chromium (bench/in_chromium.py). Some minutes once the traces are there; with --keep
they stay for the next run.
"""

from __future__ import annotations

import argparse
import gc
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import in_chromium  # noqa: E402
import tracegen  # noqa: E402
from pages import Get, signed_in  # noqa: E402
from stand import p95  # noqa: E402

FILTERS = (
    "model:gpt-4o",
    "model:o3",
    "is:failing",
    "is:failing model:mistral-large",
    "env:staging cohort:canary",
    "prompt:refund@v11 cohort:canary",
    "prompt:refund@v3",
    "prompt:refund signal:schema_error",
    "user:u_17",
    "user:u_1999 model:gpt-4o",
    "session:s-200",
    "tag:needle",
    "tag:needle is:failing",
    "meta.tenant:12",
    "model:gpt-4o env:production cohort:control tag:lang:sv",
    "user:nobody",
    "latency:>20s",
    "-model:gpt-4o is:failing",
)
SORTS = ("-latency", "latency", "-cost", "cost", "-tokens")
# Phoenix and MLflow of performance.md, at their own sizes: p50 / p95 in ms.
PEERS = {
    "trace15": "Phoenix 20 / 29; MLflow 11 / 57 at 31 k (5 spans)",
    "first": "Phoenix 685 / 1,018; MLflow 10 / 17 at 31 k",
    "filters": "Phoenix 4,486; MLflow 281 / 433 at 31 k",
    "page200": "Phoenix 637 / 1,448",
    "sorted": "Phoenix 1,264 / 1,381; MLflow 16 / 26 at 31 k",
    "text": "Phoenix 4,334; MLflow 275 / 329 at 31 k",
}
TARGETS = {
    "first": ("First page, newest first", 40),
    "filters": ("First page with 1-4 filters, common or rare", 80),
    "page200": ("Page 200 by keyset", 40),
    "sorted": ("Sorted by latency, cost or tokens", 150),
    "facets": ("Facets and histogram of a filtered result", 250),
    "unfiltered": ("Facets and histogram, no filter", 80),
    "histogram": ("Histogram alone, 14 days", 80),
    "text": ("Text, rare word or none", 200),
    "trace15": ("One trace of 15 spans", 60),
    "trace2000": ("One trace of 2,000 spans", 400),
}
WARM = 20  # pages before anything is measured
RATIO = 1.5  # of the times at a tenth of the traces
# What Chromium sees.
KEY_MS, ROWS_MS, FIRST_KB, FIRST_REQUESTS = 50, 300, 60, 3


def measure(rounds: int) -> dict[str, Any]:
    """Return times in ms by name, for the database of DATABASE_URL. Needs `django.setup`."""

    from tracehub.projects.models import Membership, Project, User

    project = Project.objects.get(slug="bench")
    user, _ = User.objects.get_or_create(email="bench@example.com")
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": "reviewer"})
    with signed_in(user) as get:
        found = answered(get, project, rounds)
    seen = in_chromium.traces(user, "/bench/traces?from=30d", rounds)
    return {**found, "seen": seen}


def answered(get: Get, project: Any, rounds: int) -> dict[str, Any]:
    """Return times in ms by name, and by what was asked."""
    from datetime import UTC, datetime, timedelta

    from tracehub.core.query import parse
    from tracehub.traces import facets
    from tracehub.traces.extent import Range

    def page(query: dict[str, str], path: str = "", **headers: str) -> float:
        return get(f"/bench/traces{path}", query, headers)

    content = {"hx-request": "true", "hx-target": "main#main"}
    rows = {"hx-request": "true", "hx-target": "footer#foot"}
    counts = {"hx-request": "true", "hx-target": "div#histogram"}
    month = {"from": "30d"}
    for _ in range(WARM):
        page(month)
    detail: dict[str, list[float]] = {}

    def timed(name: str, what: str, call: Callable[[], float]) -> None:
        call()  # warm
        times = [call() for _ in range(rounds)]
        results.setdefault(name, []).extend(times)
        detail[f"{name} {what}"] = [round(statistics.median(times), 1), round(max(times), 1)]

    results: dict[str, list[float]] = {}
    for since in ("24h", "7d", "30d"):
        timed("first", since, lambda since=since: page({"from": since}))
    for q in FILTERS:
        timed("filters", q, lambda q=q: page({"q": q, **month}, **content))
    cursor = deep(project, pages=200)
    timed("page200", "", lambda: page({"cursor": cursor, **month}, **rows))
    for sort in SORTS:
        timed("sorted", sort, lambda sort=sort: page({"sort": sort, **month}, **rows))
        timed(
            "sorted",
            f"{sort} failing",
            lambda sort=sort: page({"sort": sort, "q": "is:failing", **month}, **rows),
        )
        timed(
            "sorted",
            f"{sort} rare",
            lambda sort=sort: page({"sort": sort, "q": "tag:needle", **month}, **rows),
        )
    for q in FILTERS:
        timed("facets", q, lambda q=q: page({"q": q, "counts": "1", **month}, **counts))
    for since in ("24h", "7d", "30d"):
        timed(
            "unfiltered", since, lambda since=since: page({"from": since, "counts": "1"}, **counts)
        )
    gc.freeze()  # as a web process does, or a look through all that is loaded takes 100 ms
    now = datetime.now(UTC)
    fortnight = Range(project, now - timedelta(days=14), now)
    for q in ("", "is:failing", "model:gpt-4o"):

        def histogram(q: str = q) -> float:
            began = time.perf_counter()
            facets.histogram(fortnight, parse(q))
            return (time.perf_counter() - began) * 1000

        timed("histogram", q, histogram)
    rare = re.findall(r"Order #(\d+)", tracegen.corpus())
    for q in (*rare[10:13], f"output:{rare[40]}", "zzyzzyva", "input:nowhere", '"no such words"'):
        timed("text", q, lambda q=q: page({"q": q, **month}, **content))
    for spans in (15, 2000):
        path = f"/{spans:032x}"
        timed(f"trace{spans}", "", lambda path=path: page({}, path))
    return {"results": results, "detail": detail}


def deep(project: Any, pages: int) -> str:
    """Return the cursor of a page far down the list of a month."""
    from datetime import UTC, datetime, timedelta

    from tracehub.traces.models import Trace
    from tracehub.traces.querysets import cursor_at
    from tracehub.web.traces import PAGE_SIZE

    now = datetime.now(UTC)
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=30), now).newest_first()
    moment = rows.values_list("started_at", flat=True)[PAGE_SIZE * pages]
    return cursor_at(moment, falling=True)


def run(folder: Path, traces: int, rounds: int) -> dict[str, Any]:
    """Load `traces` rows into `folder` unless they are there, and measure in a process apart."""
    import stand

    if not (folder / "postgres.json").exists():
        load = [
            sys.executable,
            str(HERE / "load_traces.py"),
            "--data",
            str(folder),
            "--traces",
            str(traces),
        ]
        subprocess.run(load, check=True)
    with stand.database(folder) as cluster:
        return stand.measured("read.py", cluster, rounds=rounds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--small", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--detail", action="store_true")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        import django

        django.setup()
        print(json.dumps(measure(options.rounds)))
        return
    made = Path(tempfile.mkdtemp(prefix="tracehub-read-"))
    try:
        small = run(options.small or made / "small", options.traces // 10, options.rounds)
        large = run(options.data or made / "large", options.traces, options.rounds)
    finally:
        if not options.keep:
            shutil.rmtree(made)
    report(small, large, options.traces)
    if options.detail:
        for name, (median, most) in sorted(large["detail"].items(), key=lambda one: -one[1][1]):
            print(f"{name:60} {median:8.1f} {most:8.1f}")


def report(small: dict[str, Any], large: dict[str, Any], traces: int) -> None:
    print(
        f"| ms, whole response, {traces:,} traces | p50 | p95 | target | ratio to a tenth | peers |"
    )
    print("|" + "---|" * 6)
    for name, (title, target) in TARGETS.items():
        times, fewer = large["results"][name], small["results"][name]
        ratio = statistics.median(times) / statistics.median(fewer)
        print(
            f"| {title} | {statistics.median(times):.0f} | {p95(times):.0f} | {target}"
            f" | {ratio:.2f} | {PEERS.get(name, '')} |"
        )
    print(f"\nThe first page and the list grow by at most {RATIO} from a tenth of the traces on.")
    seen = large["seen"]
    print("| In Chromium | p50 | p95 | target |\n|---|---|---|---|")
    for title, name, target in (
        ("Key `j` to paint, ms", "key", KEY_MS),
        ("Filter to new rows, ms", "rows", ROWS_MS),
    ):
        times = seen[name]
        print(f"| {title} | {statistics.median(times):.0f} | {p95(times):.0f} | {target} |")
    size = seen["received"] / 1000
    print(f"| First page, cache warm, KB | {size:.0f} | | {FIRST_KB} |")
    print(f"| First page, cache warm, requests | {seen['requests']} | | {FIRST_REQUESTS} |")


if __name__ == "__main__":
    main()
