"""Calls about groups of failures."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tracehub.api import cursors
from tracehub.api.errors import ApiError, missing
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.api.traces import too_slow
from tracehub.core.query import groups, parse
from tracehub.core.shape import Schema
from tracehub.core.times import TimeError, parse_moment
from tracehub.core.trace_json import iso
from tracehub.failures import actions, querysets
from tracehub.failures.lifecycle import RELEASE
from tracehub.failures.models import Activity, Failure
from tracehub.failures.store import first_day
from tracehub.failures.triage import filtering
from tracehub.failures.triage import querysets as triage
from tracehub.projects.actions import ActionError
from tracehub.projects.models import User
from tracehub.traces.querysets import TooSlow

HISTORY = 50  # lines of it in one answer
_AGE = re.compile("[0-9]{1,6}[smhdw]")  # 7d: in seven days
_KEY = re.compile(r"TH-([1-9][0-9]{0,8})")
CHANGE: Schema = {
    "type": "object",
    "title": "change of a failure",
    "properties": {
        "status": {"enum": ["ongoing", "resolved", "ignored"]},
        "resolved_in": {"type": ["string", "null"], "maxLength": 300},
        "ignored_until": {"type": ["string", "null"], "maxLength": 40},
        "ignored_events": {"type": ["integer", "null"], "minimum": 1, "maximum": 1_000_000},
        "assignee": {"type": ["string", "null"], "maxLength": 254},
        "merge_into": {"type": ["string", "null"], "maxLength": 20},
    },
    "additionalProperties": False,
}


def list_failures(asked: ApiRequest) -> Answer:
    """Answer groups by impact. A cursor goes on in the order of its first page."""
    status, text = asked.query.get("status", ""), asked.query.get("q", "")
    if status and status not in triage.TABS:
        known = ", ".join(triage.TABS)
        raise ApiError(400, f"status must be one of {known}. Got {status[:40]!r}.", "status")
    wanted = parse(text, groups.KEYS)
    listing = {"project": asked.project.pk, "list": "failures", "status": status, "q": text}
    cursor, limit = asked.query.get("cursor"), asked.whole("limit", 50)
    offset = cursors.decode(cursor, listing) if cursor else 0
    now = timezone.now()
    since = first_day(now)
    try:
        about = filtering.asked(asked.project, wanted, since=since, now=now)
    except TooSlow as error:
        raise too_slow() from error
    rows = triage.page(
        asked.project, now=now, since=since, status=status, asked=about, limit=limit + 1,
        offset=offset,
    )  # fmt: skip
    more = cursors.encode(listing, offset + limit) if len(rows) > limit else None
    items = [failure_json(row.failure, now, row.recent) for row in rows[:limit]]
    return Answer({"items": items, "next": more})


def get_failure(asked: ApiRequest) -> Answer:
    """Answer one group with its days and history."""
    return _whole(_find(asked))


def change_failure(asked: ApiRequest) -> Answer:
    """Change status, assignee or merging of a group; all of it or nothing."""
    failure = _find(asked)
    with transaction.atomic():
        _apply(asked, failure, asked.body)
    return _whole(_find(asked))


def _apply(asked: ApiRequest, failure: Failure, body: dict[str, Any]) -> None:
    by = asked.key
    if "merge_into" in body:
        if body["merge_into"] is None:
            actions.split(failure, by=by)
        else:
            actions.merge(failure, _named(asked, body["merge_into"]), by=by)
    status = body.get("status") or ("resolved" if "resolved_in" in body else None)
    if status != "resolved" and "resolved_in" in body:
        raise ActionError("resolved_in goes with the status resolved.", "resolved_in")
    for name in ("ignored_until", "ignored_events"):
        if body.get(name) is not None and status != "ignored":
            raise ActionError(f"{name} goes with the status ignored.", name)
    if status == "resolved":
        actions.resolve(failure, by=by, where=body.get("resolved_in") or "")
    elif status == "ignored":
        until = _until(body.get("ignored_until"))
        actions.ignore(failure, by=by, until=until, events=body.get("ignored_events"))
    elif status == "ongoing":
        actions.reopen(failure, by=by)
    if "assignee" in body:
        actions.assign(failure, _member(asked, body["assignee"]), by=by)


def _until(text: str | None) -> datetime | None:
    if text is None:
        return None
    now = timezone.now()
    try:
        moment = parse_moment(text, now=now)
    except TimeError as error:
        raise ActionError(f"ignored_until {error}", "ignored_until") from error
    return now + (now - moment) if _AGE.fullmatch(text.strip()) else moment


def _member(asked: ApiRequest, email: str | None) -> User | None:
    if email is None:
        return None
    user = User.objects.filter(email__iexact=email, memberships__project=asked.project).first()
    if user is None:
        raise ActionError(
            f"assignee must be a member of the project. Got {email[:60]!r}.", "assignee"
        )
    return user


def _named(asked: ApiRequest, key: str) -> Failure:
    found = _KEY.fullmatch(key)
    failure = querysets.get(asked.project, int(found[1])) if found else None
    if failure is None:
        raise ActionError(
            f"merge_into names {key!r}, which the project does not have.", "merge_into"
        )
    return failure


def _find(asked: ApiRequest) -> Failure:
    found = _KEY.fullmatch(asked.path["key"])
    failure = querysets.get(asked.project, int(found[1])) if found else None
    if failure is None:
        raise missing("such failure")
    return failure


def _whole(failure: Failure) -> Answer:
    now = timezone.now()
    days = querysets.days_of([failure], first_day(now)).get(failure.pk, {})
    history = querysets.activities(failure)[:HISTORY]
    return Answer(
        failure_json(failure, now, sum(days.values()))
        | {
            "days": [{"day": str(day), "events": n} for day, n in sorted(days.items())],
            "activity": [activity_json(line) for line in history],
        }
    )


def failure_json(row: Failure, now: datetime, recent: int) -> dict[str, Any]:
    """Return a group with its `recent` traces, those of the last days.

    Its `assignee`, `merged_into` and `merged` should be loaded.
    """
    return {
        "key": row.key,
        "title": row.title,
        "kind": row.kind,
        "span": row.span,
        "severity": row.severity,
        "status": querysets.shown_status(row, now),
        "first_seen": iso(row.first_seen.astimezone(UTC)),
        "last_seen": iso(querysets.seen_last(row).astimezone(UTC)),
        "since": row.since or None,
        "events": querysets.events_of(row, recent),
        "recent": recent,
        "users": querysets.users_of(row),
        "assignee": row.assignee.email if row.assignee else None,
        "resolved_in": row.resolved_in.removeprefix(RELEASE) or None,
        "resolved_at": _iso(row.resolved_at),
        "regressed_at": _iso(row.regressed_at),
        "ignored_until": _iso(row.ignored_until),
        "merged_into": row.merged_into.key if row.merged_into else None,
        "merged": [one.key for one in row.merged.all()],
        "reason": [{"part": part, "value": value} for part, value in row.reason],
    }


def activity_json(line: Activity) -> dict[str, Any]:
    """Return one line of a group's history."""
    return {
        "at": iso(line.at.astimezone(UTC)),
        "by": line.actor,
        "verb": line.verb,
        "detail": line.detail or None,
        "undone": line.undone_at is not None,
    }


def _iso(at: datetime | None) -> str | None:
    return iso(at.astimezone(UTC)) if at else None
