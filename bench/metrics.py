"""The Metrics page: server time of whole responses over 90 days, and coverage of the intervals.

  python bench/metrics.py [--traces 1000000] [--rounds 15]

Adds what `traces` traces of 90 days count to the rollups of an embedded database, in 120
combinations of dimensions, and asks a web process for the pages, warm; looks when Chromium has
painted the first chart. Then draws pairs of groups that do not differ and counts how often the 95 %
intervals hold zero. About six minutes for a million.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import in_chromium  # noqa: E402
from pages import signed_in  # noqa: E402
from stand import measured_apart, p95, tidied  # noqa: E402

DAYS = 90
TARGET_MS = 150.0
PAINT_MS = 1000.0
CHUNK = 20_000
PAGES = {
    "all": {},
    "by cohort": {"group": "cohort"},
    "by model": {"group": "model"},
    "by prompt": {"group": "prompt"},
    "canary only": {"q": "cohort:canary"},
    "one model": {"q": "model:gpt-4o"},
    "canary, by model": {"q": "cohort:canary env:production", "group": "model"},
}


def fill(project_id: int, traces: int) -> None:
    """Add the contributions of `traces` traces, a day's worth of keys at a time."""
    from datetime import UTC, datetime, timedelta
    from decimal import Decimal

    from django.db import connection, transaction

    from tracehub.core import rollup as core
    from tracehub.core.trace import Tokens
    from tracehub.metrics import rollup

    draw = random.Random(5)
    first = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    first -= timedelta(days=DAYS - 1)
    combinations = [
        (name, env, cohort, release)
        for name in ("support", "summary", "router")
        for env in ("production", "staging")
        for cohort in ("control", "canary")
        for release in range(10)
    ]
    for start in range(0, traces, CHUNK):
        number = min(CHUNK, traces - start)
        at = first + timedelta(days=DAYS) * (start / traces)
        changes = []
        for _ in range(number):
            name, env, cohort, release = draw.choice(combinations)
            cost = Decimal(draw.randrange(10, 900)).scaleb(-4)
            share = {"calls": 1, "input": 900, "output": 90, "cost": cost}
            facts = core.ContributionFacts(
                project_id=project_id,
                started_at=at,
                name=name,
                environment=env,
                cohort=cohort,
                release=f"2026.{release}",
                by_model={draw.choice(("gpt-4o", "o4-mini", "mistral-large")): share},
                by_prompt={f"{name}@v{draw.randrange(4)}": share},
                duration_ns=int(draw.lognormvariate(21.5, 0.6)),
                ttft_ns=int(draw.lognormvariate(19.5, 0.5)),
                tokens=Tokens(input=900, output=90),
                cost=cost,
                failing=draw.random() < 0.03,
                outcome="answered",
                verdict="pass" if draw.random() < 0.02 else None,
            )
            changes.append((project_id, None, core.contribution(facts)))
        with transaction.atomic(), connection.cursor() as cursor:
            rollup.append(cursor, changes)
        rollup.fold_all()
    tidied("ANALYZE rollups, rollup_histograms, rollup_series")


def measure(traces: int, rounds: int) -> dict[str, Any]:
    """Return times in ms by page, for the database of DATABASE_URL. Needs `django.setup`."""
    from tracehub.projects.models import Membership, Project, User

    project = Project.objects.create(slug="bench", name="Bench")
    began = time.perf_counter()
    fill(project.pk, traces)
    filled = time.perf_counter() - began
    user = User.objects.create_user("bench@example.com")
    Membership.objects.create(project=project, user=user, role="reviewer")
    asked = {name: ("", query) for name, query in PAGES.items()}
    asked["breakdown"] = ("/breakdown", {})
    asked["canary against control"] = ("/compare", {})
    times: dict[str, list[float]] = {name: [] for name in asked}
    with signed_in(user) as get:
        for turn in range(rounds + 2):
            for name, (path, query) in asked.items():
                took = get(f"/bench/metrics{path}", {"from": "90d", **query})
                if turn > 1:  # the first two warm
                    times[name].append(took)
    painted = in_chromium.metrics(user, "/bench/metrics?from=90d", 5)
    return {"times": times, "filled": filled, "painted": painted}


def coverage(tries: int = 2000) -> list[tuple[str, float]]:
    """Return how often the 95 % interval of two like groups holds zero, by method."""
    from tracehub.core import comparison, rollup

    draw = random.Random(17)

    def rates(share: float) -> Callable[[int], Any]:
        return lambda n: (sum(draw.random() < share for _ in range(n)), n)

    def costs(n: int) -> Any:
        found = [(draw.lognormvariate(0, 0.6), draw.random() < 0.9) for _ in range(n)]
        return comparison.Spread(
            n, sum(c for c, _ in found), sum(c * c for c, _ in found), sum(ok for _, ok in found)
        )

    def latencies(n: int) -> Any:
        return Counter(rollup.bucket(int(draw.lognormvariate(21, 0.5))) for _ in range(n))

    methods: list[tuple[str, Callable[[int], Any], Callable[[Any, Any], Any]]] = [
        ("rates, 2 %", rates(0.02), comparison.rates_differ),
        ("rates, 30 %", rates(0.3), comparison.rates_differ),
        ("cost per success", costs, comparison.ratios_differ),
        ("p95", latencies, lambda a, b: comparison.quantiles_differ(a, b, 0.95)),
    ]
    found = []
    for name, sample, differ in methods:
        held = 0
        for _ in range(tries):
            low, high = differ(sample(300), sample(150))
            held += low <= 0 <= high
        found.append((name, held / tries))
    return found


def report(found: dict[str, Any], traces: int) -> None:
    print(f"Metrics over {DAYS} days, {traces:,} traces (counted in {found['filled']:.0f} s)")
    every = []
    for name, times in found["times"].items():
        print(f"  {name:26} p50 {statistics.median(times):6.0f} ms  p95 {p95(times):6.0f} ms")
        every += times if name in PAGES else []
    verdict = "within" if p95(every) <= TARGET_MS else "ABOVE"
    print(f"  all pages of charts: p95 {p95(every):.0f} ms, {verdict} {TARGET_MS:.0f} ms")
    painted = found["painted"]
    verdict = "within" if max(painted) <= PAINT_MS else "ABOVE"
    print(
        f"  first chart painted in Chromium, nothing cached: {statistics.median(painted):.0f} ms,"
        f" at most {max(painted):.0f} ms, {verdict} {PAINT_MS:.0f} ms"
    )
    print("Coverage of 95 % intervals, 300 against 150 requests")
    for name, share in coverage():
        print(f"  {name:26} {share * 100:5.1f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        import django

        django.setup()
        print(json.dumps(measure(options.traces, options.rounds)))
        return
    made = Path(tempfile.mkdtemp(prefix="tracehub-metrics-"))
    try:
        report(
            measured_apart("metrics.py", made, traces=options.traces, rounds=options.rounds),
            options.traces,
        )
    finally:
        shutil.rmtree(made)


if __name__ == "__main__":
    main()
