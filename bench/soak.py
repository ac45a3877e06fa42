"""Hours in short: single traces at half the peak for `--minutes`; do memory and latency stay flat?

  python bench/soak.py [--minutes 30] [--rate TRACES_A_SECOND]

Web, worker, beat and an embedded PostgreSQL with fsync, as an installation has them. Without
`--rate` a closed loop of 4 connections finds the peak first. Prints a row each minute (latency from
the time a request should have gone out, until a trace stands in the list, memory and open files of
each process) and then the slope of each by least squares, the first third left out as warming up.
30 minutes on two cores leave about 10 GB behind until the end, in the folder for temporary files.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import loadgen
import procstat
import psutil
import psycopg
import stand
import steady
import tracegen
from ingest import Bench

MINUTE = 60.0
PEAK = "1x4"  # one trace a request, 4 connections: the shape of the soak
LOOK_EVERY = 5.0  # seconds
STUCK = """
    SELECT count(*) FROM pg_stat_activity
    WHERE state LIKE 'idle in transaction%' AND now() - state_change > interval '5 s'
"""
# A process may gain this much a hour; a fault of 24 hours shows in 30 minutes above the noise.
MOST_MB_AN_HOUR = 30.0
MOST_SLOWER = 1.5  # the last third's p99 by the first's


class Minute(NamedTuple):
    """What one minute of load found; memory in MB and open files by process."""

    load: dict[str, float]
    memory: dict[str, float]
    files: dict[str, int]
    stuck: int


class Looks(threading.Thread):
    """Looks at the processes every few seconds until `finish`."""

    def __init__(self, processes: dict[str, int], url: str) -> None:
        super().__init__(daemon=True)
        self.processes, self.url = processes, url
        self.memory: dict[str, list[float]] = {name: [] for name in processes}
        self.stuck = 0
        self._end = threading.Event()

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as link:
            while not self._end.wait(LOOK_EVERY):
                for name, pid in self.processes.items():
                    self.memory[name].append(procstat.mem_mb(pid))
                self.stuck += link.execute(STUCK).fetchone()[0]

    def finish(self) -> tuple[dict[str, float], dict[str, int], int]:
        """Return the median of memory, the open files now, and transactions that were left."""
        self._end.set()
        self.join()
        memory = {name: statistics.median(seen) for name, seen in self.memory.items() if seen}
        files = {
            name: psutil.Process(pid).num_fds()
            for name, pid in self.processes.items()
            if name != "pg"
        }
        return memory, files, self.stuck


def slope(values: list[float]) -> float:
    """Return by how much a value grows an hour, by least squares over its minutes."""
    if len(values) < 2:
        return 0.0
    return float(statistics.linear_regression(range(len(values)), values).slope) * 60


def run(place: stand.Stand, processes: dict[str, int], rate: float, minutes: int) -> list[Minute]:
    """Load for so many minutes; the requests of each are made before it begins."""
    found = []
    print("| minute | p50 ms | p99 ms | listed p95 s | failed | MB " + " ".join(processes), end="")
    print(" | files | stuck |\n|" + "---|" * 8)
    for number in range(minutes):
        tracegen.BASE_NS = time.time_ns() - int(MINUTE * 1e9)
        seed = (int(time.time()) + number) & 0x3FFFFF
        loop = steady.Loop(place.targets()["tracehub"], rate, MINUTE, seed)
        looks = Looks(processes, place.admin_url)
        looks.start()
        load = loop.run()
        found.append(Minute(load, *looks.finish()))
        show(number + 1, found[-1])
    return found


def show(number: int, one: Minute) -> None:
    load = one.load
    memory = " ".join(f"{value:.1f}" for value in one.memory.values())
    files = " ".join(str(value) for value in one.files.values())
    print(
        f"| {number} | {load['p50_ms']:.1f} | {load['p99_ms']:.1f} | {load['visible_p95_s']:.2f} "
        f"| {load['failed']:.0f} | {memory} | {files} | {one.stuck} |",
        flush=True,
    )


def report(found: list[Minute]) -> None:
    """Print each slope, and whether it is flat."""
    rest = found[len(found) // 3 :]
    print(f"\nAfter {len(found) - len(rest)} minutes of warming up, in {len(rest)} minutes:")
    for name in rest[0].memory:
        grows = slope([one.memory[name] for one in rest])
        # PostgreSQL fills its shared memory with what it read, up to its setting.
        bound = "" if name == "pg" else f", {verdict(grows, MOST_MB_AN_HOUR)} MB an hour"
        print(f"  memory of {name}: {grows:+.1f} MB an hour{bound}")
    for name in rest[0].files:
        seen = [one.files[name] for one in rest]
        print(f"  open files of {name}: {min(seen)} to {max(seen)}")
    third = max(1, len(rest) // 3)
    early = statistics.median(one.load["p99_ms"] for one in rest[:third])
    late = statistics.median(one.load["p99_ms"] for one in rest[-third:])
    ratio = late / early if early else 0.0
    print(f"  p99: {early:.1f} ms, then {late:.1f} ms, {verdict(ratio, MOST_SLOWER)} times")
    print(f"  p99 by minutes: {slope([one.load['p99_ms'] for one in rest]):+.1f} ms an hour")
    for name in ("failed", "unseen"):
        print(f"  requests {name}: {sum(one.load[name] for one in found):.0f}, wanted 0")
    print(f"  transactions left open: {sum(one.stuck for one in found)}, wanted 0")


def verdict(value: float, most: float) -> str:
    return f"{'within' if value <= most else 'ABOVE'} {most:g}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=int, default=30)
    parser.add_argument("--rate", type=float, help="traces a second; half the peak by default")
    options = parser.parse_args()
    tracegen.SPREAD_NS = int(MINUTE * 1e9)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tracehub-soak-")))
        place = stand.Stand(folder, stack, reference=False)
        beat = place.add_beat(folder)
        rate = options.rate or half_of_peak(place)
        print(f"{rate:.0f} traces of {loadgen.SPANS} spans a second for {options.minutes} minutes")
        processes = {"web": place.webs[0], "worker": place.worker, "beat": beat}
        watched = {**processes, "pg": place.postmaster}
        report(run(place, watched, rate, options.minutes))


def half_of_peak(place: stand.Stand) -> float:
    """Return half of the traces a second that a closed loop gets through."""
    bench = Bench(place, 0, 120)
    runs: list[dict[str, Any]] = [bench.one("tracehub", PEAK, 1_500) for _ in range(2)]
    peak = runs[-1]["durable_spans_s"] or runs[-1]["accepted_spans_s"]
    print(f"The peak is {peak} spans a second.", file=sys.stderr)
    return max(1.0, peak / 2 / loadgen.SPANS)


if __name__ == "__main__":
    main()
