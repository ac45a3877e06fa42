"""What people do with alerts: one verb, one transaction, one audit entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max
from django.utils import timezone

from tracehub.notify.models import Alert, AlertKind, Destination
from tracehub.projects.actions import ActionError, Actor, Conflict, actor_name, audit
from tracehub.projects.models import Event, Project

MOST = 50  # alerts of a project
KEYS = ("", "cohort", "env", "prompt", "model")  # what an alert on counts can watch
SEVERITIES = ("medium", "high", "critical")
_BOUNDS = {"hours": (1, 24), "percent": (0, 100), "least": (1, 1_000_000)}


def draft(
    project: Project, kind: str, name: str, given: Mapping[str, Any], to: Sequence[int], quiet: int
) -> Alert:
    """Return an alert that is not stored, or raise ActionError naming the field."""
    name = " ".join(name.split())
    if kind not in AlertKind.values:
        raise ActionError(f"kind must be one of {', '.join(AlertKind.values)}. Got {kind!r}.",
                          "kind")  # fmt: skip
    if not 1 <= len(name) <= 80:
        raise ActionError(f"name must have 1 to 80 characters. Got {len(name)}.", "name")
    if not 1 <= quiet <= 168:
        raise ActionError(f"quiet must lie between 1 and 168 hours. Got {quiet}.", "quiet")
    known = Destination.objects.filter(project=project, pk__in=list(to))
    chosen = sorted(known.values_list("pk", flat=True))
    rule = _rule(kind, given)
    return Alert(project=project, name=name, kind=kind, rule=rule, to=chosen, quiet=quiet)


def _rule(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    if kind == AlertKind.BUDGET:
        return {}
    if kind in {AlertKind.NEW, AlertKind.REGRESSED}:
        severity = given.get("severity") or "medium"
        if severity not in SEVERITIES:
            raise ActionError(
                f"severity must be one of {', '.join(SEVERITIES)}. Got {severity!r}.", "severity"
            )
        return {"severity": severity}
    rule: dict[str, Any] = {"key": given.get("key") or "", "value": given.get("value") or ""}
    if rule["key"] not in KEYS:
        raise ActionError(f"key must be one of {', '.join(KEYS[1:])}. Got {rule['key']!r}.", "key")
    if bool(rule["key"]) != bool(rule["value"]):
        raise ActionError("value must name what is watched, such as canary.", "value")
    names = ["hours"] if kind == AlertKind.SPIKE else ["hours", "percent", "least"]
    rule |= {name: _number(name, given.get(name)) for name in names}
    if kind == AlertKind.RATE and given.get("against"):
        if not rule["key"]:
            raise ActionError("against needs a value that it is held against.", "against")
        rule["against"] = given["against"]
    return rule


def _number(name: str, value: Any) -> float | int:
    low, high = _BOUNDS[name]
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = -1.0
    if not low <= number <= high or (name != "percent" and number != int(number)):
        kind = "a number" if name == "percent" else "a whole number"
        raise ActionError(f"{name} must be {kind} from {low} to {high:,}. Got {value!r}.", name)
    return number if name == "percent" else int(number)


def add(alert: Alert, *, by: Actor | None) -> Alert:
    """Store a draft; it looks at what comes from now on. Raises ActionError, Conflict."""
    if not alert.to:
        raise ActionError("Choose at least one destination.", "to")
    project = alert.project
    if Alert.objects.filter(project=project).count() >= MOST:
        raise ActionError(f"A project may have {MOST} alerts.", "name")
    alert.created_by = actor_name(by)
    _begin_now(alert)
    try:
        with transaction.atomic():
            alert.save()
            audit("alert.created", by=by, project=project, object=alert.name, kind=alert.kind,
                  rule=alert.rule)  # fmt: skip
    except IntegrityError:
        raise Conflict(f"name {alert.name!r} is taken.", "name") from None
    return alert


def _begin_now(alert: Alert) -> list[str]:
    """Let an alert pass over what there is by now; return the fields that this sets."""
    newest = Event.objects.filter(project=alert.project_id).aggregate(newest=Max("id"))["newest"]
    alert.seen, alert.checked_until = newest or 0, timezone.now()
    return ["seen", "checked_until"]


def change(alert: Alert, made: Alert, *, by: Actor | None) -> Alert:
    """Give an alert what a draft says; what it has told already is not told again.

    One of another kind looks at what comes from now on. Raises ActionError, Conflict.
    """
    if not made.to:
        raise ActionError("Choose at least one destination.", "to")
    before = alert.rule
    fields = ["name", "kind", "rule", "to", "quiet"]
    anew = _begin_now(alert) if made.kind != alert.kind else []
    for field in fields:
        setattr(alert, field, getattr(made, field))
    try:
        with transaction.atomic():
            alert.save(update_fields=[*fields, *anew])
            audit("alert.changed", by=by, project=alert.project, object=alert.name, before=before,
                  rule=alert.rule)  # fmt: skip
    except IntegrityError:
        raise Conflict(f"name {alert.name!r} is taken.", "name") from None
    return alert


@transaction.atomic
def turn(alert: Alert, on: bool, *, by: Actor | None) -> None:
    """Turn an alert on or off. What happens while it is off is not told later."""
    alert.on = on
    alert.save(update_fields=["on", *(_begin_now(alert) if on else [])])
    audit("alert.turned", by=by, project=alert.project, object=alert.name, on=on)


@transaction.atomic
def snooze(alert: Alert, until: datetime | None, *, by: Actor | None) -> None:
    """Keep an alert silent until a time, or wake it; what comes meanwhile is not told later."""
    alert.snoozed_until = until
    alert.save(update_fields=["snoozed_until"])
    audit("alert.snoozed", by=by, project=alert.project, object=alert.name,
          until=until.isoformat() if until else None)  # fmt: skip


@transaction.atomic
def remove(alert: Alert, *, by: Actor | None) -> None:
    """Forget an alert."""
    audit("alert.removed", by=by, project=alert.project, object=alert.name, rule=alert.rule)
    alert.delete()
