"""Midnight, the end of a year, a leap day, and a clock that is set back, by a clock of the test.

A trace stays in the day of its first arrival, so that what is sent again later is known.
"""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest

from tests.ingest.test_otlp import body, post, span
from tracehub.digest.actions import digest_all
from tracehub.traces import partitions
from tracehub.traces.models import StoredSpan, Trace

HOUR = timedelta(hours=1)


@pytest.fixture
def clock(monkeypatch):
    """What the writer takes for the time: set `clock.moment`."""

    class Clock(datetime):
        moment = datetime(2030, 1, 1, tzinfo=UTC)

        @classmethod
        def now(cls, _zone=None):
            return cls.moment

    monkeypatch.setattr("tracehub.ingest.writer.datetime", Clock)
    return Clock


def send(url, key, *spans) -> None:
    assert post(url, key, body(*spans)).status_code == 200


def stored(url, key, clock, turns: tuple[datetime, datetime]) -> dict[int, date]:
    """Send before and after a turn of the clock, also again; return the day of each trace."""
    before, after = turns
    clock.moment = before
    send(url, key, span(1, 1))
    with ThreadPoolExecutor(4) as senders:  # while the clock turns
        sent = [senders.submit(send, url, key, span(trace, 9)) for trace in range(10, 30)]
        clock.moment = after
        for one in sent:
            one.result()
    send(url, key, span(1, 2))
    send(url, key, span(2, 1))
    send(url, key, span(1, 1))  # again, a day later
    rows = StoredSpan.objects.values_list("trace_id", "span_id", "day")
    assert set(Counter((trace, number) for trace, number, _day in rows).values()) == {1}
    assert len(rows) == 23
    digest_all(seconds=60.0)
    assert Trace.objects.count() == 22
    return {trace.int: day for trace, _number, day in rows}


@pytest.mark.parametrize(
    "day",
    [date(2030, 12, 31), date(2028, 2, 28)],
    ids=["year", "leap day"],
)
def test_70_midnight_refuses_nothing_and_splits_no_trace(url, key, clock, day):
    midnight = datetime.combine(day + timedelta(days=1), datetime.min.time(), UTC)
    second = timedelta(seconds=1)
    days = stored(url, key, clock, (midnight - second, midnight + second))
    assert (days[1], days[2]) == (day, midnight.date())
    made = {part.day for part in partitions.existing() if part.table.startswith("spans_")}
    assert {day, midnight.date(), midnight.date() + timedelta(days=1)} <= made


def test_70_a_clock_that_goes_back_an_hour_over_midnight_refuses_nothing(url, key, clock):
    late = datetime(2031, 3, 1, 0, 30, tzinfo=UTC)
    days = stored(url, key, clock, (late, late - HOUR))
    assert (days[1], days[2]) == (date(2031, 3, 1), date(2031, 2, 28))
