"""What the ingestion benchmark prints: shapes, every target with what was found, the tables."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

import psycopg
from report_disk import Disk

MAIN = "20x4"  # 100 spans a request, 4 connections
SHARED = "20x8"  # of four connections one process often takes all, or all but one
CPU_BUDGET = (("web", "web", 0.12), ("Postgres", "pg", 0.12), ("worker", "worker", 0.16))
FIRST, LATER, SENDING = "cpu_per_1k", "cpu_later_per_1k", "cpu_sending"
Runs = list[dict[str, Any]]
Probe = tuple[int, Runs]  # spans in the tables, and what was measured then


def chosen(runs: Runs, shape: str, label: str) -> Runs:
    return [run for run in runs if run["shape"] == shape and run["label"] == label]


def rate(runs: Runs, shape: str, label: str) -> float:
    """Return the median of durable spans a second, 0 without a run."""
    return median(run["durable_spans_s"] or 0 for run in chosen(runs, shape, label))


def cpu(runs: Runs, part: str, phase: str = FIRST) -> float:
    """Return the median of CPU ms per span of the processes whose names begin so."""
    return median(sum(v for k, v in run[phase].items() if k.startswith(part)) for run in runs)


def median(values: Iterable[float]) -> float:
    known = list(values)
    return statistics.median(known) if known else 0.0


def shapes(runs: Runs) -> None:
    """Print each shape of both targets, and the ratio of their rates."""
    print(
        "| shape | target | durable spans/s | ratio | p50 ms | p99 ms | CPU s/1k web | worker "
        "| Postgres | disk B/span | WAL B/span | memory MB |"
    )
    print("|" + "---|" * 12)
    for shape in dict.fromkeys(run["shape"] for run in runs):
        base = rate(runs, shape, "reference")
        for label in ("reference", "tracehub"):
            group = chosen(runs, shape, label)
            if not group:
                continue
            own = rate(runs, shape, label)
            memory = median(sum(v for k, v in r["peak_mb"].items() if k != "pg") for r in group)
            p50, p99, disk, wal = (
                median(run[key] for run in group)
                for key in ("p50_ms", "p99_ms", "disk_bytes_per_span", "wal_bytes_per_span")
            )
            print(
                f"| {shape} | {label} | {own:.0f} | {own / max(1, base):.2f} | {p50:.1f} | "
                f"{p99:.1f} | {cpu(group, 'web'):.3f} | {cpu(group, 'worker'):.3f} | "
                f"{cpu(group, 'pg'):.3f} | {disk:.0f} | {wal:.0f} | {memory:.0f} |"
            )


def targets(
    runs: Runs,
    doubled: tuple[Runs, Runs],
    half: dict[str, float] | None,
    probes: Sequence[Probe],
    disk: Disk,
) -> None:
    """Print every row of the targets of ingestion with what was found."""
    print("\n| target | wanted | found | met |\n|---|---|---|---|")
    own = chosen(runs, MAIN, "tracehub")
    one, base = rate(runs, MAIN, "tracehub"), rate(runs, MAIN, "reference")
    row(
        "Durable spans/s, 100 spans x 4, one web process, by the reference", 0.5, one / max(1, base)
    )
    single, two = doubled
    if two:
        factor = rate(two, SHARED, "tracehub") / max(1, rate(single, SHARED, "tracehub"))
        row("Two web processes, by one, 8 connections", 1.6, factor, more=busy(two))
    for name, part, most in CPU_BUDGET:
        row(f"CPU ms per span, {name}", most, cpu(own, part), least=False)
    later = median(sum(run[LATER].values()) for run in own)
    row("CPU ms per span, second pass, all", 1.0, later, least=False)
    if half is not None:
        what = f"{half['rate'] * 5:.0f} spans/s; {half['failed']:.0f} failed"
        row(
            "p99 ms of a 5-span request at half the peak",
            25,
            half["p99_ms"],
            least=False,
            more=what,
        )
        what = f"{half['unseen']:.0f} not seen"
        row("Answer to visible, p95 s", 2, half["visible_p95_s"], least=False, more=what)
    text = median(run["wire_bytes_per_span"] for run in own)
    for part, search in (("search apart", False), ("search included", True)):
        kept = disk.total(search=search)
        what = f"{kept:.0f} B; {text:.0f} B sent"
        row(f"Disk per span, {part}, by what was sent", 1.3, kept / text, least=False, more=what)
    if probes:
        costs = [median(run["cpu_total_per_1k"] for run in each) for _, each in probes]
        what = f"{costs[0]:.3f} to {max(costs):.3f} ms, {probes[0][0]:,} to {probes[-1][0]:,} spans"
        row("CPU per span as the tables grow", 1.2, max(costs) / costs[0], least=False, more=what)


def row(what: str, wanted: float, found: float, *, least: bool = True, more: str = "") -> None:
    met = found >= wanted if least else found <= wanted
    sign = "≥" if least else "≤"
    said = f"{found:.3g}" + (f" ({more})" if more else "")
    print(f"| {what} | {sign} {wanted:g} | {said} | {'yes' if met else 'no'} |")


def growth(probes: Sequence[Probe]) -> None:
    """Print what a span cost at each size of the tables."""
    print("\n| spans stored | durable spans/s | CPU s/1k web | worker | Postgres | all |")
    print("|" + "---|" * 6)
    for spans, runs in probes:
        parts = " | ".join(f"{cpu(runs, part):.3f}" for part in ("web", "worker", "pg"))
        whole = median(run["cpu_total_per_1k"] for run in runs)
        print(f"| {spans:,} | {rate(runs, MAIN, 'tracehub'):.0f} | {parts} | {whole:.3f} |")


def busy(runs: Runs) -> str:
    """Return the cores that each part kept busy meanwhile: the limit where more web is no help."""
    spans = median(run["durable_spans_s"] or 0 for run in runs) / 1000
    used = {part: cpu(runs, part, SENDING) * spans for part in ("web", "pg", "worker")}
    parts = ", ".join(f"{part} {cores:.2f}" for part, cores in used.items())
    sender = median(run["loadgen_cpu_per_1k"] for run in runs) * spans
    return f"cores busy of {os.cpu_count()}: {parts}, sender {sender:.2f}"


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
            " avg(pg_column_size(payload)) FROM spans s"
        ).fetchone()
        trace = link.execute(
            "SELECT avg(pg_column_size(t.*)), avg(pg_column_size(contribution)),"
            " avg(pg_column_size(metadata)), avg(pg_column_size(input_preview)),"
            " avg(pg_column_size(output_preview)) FROM traces t"
        ).fetchone()
    print("\n| table | inserted | updated | HOT | dead | size |\n|---|---|---|---|---|---|")
    for row in rows:
        print("| " + " | ".join(map(str, row)) + " |")
    sizes("a span", ("row in heap", "facts", "payload"), span)
    sizes("a trace", ("row in heap", "contribution", "metadata", "input", "output"), trace)


def sizes(what: str, names: tuple[str, ...], values: tuple[Any, ...] | None) -> None:
    pairs = zip(names, values or (), strict=True)
    print(f"\nBytes {what}: " + ", ".join(f"{name} {value:.0f}" for name, value in pairs))
