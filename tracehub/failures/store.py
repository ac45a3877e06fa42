"""The worker's side of groups: fingerprints to rows, and counts by difference."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from hashlib import blake2b
from typing import Any, NamedTuple

import orjson
from django.utils import timezone

from tracehub.core.grouping.v1 import Group
from tracehub.failures.models import RECENT_DAYS

FIND = """
    SELECT id, number, fingerprint FROM failures_failure
    WHERE project_id = %s AND fingerprint = ANY(%s)
"""
# Locks the project's counter until the batch is written: new groups are rare, and one at a time.
NUMBERS = """
    INSERT INTO failures_failurecount AS kept (project_id, last) VALUES (%s, %s)
    ON CONFLICT (project_id) DO UPDATE SET last = kept.last + excluded.last RETURNING last
"""
ADD = """
    INSERT INTO failures_failure (project_id, number, fingerprint, kind, title, span, severity,
        reason, since, status, first_seen, last_seen, events, users, resolved_in, created_at)
    SELECT %s, n, f, k, t, s, v, r::jsonb, '', 'new', at, at, 0, 0, '', now()
    FROM unnest(%s::int4[], %s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
        %s::text[], %s::timestamptz[]) AS sent (n, f, k, t, s, v, r, at)
    ON CONFLICT (project_id, fingerprint) DO NOTHING
"""
# In the order of ids everywhere, so that two workers wait for each other and never in a circle.
LOCK = "SELECT id FROM failures_failure WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
DAYS = """
    INSERT INTO failures_failureday AS kept (failure_id, day, events)
    SELECT * FROM unnest(%s::int8[], %s::date[], %s::int4[]) AS sent (f, d, n) ORDER BY 1, 2
    ON CONFLICT (failure_id, day) DO UPDATE SET events = kept.events + excluded.events
"""
USERS = """
    WITH sent AS (SELECT * FROM unnest(%s::int8[], %s::int8[], %s::int4[]) AS s (f, u, n)),
    counted AS (
        INSERT INTO failures_failureuser AS kept (failure_id, "user", events)
        SELECT f, u, n FROM sent ORDER BY 1, 2
        ON CONFLICT (failure_id, "user") DO UPDATE SET events = kept.events + excluded.events
        RETURNING failure_id, "user", events
    )
    SELECT c.failure_id AS id, sum((c.events > 0)::int - (c.events - s.n > 0)::int) AS change
    FROM counted c JOIN sent s ON s.f = c.failure_id AND s.u = c."user" GROUP BY 1
"""
COUNT = """
    UPDATE failures_failure f
    SET events = greatest(0, f.events + n), users = greatest(0, f.users + u),
        since = CASE WHEN f.events = 0 OR first < f.first_seen THEN prompt ELSE since END,
        first_seen = least(f.first_seen, first), last_seen = greatest(f.last_seen, last),
        recent_from = %s::date, recent = ARRAY(
            SELECT coalesce(d.events, 0) FROM generate_series(0, %s) i
            LEFT JOIN failures_failureday d ON d.failure_id = f.id AND d.day = %s::date + i
            ORDER BY i
        )
    FROM unnest(%s::int8[], %s::int4[], %s::int4[], %s::timestamptz[], %s::timestamptz[],
        %s::text[]) AS sent (id, n, u, first, last, prompt) WHERE f.id = sent.id
