"""Any order and any duplication of spans, on two writers at once and a day later: one result.

Case 77 (and 12) of docs/design: what a clean run would have made is what is there.
"""

from __future__ import annotations

import asyncio
import random
from contextlib import AsyncExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from psycopg import AsyncConnection

from tests import trace_factory as factory
from tracehub.core.digest import digest
from tracehub.core.stored import received_span_json, row_of
from tracehub.core.trace import Prompt, SpanFacts, Tokens, ValidationError
from tracehub.digest import actions
from tracehub.projects.models import Project
from tracehub.traces import store

SECOND = 10**9
BASE = int(datetime.now(UTC).timestamp()) * SECOND - 1800 * SECOND
TABLES = {
    "traces": "SELECT to_jsonb(t) - 'day' - 'digest_hash' FROM traces t ORDER BY trace_id",
    "spans": "SELECT trace_id, span_id, rank, facts, payload FROM spans ORDER BY 1, 2",
    "rollups": "SELECT to_jsonb(r) FROM rollups r WHERE requests <> 0 OR calls <> 0"
    " ORDER BY project_id, resolution, bucket, series",
    "histograms": "SELECT measure, resolution, bucket, series, index, count"
    " FROM rollup_histograms WHERE count <> 0 ORDER BY 1, 2, 3, 4, 5",
}
EMPTIED = "arrivals spans traces rollups rollup_deltas rollup_series rollup_histograms"
EMPTY = ";".join(f"DELETE FROM {table}" for table in EMPTIED.split())


def random_span(draw, trace_id, number, parent):
    """A span of any kind, perhaps without an end, perhaps failed."""
    kind = draw.choice(["llm", "llm", "tool", "retriever", "agent", "other"])
    failed = draw.random() < 0.2
    made = factory.tool_span if kind == "tool" else factory.span
    return made(
        trace_id,
        span_id=f"{number:016x}",
        parent_id=parent,
        kind=kind,
        name=draw.choice(["plan", "answer", "look-up"]),
        start_ns=BASE + draw.randrange(0, 3600) * SECOND,
        duration_ns=None if draw.random() < 0.1 else draw.randrange(1, 90) * SECOND // 10,
        error=failed,
        error_type="Timeout" if failed else None,
        model=draw.choice(["gpt-4o", "gpt-4o-mini"]) if kind == "llm" else None,
        tokens=Tokens(draw.randrange(999), 5, 1004) if kind == "llm" else None,
        tokens_counted=kind == "llm",
        cost=Decimal(draw.randrange(1, 999)) / 10_000 if kind == "llm" else None,
        prompt=Prompt("refund", draw.choice(["v1", "v2"])) if draw.random() < 0.5 else None,
        facts=SpanFacts(
            session_id=draw.choice([None, "s-1", "s-2"]),
            release=draw.choice([None, "1.0"]),
            cohort=draw.choice([None, "canary"]),
            tags=draw.sample(["eu", "vip"], draw.randrange(3)),
        ),
        validation_errors=[ValidationError("/a", "type", "m")] if draw.random() < 0.2 else [],
    )


def random_rows(draw, project):
    """The rows of a few traces; some spans come twice, unfinished first and then whole."""
    rows = []
    for trace in range(1, 6):
        trace_id = f"{trace:032x}"
        missing_root = draw.random() < 0.2
        for number in range(1, draw.randrange(2, 9)):
            parent = None if number == 1 else f"{draw.randrange(1, number):016x}"
            if number == 1 and missing_root:
                continue
            made = random_span(draw, trace_id, number, parent)
            rows.append(row_of(project.pk, made, digest(made), received_span_json(made)))
            if made.finished and draw.random() < 0.3:
                made.duration_ns = None
                rows.append(row_of(project.pk, made, digest(made), received_span_json(made)))
    return rows


async def write(url, batches, days):
    """Write batches in pairs, each pair at once on two connections, like two web processes."""
    async with AsyncExitStack() as stack:
        links = []
        for _ in range(2):
            link = await AsyncConnection.connect(url, autocommit=True)
            store.prepare(link)
            links.append(await stack.enter_async_context(link))

        async def one(link, rows, day):
            async with link.transaction():
                await store.write(link, rows, day)

        for at in range(0, len(batches), 2):
            pair = list(zip(links, batches[at : at + 2], days[at : at + 2], strict=False))
            await asyncio.gather(*(one(*each) for each in pair))
            yield at


def arrive(url, batches, days, between=None):
    async def run():
        async for _ in write(url, batches, days):
            if between:
                await asyncio.to_thread(between)

    asyncio.run(run())


def digest_now():
    actions.digest_all(seconds=20, sleep=lambda _: None)
    connection.close()


def state(url):
    with psycopg.connect(url) as link:
        return {name: link.execute(query).fetchall() for name, query in TABLES.items()}


@pytest.mark.parametrize("number", range(6))
def test_any_order_and_duplication_gives_what_one_clean_run_gives(committed_db, request, number):
    draw = random.Random(f"{request.config.getoption('--seed')}-{number}")
    project = Project.objects.create(slug="skylane", name="Skylane support")
    rows = random_rows(draw, project)
    today = datetime.now(UTC).date()

    arrive(committed_db, [rows], [today])
    digest_now()
    clean = state(committed_db)
    assert clean["traces"]
    assert clean["rollups"]

    with psycopg.connect(committed_db, autocommit=True) as link:
        link.execute(EMPTY)
        link.execute("SELECT tracehub_ensure_partitions(current_date, current_date + 2)")
    sent = rows + draw.choices(rows, k=len(rows))
    draw.shuffle(sent)
    batches = [sent[at : at + 4] for at in range(0, len(sent), 4)]
    # The second half comes a day later: it belongs to the day its trace first arrived.
    half = len(batches) // 2
    days: list[date] = [today] * half + [today + timedelta(days=1)] * (len(batches) - half)
    arrive(committed_db, batches, days, between=digest_now if draw.random() < 0.7 else None)
    digest_now()
    assert state(committed_db) == clean
