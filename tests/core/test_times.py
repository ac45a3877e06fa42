from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.times import EARLIEST, LATEST, TimeError, parse_moment, parse_range

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90m", datetime(2026, 11, 24, 10, 30, tzinfo=UTC)),
        ("24h", datetime(2026, 11, 23, 12, 0, tzinfo=UTC)),
        ("14d", datetime(2026, 11, 10, 12, 0, tzinfo=UTC)),
        ("2w", datetime(2026, 11, 10, 12, 0, tzinfo=UTC)),
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T09:40:12.204113Z", datetime(2026, 11, 24, 9, 40, 12, 204113, tzinfo=UTC)),
        ("2026-11-24T09:40", datetime(2026, 11, 24, 9, 40, tzinfo=UTC)),
        ("2026-11-24T09:40:00+02:00", datetime(2026, 11, 24, 7, 40, tzinfo=UTC)),
        ("2026-11-24T09:40:00 02:00", datetime(2026, 11, 24, 7, 40, tzinfo=UTC)),
    ],
)
def test_a_moment_is_read_in_every_form_of_the_contract(text, expected):
    assert parse_moment(text, now=NOW) == expected


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "24", "-3h", "24 h", "2026-13-01", "99999999d", "999999w", "0001-01-01",
     "9999-12-31T23:59:59-05:00", "1\x002h", "١٢h"],
)  # fmt: skip
def test_another_text_is_refused_with_what_came(text):
    with pytest.raises(TimeError, match="Got"):
        parse_moment(text, now=NOW)


def test_a_range_names_the_wrong_end():
    with pytest.raises(TimeError, match=r"^to must be"):
        parse_range("24h", "soon", now=NOW)
    with pytest.raises(TimeError, match=r"^from must come before to"):
        parse_range("1h", "2h", now=NOW)


def test_an_open_range_is_all_or_the_default():
    assert parse_range("", "", now=NOW) == (EARLIEST, LATEST)
    assert parse_range("", "", now=NOW, default=timedelta(hours=24))[0] == NOW - timedelta(1)


@given(st.text(max_size=40))
def test_no_text_raises_anything_else(text):
    try:
        moment = parse_moment(text, now=NOW)
    except TimeError:
        return
    assert moment.tzinfo is UTC
