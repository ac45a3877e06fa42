"""Ingestion against the bare ASGI + COPY reference, interleaved in one run: the ratios count.

  python bench/ingest.py [--shapes 1x1,1x4,20x4,100x4] [--traces 2000] [--repeat 2] [--grow 200000]

A shape is traces per request x connections; a trace is 5 spans of 2.1 KB and began within the
last minute, as it would when an application sends it. Both write to one embedded PostgreSQL with
fsync on. Prints durable spans/s, latency, CPU seconds per 1,000 spans of web, worker and Postgres
(until lists and signals are right; the second pass apart), bytes on disk by table and part, how
the tables fared, and every target: two web processes, small requests at half the peak load, traces
that become visible meanwhile, and the cost of a span as the tables grow to `--grow` spans, measured
at sizes between (5000000 takes 20 minutes and 15 GB).
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grow
import ingest_report as report
import loadgen
import report_disk
import stand
import steady
import tracegen

MINUTE_NS = 60 * 10**9
SHAPES = "1x1,1x4,20x4,100x4"
MAIN = report.MAIN
GROWN = 10_000  # spans that tell what one costs in small and in large tables
SIZES = (100_000, 500_000, 1_000_000, 2_000_000, 5_000_000)  # spans at which that is measured


def arguments(**chosen: Any) -> argparse.Namespace:
    defaults: dict[str, Any] = {
        "header": [],
        "project": "bench",
        "watch": [],
        "count_pg": None,
        "backoff": 0.2,
        "count_sql": "select count(*) from spans",
        "settle": 1.5,
        "first": None,
        "second": None,
        "max_seconds": 60,
        "durable_timeout": 60,
        "gzip": False,
        "format": "pb",
    }
    return argparse.Namespace(**{**defaults, **chosen})


class Bench:
    """The runs of one benchmark. What is not begun when the time is up is left out."""

    def __init__(self, place: stand.Stand, traces: int, seconds: float) -> None:
        self.place, self.traces = place, traces
        self.end = time.monotonic() + seconds
        self.seed = int(time.time()) & 0x3FFFFF

    @property
    def late(self) -> bool:
        return time.monotonic() > self.end

    def one(self, name: str, shape: str, traces: int) -> dict[str, Any]:
        """Send traces to one target and return what it took."""
        per, connections = map(int, shape.split("x"))
        self.seed += 1
        tracegen.BASE_NS = time.time_ns() - MINUTE_NS
        chosen: dict[str, Any] = {"per_request": per, "concurrency": connections, "seed": self.seed}
        target = self.place.targets()[name]
        if name == "tracehub":  # one run does not pay for another, and CPU is counted by pass
            chosen["first"] = self.place.wait_idle
            chosen["second"] = functools.partial(self.place.wait_idle, looked=True)
        result = loadgen.run(arguments(traces=traces, label=name, **chosen, **target))
        run = {**result, "shape": shape}
        print(json.dumps(run), file=sys.stderr, flush=True)
        return run

    def shapes(self, names: list[str], repeat: int, targets: tuple[str, ...]) -> report.Runs:
        """Run all shapes in turns; the first round warms up and is not counted."""
        runs: report.Runs = []
        for number in range(repeat + 1):
            for shape in names:
                per, connections = map(int, shape.split("x"))
                asked = self.traces if per > 1 else self.traces // 4
                traces = max(per * connections * 2, asked)
                for name in targets:
                    if self.late and runs:
                        return runs
                    found = self.one(name, shape, traces)
                    if number:
                        runs.append(found)
        return runs

    def half_load(self, peak: float, seconds: float) -> dict[str, float] | None:
        """Send single traces at half the peak (in spans a second)."""
        if self.late:
            return None
        self.seed += 1
        tracegen.BASE_NS = time.time_ns() - MINUTE_NS
        rate = max(1.0, peak / 2 / loadgen.SPANS)
        return steady.Loop(self.place.targets()["tracehub"], rate, seconds, self.seed).run()

    def doubled(self, repeat: int) -> tuple[report.Runs, report.Runs]:
        """Run the same with one web process, and with two, over connections that both share."""
        if self.late:
            return [], []
        one = self.shapes([report.SHARED], repeat, ("tracehub",))
        self.place.add_web()
        return one, self.shapes([report.SHARED], repeat, ("tracehub",))

    def growth(self, spans: int) -> list[report.Probe]:
        """Return what a span costs at each size of the tables up to so many spans."""
        probes: list[report.Probe] = []
        if self.late or not spans:
            return probes
        for size in [*(each for each in SIZES if each < spans), spans]:
            have = grow.fill(self.place.admin_url, size)
            self.one("tracehub", MAIN, GROWN // loadgen.SPANS // 4)  # what is cold after the fill
            probes.append((have, [self.one("tracehub", MAIN, GROWN // loadgen.SPANS)]))
        return probes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shapes", default=SHAPES)
    parser.add_argument("--traces", type=int, default=2000)
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--steady", type=float, default=15, help="seconds at half the peak load")
    parser.add_argument("--grow", type=int, default=200_000, help="spans in the tables at the end")
    parser.add_argument("--seconds", type=float, default=300, help="nothing is begun after these")
    parser.add_argument("--no-worker", action="store_true")
    options = parser.parse_args()
    tracegen.SPREAD_NS = MINUTE_NS
    both = ("reference", "tracehub")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tracehub-bench-"))
        place = stand.Stand(Path(folder), stack, worker=not options.no_worker)
        place.add_beat(Path(folder))
        bench = Bench(place, options.traces, options.seconds)
        names = list(dict.fromkeys([*options.shapes.split(","), MAIN, "1x4"]))
        runs = bench.shapes(names, options.repeat, both)
        half = bench.half_load(report.rate(runs, "1x4", "tracehub"), options.steady)
        one, two = bench.doubled(options.repeat)
        probes = bench.growth(options.grow)
        report.shapes(runs)
        disk = report_disk.by_table(place.admin_url)
        report.targets(runs, (one, two), half, probes, disk)
        report.growth(probes)
        report_disk.show(disk)
        report.tables(place.admin_url)


if __name__ == "__main__":
    main()
