"""Jobs on many stored traces: how long they take, and that a worker's death costs nothing.

  python bench/jobs.py --data DIR [--traces 100000] [--only label,export,recheck,reprice]

On the traces that bench/load_traces.py has put into DIR, with a worker and beat as `tracehub up`
starts them. Marks so many traces and takes it back, exports them in each format, looks at all
traces again and prices all calls anew; kills the worker with SIGKILL when a job is at a third. The
traces are as before at the end; rows have moved.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import stand  # noqa: E402

BEAT = "celery -A tracehub.celery -q beat --pidfile= -l warning -s"
SHOWN = 10.0  # seconds between two lines of progress
PARTS = ("label", "export", "recheck", "reprice")


class Crew:
    """A worker and beat; the worker can be killed and is started again."""

    def __init__(self, folder: Path) -> None:
        self.env = {**os.environ, "TRACEHUB_RETENTION_DAYS": "400"}
        beat = [sys.executable, "-m", *BEAT.split(), str(folder / "bench-schedule")]
        self.beat = subprocess.Popen(beat, env=self.env, cwd=HERE.parent)
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", *stand.WORKER.split()]
        self.worker = subprocess.Popen(command, env=self.env, cwd=HERE.parent)

    def kill(self) -> None:
        self.worker.send_signal(signal.SIGKILL)
        self.worker.wait()
        print("    the worker was killed", flush=True)
        self.start()

    def end(self) -> None:
        for child in (self.beat, self.worker):
            child.terminate()
        for child in (self.beat, self.worker):
            child.wait(90)


def follow(
    name: str, job: Any, crew: Crew, share: Callable[[Any], float], *, kill: bool = True
) -> float:
    """Wait for a job, tell how far it is, kill the worker at a third; return seconds."""
    began = told = time.monotonic()
    while job.finished_at is None:
        time.sleep(0.5)
        job.refresh_from_db()
        now = time.monotonic()
        if kill and share(job) > 1 / 3:
            crew.kill()
            kill = False
        if now - told > SHOWN:
            told = now
            print(f"    {share(job):4.0%} after {now - began:.0f} s", flush=True)
    took = time.monotonic() - began
    print(f"  {name}: {took:.0f} s", flush=True)
    return took


def idle() -> float:
    """Wait until no trace waits for the worker; return seconds."""
    from tracehub.digest import store

    began = told = time.monotonic()
    while waiting := store.lag(store.driver_cursor())[0]:
        time.sleep(0.5)
        if time.monotonic() - told > SHOWN:
            told = time.monotonic()
            print(f"    {waiting:,} traces wait", flush=True)
    return time.monotonic() - began


def span_of(project: Any, traces: int) -> tuple[Any, Any]:
    """Return a range that begins with the newest `traces` traces, and the end of all."""
    from django.utils import timezone

    from tracehub.traces.models import Trace

    now = timezone.now()
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=60), now).newest_first()
    return rows.values_list("started_at", flat=True)[traces - 1], now


def label(project: Any, user: Any, crew: Crew, traces: int) -> None:
    from tracehub.core.query import parse
    from tracehub.digest.bulk import actions
    from tracehub.review.models import Review
    from tracehub.traces.extent import Range

    start, now = span_of(project, traces)
    before = standing(Review, project)
    job = actions.start(Range(project, start, now), parse(""), "review", {"verdict": "pass"},
                        by=user)  # fmt: skip
    follow("marking", job, crew, lambda j: j.traces / max(1, j.expected))
    print(f"  {job.changed:,} of {job.traces:,} marked; rows up to date {idle():.0f} s later")
    assert standing(Review, project) == before + job.changed, "one was marked twice or not at all"
    marked = job.changed
    actions.undo(job)
    job.refresh_from_db()
    follow("undo", job, crew, lambda j: 1 - j.changed / marked)
    print(f"  rows up to date {idle():.0f} s later")
    assert standing(Review, project) == before


def standing(reviews: Any, project: Any) -> int:
    return int(reviews.objects.filter(project=project, withdrawn_at=None).count())


def export(project: Any, user: Any, crew: Crew, traces: int) -> None:
    from tracehub.core.query import parse
    from tracehub.digest.bulk import actions, files
    from tracehub.traces.extent import Range

    start, now = span_of(project, traces)
    for kind in ("csv", "jsonl", "parquet"):
        job = actions.start(Range(project, start, now), parse(""), "export", {"format": kind},
                            by=user)  # fmt: skip
        follow(f"export as {kind}", job, crew, lambda j: j.traces / max(1, j.expected))
        size = files.path_of(job).stat().st_size
        print(f"  {job.traces:,} traces, {size / 1e6:.0f} MB, {job.error or 'whole'}")
        files.forget(job)


def recheck(project: Any, user: Any, crew: Crew, traces: int) -> None:
    from tracehub.digest import recheck

    job = recheck.start(project, "bench", days=90)
    print(f"  {job.total or 0:,} traces to look at")
    follow("looking again", job, crew, lambda j: j.share)
    print(f"  {job.traces:,} handed over; rows up to date {idle():.0f} s later")


def reprice(project: Any, user: Any, crew: Crew, traces: int) -> None:
    from tracehub.digest import repricing
    from tracehub.projects import prices

    since = (datetime.now() - timedelta(days=90)).date()
    made = prices.set_price(project, "gemini-2.0-flash", since, by=user, input=Decimal(1),
                            output=Decimal(2))  # fmt: skip
    for name in ("new prices", "old prices"):
        job = repricing.start(project, since)
        days = (job.until - job.since).days + 1
        follow(name, job, crew, lambda j, n=days: (j.day - j.since).days / n)
        print(f"  {job.changed:,} calls of {job.traces:,} traces; up to date {idle():.0f} s later")
        if name == "new prices":
            prices.remove_price(made, by=user)


def measure(folder: Path, traces: int, parts: list[str]) -> None:
    from tracehub.projects.models import Membership, Project, User

    project = Project.objects.get(slug="bench")
    user, _ = User.objects.get_or_create(email="bench@example.com")
    Membership.objects.get_or_create(project=project, user=user, defaults={"role": "reviewer"})
    crew = Crew(folder)
    try:
        for part in parts:
            print(f"{part}, {traces:,} traces", flush=True)
            globals()[part](project, user, crew, traces)
    finally:
        crew.end()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--traces", type=int, default=100_000)
    parser.add_argument("--only", default=",".join(PARTS))
    options = parser.parse_args()
    with stand.database(options.data) as cluster:
        os.environ.update(stand.prepared(cluster))
        import django

        django.setup()
        measure(options.data, options.traces, options.only.split(","))


if __name__ == "__main__":
    main()
