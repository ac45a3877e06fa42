"""The failures page: server time of whole responses with 5,000 groups and a million events.

  python bench/failures.py [--groups 5000] [--rounds 25]

Loads groups with events on each of the last 60 days, the worst case for the list, into an embedded
database, and asks a web process for the page, warm.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from pages import signed_in  # noqa: E402
from stand import measured_apart, p95, tidied  # noqa: E402

TARGET_MS = 80.0
PAGES = {
    "by impact": {},
    "needs triage": {"status": "triage"},
    "last seen": {"sort": "last_seen"},
    "words": {"q": "must be"},
    "page 20": {"after": "950"},
    "by signal": {"by": "signal"},
    "30 days": {"from": "30d"},
}
GROUPS = """
    INSERT INTO failures_failure (project_id, number, fingerprint, kind, title, span, severity,
        reason, since, status, first_seen, last_seen, events, users, resolved_in, created_at)
    SELECT %s, n, md5(n::text), 'schema_error', 'refund.' || n || ': must be number',
        'span-' || n %% 40, (ARRAY['medium', 'high', 'critical'])[1 + n %% 3], '[]',
        'refund@v' || n %% 20,
        (ARRAY['new', 'ongoing', 'resolved', 'ignored', 'regressed'])[1 + n %% 5],
        now() - interval '60 days', now() - interval '1 hour' * (n %% 300), 200, 50, '', now()
    FROM generate_series(1, %s) n
"""
DAYS = """
    INSERT INTO failures_failureday (failure_id, day, events)
    SELECT id, (now() - interval '1 day' * d)::date, 1 + (number * (d + 1)) % 7
    FROM failures_failure, generate_series(0, 59) d
"""
# As the worker keeps it by each change.
RECENT = """
    UPDATE failures_failure f SET recent_from = current_date - 13, recent = ARRAY(
        SELECT events FROM failures_failureday d
        WHERE d.failure_id = f.id AND d.day >= current_date - 13 ORDER BY d.day)
"""


def measure(groups: int, rounds: int) -> dict[str, Any]:
    """Return times in ms by page, for the database of DATABASE_URL. Needs `django.setup`."""
    from django.db import connection

    from tracehub.projects.models import Membership, Project, User

    project = Project.objects.create(slug="bench", name="Bench")
    with connection.cursor() as cursor:
        cursor.execute(GROUPS, [project.pk, groups])
        cursor.execute(DAYS)
        cursor.execute(RECENT)
        # As if it had been kept all along.
        tidied("VACUUM FULL failures_failure", "ANALYZE failures_failure, failures_failureday")
        cursor.execute("SELECT sum(events) FROM failures_failureday")
        events = int(cursor.fetchone()[0])
    user = User.objects.create_user("bench@example.com")
    Membership.objects.create(project=project, user=user, role="reviewer")
    times: dict[str, list[float]] = {name: [] for name in PAGES}
    with signed_in(user) as get:
        for turn in range(rounds + 2):
            for name, query in PAGES.items():
                took = get("/bench/failures", query)
                if turn > 1:  # the first two warm
                    times[name].append(took)
    return {"times": times, "events": events}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        import django

        django.setup()
        print(json.dumps(measure(options.groups, options.rounds)))
        return
    made = Path(tempfile.mkdtemp(prefix="tracehub-failures-"))
    try:
        found = measured_apart("failures.py", made, groups=options.groups, rounds=options.rounds)
    finally:
        shutil.rmtree(made)
    print(f"Failures page, {options.groups:,} groups, {found['events']:,} events in 60 days")
    every = [took for times in found["times"].values() for took in times]
    for name, times in found["times"].items():
        print(f"  {name:26} p50 {statistics.median(times):6.0f} ms  p95 {p95(times):6.0f} ms")
    verdict = "within" if p95(every) <= TARGET_MS else "ABOVE"
    print(f"  all: p95 {p95(every):.0f} ms, {verdict} {TARGET_MS:.0f} ms")


if __name__ == "__main__":
    main()
