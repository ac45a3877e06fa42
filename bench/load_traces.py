"""Trace rows for reading benchmarks, straight by COPY: a million in about three minutes.

  python bench/load_traces.py --data DIR [--traces 1000000] [--days 30] [--seed 1]

Makes an embedded database in DIR, or fills the one that is there. Rows are what the worker writes
(`core.query.terms` gives the terms, `traces.rollup` the counts), spread over the days before now
with a daily wave. Among them: twelve versions of a prompt that follow each other, a cohort that
they rarely meet in (v11 and canary), 2,000 users, sessions of four, a tag on 1 in 100,000.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import tracegen  # noqa: E402

from tracehub.core.query.words import ERROR, INPUT, NAME, OUTPUT, lexemes  # noqa: E402

# The columns of `trace_texts`, as texts.store.TextRow has them.
TEXTS = ("project_id", "day", "trace_id", "started_at", "name", "input", "output", "error", "words")

MODELS = (("gpt-4o", 40), ("gpt-4o-mini", 30), ("claude-sonnet-4", 15), ("mistral-large", 10),
          ("gemini-2.0-flash", 4), ("o3", 1))  # fmt: skip
NAMES = (("airline-support", 50), ("hotel-search", 25), ("summary", 15), ("router", 10))
SIGNALS = (("schema_error", "high"), ("tool_error", "high"), ("slow", "medium"),
           ("low_grounding", "medium"), ("tool_loop", "high"), ("refusal", "low"))  # fmt: skip
MODES = ("wrong-amount", "invented-policy", "wrong-tone", "missed-question")
USERS = 2000
RARE = 100_000  # one trace in so many has the tag `needle`
BATCH = 10_000


def weighted(r: random.Random, choices: tuple[tuple[str, int], ...]) -> str:
    return r.choice(_spread(choices))


@lru_cache(maxsize=8)
def _spread(choices: tuple[tuple[str, int], ...]) -> list[str]:
    return [choice for choice, weight in choices for _ in range(weight)]


def trace(
    r: random.Random, number: int, project_id: int, at: datetime, age: float
) -> dict[str, Any]:
    """Return a row; `age` is 0 for the newest and 1 for the oldest."""
    version = max(1, min(12, round(12 - 11 * age + r.gauss(0, 0.6))))
    canary = r.random() < (0.1 if version != 11 else 0.001)
    chosen = [r.choice(SIGNALS)] if r.random() < 0.12 else []
    verdict = r.choice(("fail", "pass", "pass", "unsure")) if r.random() < 0.02 else None
    grave = any(severity == "high" for _, severity in chosen)
    error = r.random() < 0.02
    tokens = int(r.lognormvariate(7, 0.8))
    at_text = tracegen.corpus()
    start = r.randrange(len(at_text) - 900)
    return {
        "project_id": project_id,
        "day": at.date(),
        "trace_id": UUID(int=r.getrandbits(128)),
        "started_at": at,
        "duration_ns": int(r.lognormvariate(0.6, 0.9) * 1e9),
        "name": weighted(r, NAMES),
        "provisional": False,
        "status": "error" if error else "ok",
        "finished": True,
        "environment": "staging" if r.random() < 0.1 else "production",
        "release": f"2026.{11 - int(age * 2)}.{version}",
        "cohort": "canary" if canary else "control" if r.random() < 0.5 else None,
        "service": "support",
        "session_id": f"s-{number // 4}",
        "user_id": f"u_{r.randrange(USERS)}",
        "tags": [f"lang:{r.choice(('en', 'en', 'en', 'de', 'sv', 'ja'))}"]
        + (["needle"] if r.randrange(RARE) == 0 else []),
        "metadata": {"tenant": r.randrange(40)},
        "models": [weighted(r, MODELS)],
        "providers": ["openai"],
        "prompts": [f"refund@v{version}"] + (["summary@v4"] if r.random() < 0.2 else []),
        "tools": [r.choice(tracegen.TOOLS)],
        "agents": [],
        "finish_reasons": ["stop"],
        "input_tokens": tokens,
        "output_tokens": tokens // 5,
        "cached_tokens": None,
        "reasoning_tokens": None,
        "total_tokens": tokens + tokens // 5,
        "cost": round(tokens * r.choice((2e-7, 3e-6, 5e-6)), 8),
        "ttft_ns": int(r.lognormvariate(-1, 0.5) * 1e9),
        "retries": int(r.random() < 0.02),
        "fallbacks": int(r.random() < 0.01),
        "timeouts": int(r.random() < 0.005),
        "streaming": False,
        "outcome": "answered" if r.random() < 0.7 else None,
        "span_count": 5,
        "error_count": int(error),
        "root_present": True,
        "input_preview": at_text[start : start + 150].replace("\n", " "),
        "output_preview": at_text[start + 300 : start + 620].replace("\n", " "),
        "signals": [
            {"kind": kind, "span_id": None, "pointer": None, "message": f"A {kind} was found.",
             "severity": severity, "contract": None, "evidence": None}
            for kind, severity in chosen
        ],
        "signal_kinds": [kind for kind, _ in chosen],
        "severity": chosen[0][1] if chosen else None,
        "feedback": [],
        "verdict": verdict,
        "failure_modes": [r.choice(MODES)] if verdict == "fail" else [],
        "reviewers": ["maja@skylane.example"] if verdict else [],
        "failing": verdict == "fail" or (verdict != "pass" and (error or grave)),
        "promoted": r.random() < 0.001,
        "contribution": {},
        "digest_hash": r.getrandbits(62),
        "span_kinds": ["agent", "llm", "retriever", "tool"],
        "span_names": ["support-agent", "vector-search", "chat"],
    }  # fmt: skip


def rows(
    total: int, days: int, project_id: int, now: datetime, seed: int
) -> Iterator[dict[str, Any]]:
    """Yield rows oldest first, denser by day than by night."""
    r = random.Random(seed)
    width = timedelta(days=days) / total
    for number in range(total):
        at = now - timedelta(days=days) + width * (number + r.random())
        wave = math.sin(2 * math.pi * (at.hour + at.minute / 60) / 24) * 2.4
        at = min(at + timedelta(hours=wave), now - timedelta(seconds=1))
        yield trace(r, number, project_id, at, 1 - number / total)


def said(row: dict[str, Any]) -> list[Any]:
    """Return the row of `trace_texts` that the worker would write, words included."""
    name, given, answered = row["name"], row["input_preview"], row["output_preview"]
    error = "\n".join(signal["message"] for signal in row["signals"])
    fields = ((NAME, name), (INPUT, given), (OUTPUT, answered), (ERROR, error))
    words = {word for field, text in fields for word in lexemes(field, text)}
    keys = [row[key] for key in ("project_id", "day", "trace_id", "started_at")]
    return [*keys, name, given, answered, error, " ".join(f"'{word}'" for word in words)]


def cell(value: Any, *, as_json: bool) -> Any:
    return orjson.dumps(value).decode() if as_json or isinstance(value, dict) else value


def load(url: str, total: int, days: int, seed: int, slug: str) -> None:
    """Fill the database at `url`, which must be a superuser's; indexes are built at the end."""
    from tracehub.core.query import terms
    from tracehub.digest.store import COLUMNS
    from tracehub.traces import rollup

    terms.number = lru_cache(maxsize=100_000)(terms.number)  # days and values repeat here
    names = [name for name, _ in COLUMNS]
    now = datetime.now(UTC)
    began = time.monotonic()
    with psycopg.connect(url, autocommit=True) as link:
        project_id = link.execute(
            "SELECT id FROM projects_project WHERE slug = %s", [slug]
        ).fetchone()[0]
        partitions(link, now.date() - timedelta(days=days + 1), now.date() + timedelta(days=1))
        indexes = dropped(link)
        cursor = link.cursor()
        batch: list[dict[str, Any]] = []

        def flush() -> None:
            with link.transaction():
                with cursor.copy(f"COPY traces ({', '.join(names)}) FROM STDIN") as copy:
                    for row in batch:
                        copy.write_row([
                            cell(row[n], as_json=n in ("signals", "feedback"))
                            for n in names
                        ])  # fmt: skip
                with cursor.copy(
                    "COPY arrivals (project_id, trace_id, day, dirty_seq, dirty_at) FROM STDIN"
                ) as copy:
                    for row in batch:
                        copy.write_row([project_id, row["trace_id"], row["day"], None, None])
                with cursor.copy(f"COPY trace_texts ({', '.join(TEXTS)}) FROM STDIN") as copy:
                    for row in batch:
                        copy.write_row(said(row))
                rollup.change(cursor, [rollup.Change(None, row) for row in batch])
            batch.clear()

        for row in rows(total, days, project_id, now, seed):
            row["terms"] = terms.of_row(row)
            batch.append(row)
            if len(batch) == BATCH:
                flush()
        flush()
        print(f"{total} rows in {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        for definition in indexes:
            link.execute(definition)
        link.execute("VACUUM (ANALYZE) traces")
        link.execute("VACUUM (ANALYZE) trace_texts")
        link.execute("VACUUM (ANALYZE) term_counts")
        size = link.execute(
            "SELECT pg_size_pretty(pg_database_size(current_database()))"
        ).fetchone()[0]
    print(f"done in {time.monotonic() - began:.0f} s, {size}", file=sys.stderr, flush=True)


def partitions(link: psycopg.Connection[Any], first: date, last: date) -> None:
    while first <= last:
        until = min(last, first + timedelta(days=9))
        link.execute("SELECT tracehub_ensure_partitions(%s, %s)", (first, until))
        first = until + timedelta(days=1)


def dropped(link: psycopg.Connection[Any]) -> list[str]:
    """Drop the indexes of traces that are no key, and return how to make them again."""
    found = link.execute(
        "SELECT indexname, indexdef FROM pg_indexes"
        " WHERE tablename IN ('traces', 'trace_texts') AND indexname !~ 'pkey'"
    ).fetchall()
    for name, _ in found:
        link.execute(f"DROP INDEX {name}")
    return [definition.replace(" ON ONLY ", " ON ") for _, definition in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--traces", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    import stand

    options.data.mkdir(parents=True, exist_ok=True)
    with stand.database(options.data) as cluster:
        fill(cluster, options.traces, options.days, options.seed)


def fill(cluster: Any, traces: int, days: int, seed: int) -> None:
    """Migrate, make the project `bench` and load rows into it."""
    import stand

    env = {
        "DATABASE_URL": cluster.url(),
        "TRACEHUB_DATA_DIR": str(cluster.folder),
        "DJANGO_SETTINGS_MODULE": "tracehub.settings",
        "TRACEHUB_SECRET_KEY": "bench" * 10,
    }
    os.environ.update(env)
    import django

    django.setup()
    stand.migrate(env)
    load(cluster.superuser_url("tracehub"), traces, days, seed, "bench")


if __name__ == "__main__":
    main()
