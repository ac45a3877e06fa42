"""What people do with contracts and groups: one verb, one transaction, one line of history."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from tracehub.core.contracts.bounds import ContractError, check_draft
from tracehub.core.contracts.values import check_nulls, check_texts
from tracehub.failures import querysets
from tracehub.failures.lifecycle import RELEASE, news
from tracehub.failures.models import Activity, Contract, Failure, Status
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import ApiKey, Project, User

Actor = User | ApiKey
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
VALUE_RULES = ("labels", "nulls", "escalations")  # of a contract, beside its schema
MOST = 200  # contracts of a project: each is compared with every arrival


@transaction.atomic
def save_contract(
    project: Project,
    name: str,
    schema: Any,
    *,
    by: Actor | None = None,
    prompt: str = "",
    span: str = "",
    labels: Any = None,
    nulls: Any = None,
    escalations: Any = None,
    note: str = "",
) -> tuple[Contract, bool]:
    """Publish a version of a contract and return it with whether it is new.

    What the newest version says already makes none. Raises ActionError naming the field.
    """
    if not NAME.fullmatch(name):
        raise ActionError(
            f"name may hold letters, digits, '.', '-' and '_'. Got {name[:60]!r}.", "name"
        )
    if not prompt and not span:
        raise ActionError("applies_to must name a prompt, a span, or both.", "applies_to")
    try:
        check_draft(schema)
        rules = {
            "labels": check_texts(labels or {}, "labels"),
            "nulls": check_nulls(nulls or {}),
            "escalations": check_texts(escalations or {}, "escalations"),
        }
    except ContractError as error:
        raise ActionError(str(error), error.field) from error
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)  # one version at a time
    newest = querysets.versions_of(project, name)[:1]
    content = {"schema": schema, "prompt": prompt, "span": span, **rules}
    if newest and all(getattr(newest[0], field) == value for field, value in content.items()):
        return newest[0], False
    if not newest and len(querysets.contracts(project)) >= MOST:
        raise ActionError(f"A project may have {MOST} contracts.", "name")
    made = Contract.objects.create(
        project=project,
        name=name,
        version=newest[0].version + 1 if newest else 1,
        note=note,
        created_by=_name(by),
        **content,
    )
    audit("contract.published", by=by, project=project, object=str(made))
    return made, True


def _name(by: Actor | None) -> str:
    if by is None:
        return "TraceHub"
    return by.email if isinstance(by, User) else by.name


def _change(
    failure: Failure, by: Actor | None, verb: str, detail: str = "", **fields: Any
) -> Activity:
    """Set fields of a group, keeping what they were for undo."""
    locked = Failure.objects.select_for_update(no_key=True).get(pk=failure.pk)
    before = {name: _plain(getattr(locked, name)) for name in fields}
    for name, value in fields.items():
        setattr(locked, name, value)
        setattr(failure, name, value)
    locked.save(update_fields=[name.removesuffix("_id") for name in fields])
    return Activity.objects.create(
        failure=failure, actor=_name(by), verb=verb, detail=detail[:400], before=before
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


@transaction.atomic
def resolve(failure: Failure, *, by: Actor | None, where: str = "") -> Activity:
    """Mark a group resolved. `where`: "" from now on, `next` in the next version of its prompt,
    `refund@v13` in that version, anything else in that release.

    Raises ActionError naming `resolved_in`.
    """
    rule, words = _rule(failure, where.strip())
    return _change(
        failure, by, "resolved", words, status=Status.RESOLVED, resolved_in=rule,
        resolved_at=timezone.now(), regressed_at=None, ignored_until=None, ignored_events=None,
    )  # fmt: skip


def _rule(failure: Failure, where: str) -> tuple[str, str]:
    if where in {"", "now"}:
        return "", "from now on"
    if where == "next":
        name = prompt_of(failure)
        order = querysets.prompt_order(failure.project_id, name) if name else []
        if not order:
            raise ActionError(
                f"{failure.key} has no prompt with versions. Resolve it now or in a release.",
                "resolved_in",
            )
        return f">{name}@{order[-1]}", f"in the version after {name} {order[-1]}"
    if len(where) > 300:
        raise ActionError("resolved_in may have 300 characters at most.", "resolved_in")
    name, _, version = where.rpartition("@")
    if name and version:
        return where, f"in {name} {version}"
    return f"{RELEASE}{where}", f"in release {where}"


def prompt_of(failure: Failure) -> str:
    """Return the name of the prompt that a group was first seen with, "" without one."""
    return failure.since.rpartition("@")[0]


@transaction.atomic
def ignore(
    failure: Failure,
    *,
    by: Actor | None,
    until: datetime | None = None,
    events: int | None = None,
    doubled: bool = False,
) -> Activity:
    """Hide a group: for good, until a time, until `events` more traces came, or until it doubles.

    Doubled: a day (UTC) with twice the daily mean of the last seven, and three at least.
    """
    words, rate = "", None
    if doubled:
        rate = max(3.0, 2 * querysets.daily_mean(failure, timezone.now()))
        words = f"until a day has {rate:.0f} events, twice the usual"
    if until is not None:
        if until <= timezone.now():
            raise ActionError("ignored_until must be in the future.", "ignored_until")
        words = f"until {until:%Y-%m-%d %H:%M} UTC"
    total = None if events is None else failure.events + events
    if events is not None:
        words = f"until {events:,} more events"
    return _change(
        failure, by, "ignored", words, status=Status.IGNORED, ignored_until=until,
        ignored_events=total, ignored_rate=rate,
    )  # fmt: skip


@transaction.atomic
def reopen(failure: Failure, *, by: Actor | None) -> Activity:
    """Make a group ongoing again."""
    return _change(
        failure,
        by,
        "reopened",
        "",
        status=Status.ONGOING,
        ignored_until=None,
        ignored_events=None,
        ignored_rate=None,
    )


@transaction.atomic
def assign(failure: Failure, user: User | None, *, by: Actor | None) -> Activity:
    """Give a group to a member of its project, or to nobody. Raises ActionError."""
    if user is not None and not user.memberships.filter(project=failure.project_id).exists():
        raise ActionError(f"{user.email} is no member of this project.", "assignee")
    words = f"to {user.email}" if user else "to nobody"
    if user is not None and user != by:
        told = {**news(failure), "assignee": user.email, "by": _name(by), "emails": [user.email]}
        outbox.emit(failure.project_id, "failure.assigned", told)
    return _change(failure, by, "assigned", words, assignee_id=user.pk if user else None)


@transaction.atomic
def merge(failure: Failure, into: Failure, *, by: Actor | None) -> Activity:
    """Make a group part of another, by a rule that holds for later events and can be undone.

    Nothing is rewritten, so it takes no time. Raises ActionError naming `merge_into`.
    """
    root = into.merged_into or into
    if root.pk == failure.pk or failure.merged_into_id == root.pk:
        raise ActionError(f"{failure.key} is part of {root.key} already.", "merge_into")
    moved = list(failure.merged.values_list("pk", flat=True))
    Failure.objects.filter(pk__in=moved).update(merged_into=root)
    done = _change(failure, by, "merged", f"into {root.key}", merged_into_id=root.pk)
    done.before["moved"] = moved
    done.save(update_fields=["before"])
    Activity.objects.create(
        failure=root,
        actor=_name(by),
        verb="took in",
        detail=f"{failure.key}: {failure.title}"[:400],
    )
    return done


@transaction.atomic
def split(failure: Failure, *, by: Actor | None) -> Activity:
    """Take a group out of the one it was merged into."""
    if failure.merged_into is None:
        raise ActionError(f"{failure.key} is part of no other group.", "merge_into")
    words = f"from {failure.merged_into.key}"
    return _change(failure, by, "split", words, merged_into_id=None)


@transaction.atomic
def undo(activity: Activity, *, by: Actor | None) -> bool:
    """Put back what a line of history changed; False when that was done already."""
    locked = Activity.objects.select_for_update().get(pk=activity.pk)
    if locked.undone_at is not None or not locked.before:
        return False
    failure = locked.failure
    before = dict(locked.before)
    moved = before.pop("moved", [])
    fields = {name: _READ.get(name, _same)(value) for name, value in before.items()}
    locked.undone_at = timezone.now()
    locked.save(update_fields=["undone_at"])
    _change(failure, by, "undid", f"{locked.verb} {locked.detail}".strip(), **fields)
    Failure.objects.filter(pk__in=moved).update(merged_into=failure)
    return True


def _time(value: str | None) -> datetime | None:
    return datetime.fromisoformat(value) if value else None


def _same(value: Any) -> Any:
    return value


_READ: dict[str, Callable[[Any], Any]] = {
    "resolved_at": _time, "regressed_at": _time, "ignored_until": _time
}  # fmt: skip
