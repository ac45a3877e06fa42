"""Traces for reading benchmarks: spans straight by COPY, and all else by the worker's own code.

  python bench/load_traces.py --data DIR [--traces 1000000] [--days 30] [--seed 1] [--jobs 2]

Makes an embedded database in DIR, or fills the one that is there. Spans are what ingestion would
have stored (bench/made_spans.py); then `digest_traces` makes rows, terms, counts, failures and
rollups of them, as the worker does. Four of five traces are copies of such ones, with the minute
kept, so that all counts are exact (bench/grow.py). Spread over the days before now with a daily
wave. Among them: twelve versions of a prompt that follow each other, a cohort that they rarely
meet in (v11 and canary), 2,000 users, sessions of five, a tag on 1 in 100,000, reviews of 1 in
50, one trace of 15 spans and one of 2,000 (their ids are these numbers). A million in about 15
minutes on two cores.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

BATCH = 500  # traces in one transaction
FOLD_EVERY = 20  # batches
LONG = (15, 2000)  # spans
ARRIVED = "COPY arrivals (project_id, trace_id, day, dirty_seq, dirty_at) FROM STDIN"
ANALYZED = "traces, spans, arrivals, trace_texts, term_counts, rollups, rollup_histograms"


def load(first: int, last: int, total: int, days: int, seed: int, now: datetime) -> None:
    """Store the traces [first, last) of `total` in the database of DATABASE_URL."""
    from django.db import connection
    from made_spans import moments, trace

    from tracehub.metrics import rollup
    from tracehub.projects.models import Project

    project_id = Project.objects.get(slug="bench").pk
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
    r = random.Random(seed * total + first)
    coming = moments(first, last, total, days, now, r)
    for turn in range(-(-(last - first) // BATCH)):
        batch = islice(coming, BATCH)
        store([trace(r, project_id, n, at, 1 - n / total) for n, at in batch], project_id)
        if turn % FOLD_EVERY == 0:
            rollup.fold_all()
            done = (turn + 1) * BATCH
            took = time.monotonic() - began
            print(f"{first:,}: {done:,} in {took:.0f} s", file=sys.stderr, flush=True)


def fold_the_rest() -> None:
    """Fold until no delta is left; `fold_all` alone returns when another folder is at work."""
    from tracehub.digest.store import unfolded
    from tracehub.metrics import rollup

    while unfolded():
        rollup.fold_all(most=1000)


def store(made: Sequence[Any], project_id: int) -> None:
    """Store traces as if they had arrived when they began and the worker had looked at them."""
    from django.db import transaction

    from tracehub.digest.actions import digest_traces
    from tracehub.digest.store import Claimed, driver_cursor
    from tracehub.review.models import Review

    claimed = [Claimed(project_id, one.trace_id, one.at.date(), 0) for one in made]
    with transaction.atomic():
        cursor = driver_cursor()
        with cursor.copy(ARRIVED) as copy:
            for one in claimed:
                copy.write_row((project_id, one.trace_id, one.day, None, None))
        copy_spans(cursor, ((one.at.date(), row) for one in made for row in one.rows))
        Review.objects.bulk_create(
            Review(project_id=project_id, trace_id=one.trace_id, author_key="bench",
                   verdict=one.verdict, created_at=one.at)
            for one in made if one.verdict
        )  # fmt: skip
        digest_traces(claimed)


def copy_spans(cursor: Any, rows: Iterable[tuple[date, Any]]) -> None:
    from tracehub.traces.store import COPY_SPANS, COPY_TYPES

    with cursor.copy(COPY_SPANS) as copy:
        copy.set_types(COPY_TYPES)
        for day, row in rows:
            copy.write_row((row.project_id, day, *row[1:]))


def finish(url: str, now: datetime, times: int) -> None:
    """Copy, add the long traces, take back the second looks that were asked for, and tidy up."""
    import grow
    import psycopg
    from made_spans import long_trace

    from tracehub.projects.models import Project

    fold_the_rest()
    grow.multiply(url, times)
    project_id = Project.objects.get(slug="bench").pk
    store([long_trace(project_id, n, now - timedelta(hours=3)) for n in LONG], project_id)
    fold_the_rest()
    with psycopg.connect(url, autocommit=True) as link:
        link.execute("TRUNCATE second_looks")
        for table in ANALYZED.split(", "):
            link.execute(f"VACUUM (ANALYZE) {table}")
        link.execute("CHECKPOINT")
        size = link.execute("SELECT pg_size_pretty(pg_database_size(current_database()))")
        print(f"{size.fetchone()[0]} in the database", file=sys.stderr, flush=True)


def partitions(url: str, first: date, last: date) -> None:
    import psycopg

    with psycopg.connect(url, autocommit=True) as link:
        while first <= last:
            until = min(last, first + timedelta(days=9))
            link.execute("SELECT tracehub_ensure_partitions(%s, %s)", (first, until))
            first = until + timedelta(days=1)


def fill(cluster: Any, options: argparse.Namespace) -> None:
    """Migrate, make the project `bench` and load traces into it, by several processes."""
    import stand

    env = stand.prepared(cluster)
    os.environ.update(env)
    import django

    django.setup()
    from made_spans import now as clock

    from tracehub.projects.models import Project

    stand.ingest_key(env)
    Project.objects.filter(slug="bench").update(retention_days=365)
    now, admin = clock(), cluster.superuser_url("tracehub")
    partitions(admin, now.date() - timedelta(days=options.days + 1), now.date() + timedelta(days=1))
    traces = options.traces // options.copies
    bounds = [traces * n // options.jobs for n in range(options.jobs + 1)]
    began = time.monotonic()
    jobs = [
        subprocess.Popen([
            sys.executable, __file__, "--data", str(options.data), "--days", str(options.days),
            "--traces", str(traces), "--seed", str(options.seed),
            "--part", str(first), str(last), now.isoformat(),
        ])
        for first, last in pairwise(bounds)
    ]  # fmt: skip
    ended = [job.wait() for job in jobs]
    if any(ended):
        raise SystemExit("A part of the load failed; see above.")
    finish(admin, now, options.copies)
    print(f"done in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--copies", type=int, default=5, help="of each trace that was digested")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--part", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        import django

        django.setup()
        first, last, now = options.part
        load(int(first), int(last), options.traces, options.days, options.seed,
             datetime.fromisoformat(now))  # fmt: skip
        return
    import stand

    options.data.mkdir(parents=True, exist_ok=True)
    with stand.database(options.data) as cluster:
        fill(cluster, options)


if __name__ == "__main__":
    main()
