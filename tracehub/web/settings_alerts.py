"""Settings: alerts, each tried on the last 14 days before it is kept, and where news goes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core import trackers
from tracehub.core.whole import whole_number
from tracehub.failures import owners, talk
from tracehub.failures.models import OwnerRule, Tracker
from tracehub.notify import actions, alert_actions, alerting, querysets, sending
from tracehub.notify.models import Alert, AlertKind, Delivery, Destination, Kind
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.web import permissions
from tracehub.web.settings_pages import FRESH, person
from tracehub.web.shell import toast

SNOOZES = {"1h": timedelta(hours=1), "1d": timedelta(days=1), "7d": timedelta(days=7)}
_COUNTS = {AlertKind.SPIKE, AlertKind.RATE}


@dataclass(frozen=True, slots=True)
class Line:
    """An alert in the table."""

    alert: Alert
    words: str
    to: str
    preview: alerting.Preview
    snoozed: bool


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The alerts and destinations of a project."""
    project = permissions.project_for(request, slug)
    return render(request, "settings/alerts.html", _context(request, project))


def _context(request: HttpRequest, project: Project, **more: Any) -> dict[str, Any]:
    now, found = timezone.now(), Tracker.objects.filter(project=project).first()
    destinations = list(querysets.destinations(project))
    members = [seat.user for seat in project.memberships.select_related("user")]
    known = {one.name for one in destinations}
    names = {one.pk: one.name for one in destinations}
    alerts = Alert.objects.filter(project=project).order_by("name")
    kind = request.GET.get("kind", request.POST.get("kind", AlertKind.NEW))
    edited = _edited(request, project)
    kind = edited.kind if edited else kind if kind in AlertKind.values else AlertKind.NEW
    admin = permissions.allows(request.role, Role.ADMIN)  # type: ignore[attr-defined]
    return {
        "lines": [
            Line(
                alert,
                words(alert),
                ", ".join(names[pk] for pk in alert.to if pk in names) or "nowhere",
                alerting.preview(alert, now),
                alert.snoozed_until is not None and alert.snoozed_until > now,
            )
            for alert in alerts
        ],
        "destinations": destinations,
        "kinds": AlertKind.choices,
        "kind": kind,
        "counts": kind in _COUNTS,
        "keys": alert_actions.KEYS[1:],
        "severities": alert_actions.SEVERITIES,
        "ways": Kind.choices,
        "events": outbox.KINDS.items(),
        "typed": _typed(edited),
        "edited": edited,
        "people": [each for each in members if f"@{each.email}"[:80] not in known],
        "owner_rules": owners.rules(project),
        "members": members,
        "asked": {"base": found.base, "kind_of": found.kind} if found else {},
        "trackers": trackers.TRACKERS.items(),
        "problems": {},
        "fresh": request.session.pop(FRESH, None) if admin else None,
        **more,
    }


def _edited(request: HttpRequest, project: Project) -> Alert | None:
    """Return the alert that the form is about, None for a new one."""
    pk = whole_number(request.POST.get("alert", request.GET.get("edit")))
    if pk is None:
        return None
    return get_object_or_404(Alert.objects.select_related("project"), project=project, pk=pk)


def _typed(edited: Alert | None) -> dict[str, Any]:
    """Return what the form holds at first."""
    usual = {"hours": 1, "percent": 5, "least": 50, "quiet": 1}
    if edited is None:
        return usual
    return {**usual, **edited.rule, "name": edited.name, "quiet": edited.quiet, "to": edited.to}


