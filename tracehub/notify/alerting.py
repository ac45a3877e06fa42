"""Alerts at work: what they would have done in the past, and what they send now."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import transaction

from tracehub.core import alerting
from tracehub.core.alerting import Finding, Hour, Rate, Spike
from tracehub.core.query.terms import ALL
from tracehub.failures.models import Activity, Failure
from tracehub.notify import messages
from tracehub.notify.models import Alert, AlertKind
from tracehub.notify.sending import FIRED
from tracehub.projects import outbox
from tracehub.projects.models import Event
from tracehub.traces import rollup

logger = logging.getLogger(__name__)

HOUR = timedelta(hours=1)
DAYS = 14  # of a preview
LATE = timedelta(minutes=5)  # that an hour is left open for traces that come late
EVENTS = {
    AlertKind.NEW: "failure.new",
    AlertKind.REGRESSED: "failure.regressed",
    AlertKind.BUDGET: "budget.passed",
}
PLACES = {AlertKind.BUDGET: "settings/budgets"}  # where a message leads; else to new failures
MOST_LINES = 20
_GRAVITY = ("low", "medium", "high", "critical")


class Preview(NamedTuple):
    """What a rule would have done: on which of the last DAYS days, oldest first, and how often."""

    days: list[bool]
    times: int

    @property
    def words(self) -> str:
        if not self.times:
            return "would not have fired"
        often = "once" if self.times == 1 else f"{self.times} times"
        on = sum(self.days)
        return f"would have fired {often}" + (f", on {on} days" if 1 < on < self.times else "")


def preview(alert: Alert, now: datetime) -> Preview:
    """Return what a rule would have done in the last DAYS days; the alert need not be stored."""
    start = rollup.floor(now, timedelta(days=1)) - timedelta(days=DAYS - 1)
    if alert.kind in EVENTS:
        hours = [(at - start) / HOUR for at in _event_times(alert, start)]
        sent = alerting.gathered(hours, quiet=alert.quiet)
        fired = [at for at in sent if at <= (now - start) / HOUR]
    else:
        series, control, first = _series(alert, start, rollup.floor(now - LATE))
        fired = [
            float(end - first)
            for end, _ in alerting.firings(
                rule_of(alert), series, control, since=first + 1, quiet=alert.quiet
            )
        ]
    hits = {min(DAYS - 1, int(max(0.0, at - 1e-9) // 24)) for at in fired}
    return Preview([day in hits for day in range(DAYS)], len(fired))


def _event_times(alert: Alert, start: datetime) -> list[datetime]:
    """Return when the events of an alert happened; their traces know, also before the outbox."""
    worthy = Failure.objects.filter(project=alert.project_id, severity__in=_severities(alert))
    if alert.kind == AlertKind.NEW:
        return list(worthy.filter(first_seen__gte=start).values_list("first_seen", flat=True))
    if alert.kind == AlertKind.REGRESSED:
        lines = Activity.objects.filter(failure__in=worthy, verb="regressed", at__gte=start)
        return list(lines.values_list("at", flat=True))
    rows = Event.objects.filter(project=alert.project_id, kind=EVENTS[AlertKind(alert.kind)])
    return list(rows.filter(at__gte=start).values_list("at", flat=True))


def _severities(alert: Alert) -> tuple[str, ...]:
    least = alert.rule.get("severity", "medium")
    return _GRAVITY[_GRAVITY.index(least) :]


def rule_of(alert: Alert) -> Spike | Rate:
    """Return the rule of an alert on counts."""
    given = alert.rule
    if alert.kind == AlertKind.SPIKE:
        return Spike(given["hours"])
    limit = given["percent"] / 100
    return Rate(limit, given["hours"], given["least"], bool(given.get("against")))


def _series(alert: Alert, start: datetime, end: datetime) -> tuple[list[Hour], list[Hour], int]:
    """Return the hours up to `end` of what is watched and of its control, and where `start` is.

    They begin as long before `start` as the rule looks back.
    """
    given = alert.rule
    back = given["hours"] + (alerting.BASELINE if alert.kind == AlertKind.SPIKE else 0)
    first = start - back * HOUR
    pair = (given["key"], given["value"]) if given.get("key") else (ALL, "")
    series = _hours(alert.project_id, pair, first, end)
    control: list[Hour] = []
    if given.get("against"):
        control = _hours(alert.project_id, (given["key"], given["against"]), first, end)
    return series, control, back


def _hours(project_id: int, pair: tuple[str, str], start: datetime, end: datetime) -> list[Hour]:
    found = rollup.series(project_id, pair, start, end)
    count = max(0, (end - start) // HOUR)
    return [Hour(*found.get(start + n * HOUR, (0, 0))) for n in range(count)]


def check_all(now: datetime) -> int:
    """Let every alert look at what is new to it; return how many sent a message.

    A fault in one is logged and holds up neither the others nor what waits to be sent.
    """
    fired = 0
    for pk in list(Alert.objects.filter(on=True).values_list("pk", flat=True)):
        try:
            with transaction.atomic():
                rows = Alert.objects.select_for_update(skip_locked=True, of=("self",))
                alert = rows.select_related("project").filter(pk=pk, on=True).first()
                fired += _check(alert, now) if alert is not None else 0
        except Exception:
            logger.exception("Alert %s could not be checked; it is tried again.", pk)
    return fired


def _check(alert: Alert, now: datetime) -> bool:
    asleep = alert.snoozed_until is not None and alert.snoozed_until > now
    if alert.kind in EVENTS:
        return _check_events(alert, now, asleep=asleep)
    return _check_hours(alert, now, asleep=asleep)


def _check_events(alert: Alert, now: datetime, *, asleep: bool) -> bool:
    """Gather the events since the last message into one. What comes while asleep is passed over."""
    kind = EVENTS[AlertKind(alert.kind)]
    rows = Event.objects.filter(project=alert.project_id, kind=kind, id__gt=alert.seen)
    if alert.kind != AlertKind.BUDGET:
        rows = rows.filter(body__severity__in=_severities(alert))
    quiet = alert.fired_at is not None and now - alert.fired_at < alert.quiet * HOUR
    if quiet and not asleep:
        return False
    news = list(rows.order_by("id"))
    if not news:
        return False
    alert.seen = news[-1].pk
    if asleep:
        alert.save(update_fields=["seen"])
        return False
    lines = [_line(event) for event in news[:MOST_LINES]]
    if len(news) > MOST_LINES:
        lines.append(f"And {len(news) - MOST_LINES} more.")
    _fire(alert, now, lines, PLACES.get(AlertKind(alert.kind), "failures?status=triage"))
    return True


def _line(event: Event) -> str:
    title, more, _ = messages.said(event)
    known = more[0] if event.kind == EVENTS[AlertKind.BUDGET] else event.body.get("where")
    return f"{title}. {known}" if known else title


def _check_hours(alert: Alert, now: datetime, *, asleep: bool) -> bool:
    end = rollup.floor(now - LATE)
    start = max(rollup.floor(alert.checked_until), end - 24 * HOUR)
    if end <= start:
        return False
    alert.checked_until = end
    alert.save(update_fields=["checked_until"])
    if asleep:
        return False
    series, control, first = _series(alert, start, end)
    last = None if alert.fired_at is None else first + int((alert.fired_at - start) // HOUR)
    found = alerting.firings(
        rule_of(alert), series, control, since=first + 1, quiet=alert.quiet, last=last
    )
    if not found:
        return False
    _fire(alert, now, _said(alert, found[-1][1]), "failures")
    return True


def _said(alert: Alert, finding: Finding) -> list[str]:
    given = alert.rule
    what = f"{given['key']}:{given['value']}" if given.get("key") else "all traces"
    rate = finding.failing / finding.traces
    lines = [
        f"{finding.failing} of {finding.traces} traces fail ({rate:.1%}) in {given['hours']} h, "
        f"{what}."
    ]
    if finding.chance is not None:
        lines.append(
            f"In the week before: {finding.against:.1%}. Chance alone: p = {finding.chance:.1g}."
        )
    elif given.get("against") and finding.interval is not None:
        low, high = (100 * side for side in finding.interval)
        lines.append(
            f"{given['against']}: {finding.against:.1%}. Difference {low:+.1f} to {high:+.1f} pts "
            f"(95% interval), limit {given['percent']:+g} pts."
        )
    elif finding.interval is not None:
        low, high = finding.interval
        lines.append(f"95% interval {low:.1%} to {high:.1%}, limit {given['percent']:g}%.")
    return lines


def _fire(alert: Alert, now: datetime, lines: Sequence[str], place: str) -> None:
    alert.fired_at = now
    alert.save(update_fields=["fired_at", "seen"])
    body = {"message": alert.name, "lines": list(lines), "place": place, "to": list(alert.to),
            "alert": alert.pk, "kind": alert.kind}  # fmt: skip
    outbox.emit(alert.project_id, FIRED, body)
