"""When a group comes back: what resolved or ignored it, against a new event. Never by arrival."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache, partial

from tracehub.core.grouping.v1 import masked
from tracehub.core.trace import Json
from tracehub.core.versions import release_number
from tracehub.failures import owners, querysets
from tracehub.failures.models import Activity, Failure, Status
from tracehub.failures.store import Seen
from tracehub.projects import outbox
from tracehub.traces import rollup
from tracehub.traces.models import Trace

RELEASE = "release "


def after_events(added: dict[int, list[Seen]], now: datetime) -> None:
    """Reopen the resolved and ignored groups that these new events bring back.

    Call it after the events were counted, in their transaction: the rows are locked by then. A
    merged group shares the fate of the one it went into.
    """
    rows = Failure.objects.filter(pk__in=list(added)).select_related("merged_into")
    _announce_new(rows, added)
    fresh: dict[int, list[Seen]] = {}
    for row in rows:
        fresh.setdefault(row.merged_into_id or row.pk, []).extend(added[row.pk])
    asleep = Failure.objects.select_for_update(no_key=True).filter(
        pk__in=list(fresh), status__in=[Status.RESOLVED, Status.IGNORED]
    )
    for failure in asleep.order_by("pk"):
        if failure.status == Status.IGNORED:
            _count_merged(failure, len(fresh[failure.pk]) - len(added.get(failure.pk, ())))
            if _doubled(failure, fresh[failure.pk]):
                _reopen(failure, Status.ONGOING, "shown again", "A day has twice the usual events.")
            elif querysets.shown_status(failure, now) != Status.IGNORED:
                _reopen(failure, Status.ONGOING, "shown again", "The time or count is over.")
            continue
        past = _Past(failure.project_id)
        back = [seen for seen in fresh[failure.pk] if _came_back(failure, seen, past)]
        if back:
            first = min(back, key=lambda seen: seen.started_at)
            failure.regressed_at = first.started_at
            _reopen(failure, Status.REGRESSED, "regressed", _where(first))
            to = [failure.assignee.email] if failure.assignee else []
            told = {**news(failure), "where": _where(first), "emails": to}
            outbox.emit(failure.project_id, "failure.regressed", told)


def _count_merged(failure: Failure, more: int) -> None:
    """Let new events of merged groups count for a silence that ends at a number of own ones."""
    if failure.ignored_events is not None and more:
        failure.ignored_events = max(0, failure.ignored_events - more)
        failure.save(update_fields=["ignored_events"])


def _doubled(failure: Failure, fresh: Sequence[Seen]) -> bool:
    """Tell whether one of the days of these events has as many as ends the silence."""
    if failure.ignored_rate is None:
        return False
    days = {seen.started_at.astimezone(UTC).date() for seen in fresh}
    counted = querysets.days_of([failure], min(days))[failure.pk]
    return any(counted.get(day, 0) >= failure.ignored_rate for day in days)


def _announce_new(rows: Iterable[Failure], added: Mapping[int, Sequence[Seen]]) -> None:
    """Note the groups that have no trace but these: nobody has seen them before."""
    made = [one for one in rows if one.status == Status.NEW and one.events == len(added[one.pk])]
    owners.assign(made)
    outbox.emit_all((one.project_id, "failure.new", news(one)) for one in made)


def news(failure: Failure) -> dict[str, Json]:
    """Return what an event says of a group: no content of traces beyond its title."""
    return {
        "key": failure.key,
        "title": masked(failure.title),
        "kind": failure.kind,
        "severity": failure.severity,
        "span": failure.span or None,
        "since": failure.since or None,
        "events": failure.events,
        "assignee": failure.assignee.email if failure.assignee else None,
    }


def _reopen(failure: Failure, status: Status, verb: str, detail: str) -> None:
    before = {"status": failure.status, "regressed_at": None}
    failure.status = status
    failure.save(update_fields=["status", "regressed_at"])
    Activity.objects.create(
        failure=failure, actor="TraceHub", verb=verb, detail=detail, before=before
    )


def _where(seen: Seen) -> str:
    found = [*seen.prompts[:1], *([f"release {seen.release}"] if seen.release else [])]
    return f"Seen again in {', '.join(found)}." if found else "Seen again."


class _Past:
    """In which order prompts had their versions, and when releases began; each read once."""

    def __init__(self, project_id: int) -> None:
        self.versions = cache(partial(querysets.prompt_order, project_id))
        self.start = cache(partial(_first_start, project_id))


def _came_back(failure: Failure, seen: Seen, past: _Past) -> bool:
    """Whether an event is one that the resolution said would not happen any more."""
    rule = failure.resolved_in
    if rule.startswith(RELEASE):
        return _release_reached(seen, rule.removeprefix(RELEASE), past)
    if not rule:
        return failure.resolved_at is None or seen.started_at > failure.resolved_at
    name, _, version = rule.removeprefix(">").rpartition("@")
    labels = (label.rpartition("@") for label in seen.prompts)
    return any(
        _version_reached(past.versions(name), version, label_version, later=rule[0] == ">")
        for label_name, _, label_version in labels
        if label_name == name
    )


def _version_reached(order: list[str], version: str, label_version: str, *, later: bool) -> bool:
    if version == label_version or label_version not in order:
        return version == label_version and not later
    if version not in order:
        return False
    return order.index(label_version) > order.index(version)


def _release_reached(seen: Seen, release: str, past: _Past) -> bool:
    if not seen.release:
        return False
    mine, theirs = release_number(seen.release), release_number(release)
    if seen.release == release or (mine and theirs):
        return seen.release == release or (mine or ()) >= (theirs or ())
    began = past.start(release)
    return began is not None and (past.start(seen.release) or seen.started_at) >= began


def _first_start(project_id: int, release: str) -> datetime | None:
    """Return the earliest start of a release that is still kept. Only for names like `blue`."""
    hour = rollup.first_hour(project_id, ("release", release))
    if hour is None:
        return None
    rows = Trace.objects.filter(project_id=project_id, day__in=hour.days, release=release)
    rows = rows.filter(started_at__gte=hour.start, started_at__lt=hour.start + rollup.HOUR)
    return rows.order_by("started_at").values_list("started_at", flat=True).first()