"""


class Seen(NamedTuple):
    """What a group needs to know of one trace in it: first the prompt version it is laid to."""

    started_at: datetime
    user_id: str | None = None
    prompts: tuple[str, ...] = ()
    release: str | None = None


class Moved(NamedTuple):
    """A trace whose groups changed, or whose time or user did: by group, before and after."""

    old: Mapping[int, Seen]
    new: Mapping[int, Seen]


class Placed(NamedTuple):
    """The stored group of a fingerprint."""

    id: int
    number: int


def place(
    cursor: Any, project_id: int, found: Mapping[str, tuple[Group, datetime]]
) -> dict[str, Placed]:
    """Return the stored group of each fingerprint, making those that are new.

    `found` has the group and the earliest start it was seen at. `cursor` gives rows as dicts.
    """
    if not found:
        return {}
    known = _find(cursor, project_id, list(found))
    if len(known) < len(found):
        missing = sorted(set(found) - set(known))
        last = cursor.execute(NUMBERS, (project_id, len(missing))).fetchone()["last"]
        rows = []
        for number, fingerprint in enumerate(missing, last - len(missing) + 1):
            group, at = found[fingerprint]
            rows.append(
                (number, fingerprint, group.kind[:80], group.title, group.span, group.severity,
                 _json(group.reason), at)
            )  # fmt: skip
        cursor.execute(ADD, (project_id, *[list(c) for c in zip(*rows, strict=True)]))
        known |= _find(cursor, project_id, missing)
    return known


def _find(cursor: Any, project_id: int, fingerprints: list[str]) -> dict[str, Placed]:
    rows = cursor.execute(FIND, (project_id, fingerprints)).fetchall()
    return {row["fingerprint"]: Placed(row["id"], row["number"]) for row in rows}


def count(cursor: Any, moves: Sequence[Moved]) -> dict[int, list[Seen]]:
    """Count traces in and out of their groups; return the traces that are new to each group.

    Call it once in the transaction that writes the trace rows.
    """
    events: Counter[int] = Counter()
    days: Counter[tuple[int, date]] = Counter()
    users: Counter[tuple[int, int]] = Counter()
    added: dict[int, list[Seen]] = {}
    for old, new in moves:
        for side, sign in ((old, -1), (new, 1)):
            for group, seen in side.items():
                events[group] += sign
                days[group, seen.started_at.astimezone(UTC).date()] += sign
                if seen.user_id:
                    users[group, user_hash(seen.user_id)] += sign
        for group in new.keys() - old.keys():
            added.setdefault(group, []).append(new[group])
    ids = sorted({*events, *added})
    if not ids:
        return {}
    cursor.execute(LOCK, (ids,))
    cursor.execute(DAYS, _columns(days))
    people = _count_users(cursor, users)
    counted = {group for (group, _), n in days.items() if n}
    changed = [group for group in ids if group in counted or people.get(group) or group in added]
    if changed:
        _write(cursor, changed, events, people, added)
    return added


def _write(
    cursor: Any,
    ids: Sequence[int],
    events: Counter[int],
    people: Mapping[int, int],
    added: Mapping[int, list[Seen]],
) -> None:
    first = [min(added[i], default=None, key=_start) if i in added else None for i in ids]
    last = [max(added[i], default=None, key=_start) if i in added else None for i in ids]
    since = first_day(timezone.now())
    cursor.execute(
        COUNT,
        (
            since,
            RECENT_DAYS,  # and tomorrow, for clocks that are ahead
            since,
            list(ids),
            [events[i] for i in ids],
            [people.get(i, 0) for i in ids],
            [seen and seen.started_at for seen in first],
            [seen and seen.started_at for seen in last],
            [seen.prompts[0] if seen and seen.prompts else "" for seen in first],
        ),
    )


def first_day(now: datetime) -> date:
    """Return the first of the last RECENT_DAYS days, today included."""
    return now.astimezone(UTC).date() - timedelta(days=RECENT_DAYS - 1)


def _start(seen: Seen) -> datetime:
    return seen.started_at


def _count_users(cursor: Any, users: Counter[tuple[int, int]]) -> dict[int, int]:
    if not any(users.values()):
        return {}
    rows = cursor.execute(USERS, _columns(users)).fetchall()
    return {row["id"]: int(row["change"]) for row in rows}


def _columns(counts: Counter[Any]) -> list[list[Any]]:
    rows = [(*place, n) for place, n in sorted(counts.items()) if n]
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[], [], []]


def user_hash(user: str) -> int:
    """Return what is kept of a user in a group."""
    digest = blake2b(user.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def _json(reason: Iterable[tuple[str, str]]) -> str:
    return orjson.dumps(list(reason)).decode()
