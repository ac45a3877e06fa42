"""Text of a time range -> UTC moments: ISO 8601, a date, or an age such as `90m`, `24h`, `14d`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

FORMS = "ISO 8601, a date such as 2026-11-24, or an age such as 90m, 24h or 14d"
_AGE = re.compile(r"([0-9]{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
# A `+` of a zone arrives as a space when a client forgot to encode it.
_LOST_PLUS = re.compile(r"(:\d\d(?:\.\d+)?) (\d\d:?\d\d)$")
# Years that every database and every date calculation around them can hold.
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9998, 12, 31, tzinfo=UTC)


class TimeError(ValueError):
    """A time its author can mend. `str()` is the sentence, without the name of the field."""


def parse_moment(text: str, *, now: datetime) -> datetime:
    """Return the moment that `text` names, in UTC; an age counts back from `now`.

    A time without a zone is UTC; a date is its first moment. Raises TimeError.

    >>> noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    >>> parse_moment("24h", now=noon).isoformat()
    '2026-11-23T12:00:00+00:00'
    >>> parse_moment("2026-11-24T09:40:12.5+02:00", now=noon).isoformat()
    '2026-11-24T07:40:12.500000+00:00'
    """
    text = text.strip()
    if age := _AGE.fullmatch(text):
        moment = _before(now, timedelta(**{_UNITS[age[2]]: int(age[1])}))
    else:
        moment = _iso(text)
    if not EARLIEST <= moment <= LATEST:
        raise TimeError(f"must lie between the years 1970 and 9998. Got {text[:60]!r}.")
    return moment


def parse_range(
    start: str, end: str, *, now: datetime, default: timedelta | None = None
) -> tuple[datetime, datetime]:
    """Return [start, end) in UTC. An empty `end` is now; an empty `start` is `default` before it.

    Without `default` an empty bound is no bound: clocks that run ahead send starts in the future.
    Raises TimeError, whose sentence starts with the name of the field: `from` or `to`.
    """
    open_end = LATEST if default is None else now
    last = _named("to", end, now) if end.strip() else open_end
    if start.strip():
        first = _named("from", start, now)
    else:
        first = EARLIEST if default is None else _before(last, default)
    if first >= last and start.strip():
        raise TimeError(
            f"from must come before to. Got {first.isoformat()} and {last.isoformat()}."
        )
    return first, last


def parse_page_range(
    start: str, end: str, *, now: datetime, default: timedelta
) -> tuple[datetime, datetime]:
    """Return what `parse_range` does, but let the last day, or more, begin at a whole hour.

    So the first bar is a whole one, and counts by the hour need no row.

    >>> now = datetime(2026, 11, 24, 12, 34, tzinfo=UTC)
    >>> parse_page_range("7d", "", now=now, default=timedelta(hours=24))[0].isoformat()
    '2026-11-17T12:00:00+00:00'
    """
    first, last = parse_range(start, end, now=now, default=default)
    aged = not start.strip() or _AGE.fullmatch(start.strip())
    if aged and not end.strip() and last - first >= timedelta(days=1):
        first = first.replace(minute=0, second=0, microsecond=0)
    return first, last


def _named(field: str, text: str, now: datetime) -> datetime:
    try:
        return parse_moment(text, now=now)
    except TimeError as error:
        raise TimeError(f"{field} {error}") from error


def _before(moment: datetime, age: timedelta) -> datetime:
    try:
        return moment - age
    except OverflowError:
        return EARLIEST - timedelta(days=1)


def _iso(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_LOST_PLUS.sub(r"\1+\2", text))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise TimeError(f"must be {FORMS}. Got {text[:60]!r}.") from error