def words(alert: Alert) -> str:
    """Return the rule of an alert in one line.

    >>> words(Alert(kind="rate", rule={"key": "cohort", "value": "canary", "hours": 2,
    ...     "percent": 2.0, "least": 200, "against": "control"}))
    'cohort:canary failing +2 pts above control, 2 h, min 200 traces'
    """
    rule = alert.rule
    if alert.kind == AlertKind.BUDGET:
        return "any budget"
    if alert.kind not in _COUNTS:
        return f"status:{alert.kind}, severity {rule['severity']} and above"
    what = f"{rule['key']}:{rule['value']}" if rule.get("key") else "all traces"
    if alert.kind == AlertKind.SPIKE:
        return f"{what} failing more than in the week before, {rule['hours']} h"
    limit = f"> {rule['percent']:g}%"
    if rule.get("against"):
        limit = f"+{rule['percent']:g} pts above {rule['against']}"
    return f"{what} failing {limit}, {rule['hours']} h, min {rule['least']} traces"


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Try an alert on the last 14 days, or keep it: a new one, or a change of the one it names."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    edited = _edited(request, project)
    given = {name: request.POST.get(name, "").strip()[:200] for name in
             ("key", "value", "against", "severity", "hours", "percent", "least")}  # fmt: skip
    to = [pk for one in request.POST.getlist("to")[:50] if (pk := whole_number(one)) is not None]
    name, silence = request.POST.get("name", ""), request.POST.get("quiet", "")
    people = request.POST.getlist("person")[:50]
    typed = {**given, "name": name, "to": to, "quiet": silence, "people": people}
    quiet = whole_number(silence, most=10_000) or 0
    name = name or ("untitled" if "try" in request.POST else "")
    try:
        kind = edited.kind if edited else request.POST.get("kind", "")
        if "try" not in request.POST:
            to += [one.pk for one in sending.of_members(project.pk, people)]
        alert = alert_actions.draft(project, kind, name, given, to, quiet)
        if "try" not in request.POST:
            return _keep(request, project, edited, alert)
    except ActionError as error:
        return _refused(request, project, "alert", typed, error)
    tried = alerting.preview(alert, timezone.now())
    shown = _context(request, project, typed=typed, tried=tried, tried_words=words(alert))
    return render(request, "settings/alerts.html", shown)


def _keep(
    request: HttpRequest, project: Project, edited: Alert | None, made: Alert
) -> HttpResponse:
    if edited:
        alert_actions.change(edited, made, by=person(request))
        toast(request, f"Alert {made.name} saved", icon="bell")
    else:
        alert_actions.add(made, by=person(request))
        toast(request, f"Alert {made.name} is on", icon="bell")
    return _back(project, "alerts")


def _refused(
    request: HttpRequest, project: Project, form: str, typed: dict[str, Any], error: ActionError
) -> HttpResponse:
    key = {"alert": "typed", "destination": "written"}.get(form, "asked")
    more = {"problems": {form: {error.field or "all": str(error)}}, key: typed}
    shown = _context(request, project, **more)
    return render(request, "settings/alerts.html", shown, status=422)


def _back(project: Project, section: str) -> HttpResponseRedirect:
    url = reverse("settings_alerts", args=[project.slug])
    return HttpResponseRedirect(f"{url}#{section}")


@require_POST
def act(request: HttpRequest, slug: str, alert_id: int) -> HttpResponse:
    """Turn an alert on or off, snooze it, or remove it."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    alert = get_object_or_404(Alert.objects.select_related("project"), project=project, pk=alert_id)
    verb, by = request.POST.get("act", ""), person(request)
    if verb == "switch":
        alert_actions.turn(alert, "on" in request.POST, by=by)
        toast(request, f"Alert {alert.name} is {'on' if alert.on else 'off'}", icon="bell")
    elif verb in SNOOZES:
        alert_actions.snooze(alert, timezone.now() + SNOOZES[verb], by=by)
        toast(request, f"Alert {alert.name} is silent for {verb}", icon="bell")
    elif verb == "wake":
        alert_actions.snooze(alert, None, by=by)
        toast(request, f"Alert {alert.name} is awake", icon="bell")
    elif verb == "remove":
        alert_actions.remove(alert, by=by)
        toast(request, f"Alert {alert.name} removed", icon="bell")
    return _back(project, "alerts")


@require_POST
def add_destination(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a destination; the page that follows shows the secret of a webhook, once."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    post = request.POST
    written = {name: post.get(name, "").replace("\x00", "") for name in ("way", "name", "address")}
    events = post.getlist("event")[:20]
    try:
        made = actions.add_destination(
            project, written["way"], written["name"], written["address"], events,
            by=person(request),
        )  # fmt: skip
    except ActionError as error:
        return _refused(request, project, "destination", {**written, "events": events}, error)
    if made.kind == Kind.WEBHOOK:
        request.session[FRESH] = {"kind": "secret", "text": made.secret, "about": made.name}
    else:
        toast(request, f"Destination {made.name} added", icon="bell")
    return _back(project, "destinations")


def _destination(request: HttpRequest, slug: str, pk: int) -> Destination:
    project = permissions.project_for(request, slug, Role.ADMIN)
    rows = Destination.objects.select_related("project")
    return get_object_or_404(rows, project=project, pk=pk)


@require_GET
def destination(request: HttpRequest, slug: str, destination_id: int) -> HttpResponse:
    """The log of a destination: what was sent there, and how it went."""
    found = _destination(request, slug, destination_id)
    context = {"destination": found, "log": querysets.log(found), "events": outbox.KINDS.items()}
    return render(request, "settings/destination.html", context)


@require_POST
def change_destination(request: HttpRequest, slug: str, destination_id: int) -> HttpResponse:
    """Turn a destination on or off, test it, choose its events, renew its secret, or remove it."""
    found = _destination(request, slug, destination_id)
    verb, by = request.POST.get("act", ""), person(request)
    page_of = reverse("settings_destination", args=[slug, destination_id])
    if verb in {"on", "off"}:
        actions.turn(found, verb == "on", by=by)
        toast(request, f"Destination {found.name} is {verb}", icon="bell")
    elif verb == "test":
        actions.send_test(found, by=by)
        toast(request, "A test is on its way. Load the page again in a few seconds", icon="bell")
    elif verb == "events":
        actions.set_events(found, request.POST.getlist("event")[:20], by=by)
        toast(request, "Events saved", icon="bell")
    elif verb == "rotate" and found.kind == Kind.WEBHOOK:
        text = actions.rotate(found, by=by)
        request.session[FRESH] = {"kind": "secret", "text": text, "about": found.name}
        return _back(found.project, "destinations")
    elif verb == "remove":
        actions.remove(found, by=by)
        toast(request, f"Destination {found.name} removed", icon="bell")
        return _back(found.project, "destinations")
    return HttpResponseRedirect(page_of)


@require_POST
def replay(request: HttpRequest, slug: str, delivery_id: int) -> HttpResponse:
    """Send an event to its destination once more."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    found = get_object_or_404(Delivery, project=project, pk=delivery_id)
    actions.replay(found)
    toast(request, f"evt_{found.event_id} is on its way again", icon="bell")
    return HttpResponseRedirect(reverse("settings_destination", args=[slug, found.destination_id]))


@require_POST
def add_owner(request: HttpRequest, slug: str) -> HttpResponse:
    """Give new failures of a prompt or span to a member."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    post = request.POST
    owner = User.objects.filter(pk=whole_number(post.get("owner")) or 0).first()
    try:
        rule = talk.add_owner_rule(
            project, post.get("key", ""), post.get("pattern", ""), owner, by=person(request)
        )
    except ActionError as error:
        return _refused(request, project, "owner", {"pattern": post.get("pattern", "")}, error)
    toast(request, f"New failures of {rule} go to {rule.owner}", icon="user")
    return _back(project, "owners")


@require_POST
def remove_owner(request: HttpRequest, slug: str, owner_rule_id: int) -> HttpResponse:
    """Forget an owner rule."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    rows = OwnerRule.objects.select_related("project")
    rule = get_object_or_404(rows, project=project, pk=owner_rule_id)
    talk.remove_owner_rule(rule, by=person(request))
    toast(request, f"Owner of {rule} removed", icon="user")
    return _back(project, "owners")


@require_POST
def tracker(request: HttpRequest, slug: str) -> HttpResponse:
    """Say where issues are opened."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    kind, base = request.POST.get("kind_of", ""), request.POST.get("base", "")
    try:
        talk.set_tracker(project, kind, base, by=person(request))
    except ActionError as error:
        return _refused(request, project, "tracker", {"base": base, "kind_of": kind}, error)
    toast(request, "Tracker saved", icon="link")
    return _back(project, "owners")
