"""Which version comes after which: never by time of arrival."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

_NUMBERS = re.compile(r"[0-9]{1,9}(?:[._-][0-9]{1,9}){0,5}")
_RELEASE = re.compile(r"v?([0-9]{1,9}(?:[.-][0-9]{1,9}){0,5})(?:[-+].*)?")
_LAST = datetime.max.replace(tzinfo=UTC)


class Known(NamedTuple):
    """A version of one prompt: its name, the order sent by API, the earliest start seen."""

    version: str
    order: int | None = None
    first_seen: datetime | None = None


def in_order(versions: Iterable[Known]) -> list[str]:
    """Return the names from first to last.

    By explicit order when every version has one, else by the number in the names when all have
    one, else by the earliest start.

    >>> in_order([Known("v10"), Known("v9"), Known("v9.1")])
    ['v9', 'v9.1', 'v10']
    """
    known = list(versions)
    if all(one.order is not None for one in known):
        found = sorted(known, key=lambda one: (one.order or 0, one.version))
    elif all(number_in(one.version) for one in known):
        found = sorted(known, key=lambda one: (number_in(one.version) or (), one.version))
    else:
        found = sorted(known, key=lambda one: (one.first_seen or _LAST, one.version))
    return [one.version for one in found]


def number_in(version: str) -> tuple[int, ...] | None:
    """Return the first number in a version's name, None without one.

    >>> number_in("v2.10-beta"), number_in("baseline")
    ((2, 10), None)
    """
    found = _NUMBERS.search(version)
    return tuple(int(part) for part in re.split(r"[._-]", found[0])) if found else None


def release_number(release: str) -> tuple[int, ...] | None:
    """Return what a semantic version or a date says as numbers, None for another name.

    >>> release_number("2026.11.3"), release_number("v1.4.0-rc1"), release_number("blue")
    ((2026, 11, 3), (1, 4, 0), None)
    """
    found = _RELEASE.fullmatch(release)
    return tuple(int(part) for part in re.split(r"[.-]", found[1])) if found else None
