"""How a person wants the list: its columns in their order, its density, and its times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, tzinfo
from typing import Any, NamedTuple, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, QueryDict

from tracehub.projects.models import User

PREFERENCE = "list"
ZONE_COOKIE = "zone"  # the name of the browser's time zone, set by list.js


class Column(NamedTuple):
    key: str
    label: str
    right: bool = False
    sorts: tuple[tuple[str, str], ...] = ()  # what may be sorted by here: label and order


COLUMNS = {
    column.key: column
    for column in (
        Column("time", "Time", sorts=(("Time", "started_at"),)),
        Column("name", "Name, cohort"),
        Column("io", "Input → output"),
        Column("prompt", "Prompt, model"),
        Column("latency", "Latency", right=True, sorts=(("Latency", "latency"),)),
        Column("cost", "Tokens, cost", right=True, sorts=(("Tokens", "tokens"), ("cost", "cost"))),
        Column("signals", "Signals"),
        Column("verdict", "Verdict, labels"),
        Column("env", "Environment, release"),
        Column("user", "User, session"),
        Column("tags", "Tags"),
        Column("spans", "Spans, errors", right=True),
    )
}
DEFAULT = ("time", "name", "io", "prompt", "latency", "cost", "signals", "verdict")
FIXED = ("time", "name")  # without them a row says neither what nor when


@dataclass(frozen=True, slots=True)
class Look:
    """What one person chose. `exact` shows dates in place of ages, `utc` that zone."""

    columns: tuple[str, ...] = DEFAULT
    dense: bool = False
    exact: bool = False
    utc: bool = False

    @classmethod
    def of(cls, user: Any) -> Self:
        """Read a person's preferences; what is not known any more is left out."""
        kept = user.preferences.get(PREFERENCE, {}) if isinstance(user, User) else {}
        flags = {name: bool(kept.get(name)) for name in ("dense", "exact", "utc")}
        return cls(columns=_valid(kept.get("columns", DEFAULT)), **flags)

    @classmethod
    def sent(cls, post: QueryDict) -> Self:
        """Read the form: the chosen columns in the order of the form, one of them moved up."""
        order = list(_valid(post.getlist("column")))
        if (moved := post.get("up", "")) in order[1:]:
            at = order.index(moved)
            order[at - 1 : at + 1] = [order[at], order[at - 1]]
        flags = {name: name in post for name in ("dense", "exact", "utc")}
        return cls(columns=tuple(order), **flags)

    def kept(self) -> dict[str, Any]:
        return asdict(self) | {"columns": list(self.columns)}

    @property
    def chosen(self) -> list[Column]:
        return [COLUMNS[key] for key in self.columns]

    @property
    def menu(self) -> list[tuple[Column, bool, bool]]:
        """Every column, the chosen ones first: with whether it is chosen, and whether it stays."""
        rest = [key for key in COLUMNS if key not in self.columns]
        return [(COLUMNS[key], key in self.columns, key in FIXED) for key in (*self.columns, *rest)]

    def zone(self, request: HttpRequest) -> tzinfo:
        """Return the zone of the times that are shown: the viewer's, as the browser named it."""
        return UTC if self.utc else _zone(request.COOKIES)


def _valid(keys: Sequence[str]) -> tuple[str, ...]:
    known = [key for key in dict.fromkeys(keys) if key in COLUMNS]
    return tuple(key for key in FIXED if key not in known) + tuple(known)


def _zone(cookies: Mapping[str, str]) -> tzinfo:
    try:
        return ZoneInfo(cookies.get(ZONE_COOKIE) or "UTC")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC
