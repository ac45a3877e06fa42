"""The Connect page: a key, how to send with it, and what arrives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.whole import whole_number
from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Project, Role, Scope
from tracehub.traces.models import Refusal, Trace
from tracehub.web import permissions
from tracehub.web.settings_pages import person

FRESH = "fresh_connect_key"  # session key: the text of a new key, shown once
RECENT = timedelta(minutes=15)
KEY_NAME = "connect"
SHOWN = ("trace_id", "day", "name", "started_at", "span_count", "total_tokens")
MENDS = {
    400: "What was sent could not be read. The reason names the field.",
    401: "Send the key as the header authorization: Bearer, followed by the key.",
    403: "This key may read only. Make an ingest key above and send with that.",
    404: "Post to a path that ends in /v1/traces; most exporters add it to the endpoint.",
    405: "Send with POST.",
    413: "The request is too large. Let the exporter send smaller batches.",
    415: "Send protobuf or JSON, with a content-type that says which.",
    429: "This key has a quota. Wait, or raise it.",
    503: "The server is behind. Exporters try again by themselves.",
}


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """How to send traces here."""
    project = permissions.project_for(request, slug)
    fresh = request.session.pop(FRESH, None)
    context = _status(project, timezone.now()) | {
        "fresh": fresh,
        "shown_key": fresh or "YOUR_KEY",
        "base": base_url(request),
        "known_key": ApiKey.objects.filter(
            project=project, scope=Scope.INGEST, revoked_at=None
        ).first(),
    }
    return render(request, "connect/page.html", context)


@require_POST
def new_key(request: HttpRequest, slug: str) -> HttpResponse:
    """Make an ingest key; the page that follows shows its text, once."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    _key, text = actions.create_key(project, Scope.INGEST, KEY_NAME, by=person(request))
    request.session[FRESH] = text
    return redirect("connect", slug=slug)


@require_GET
def status(request: HttpRequest, slug: str) -> HttpResponse:
    """What has arrived since the page was opened; the page asks every two seconds."""
    project = permissions.project_for(request, slug)
    context = _status(project, _since(request.GET.get("since", "")))
    latest = context["latest"]
    # Said aloud once a trace, not every two seconds.
    context["arrived"] = latest is not None and latest.hex != request.GET.get("seen")
    return render(request, "connect/status.html", context)


def _since(text: str) -> datetime:
    now = timezone.now()
    seconds = whole_number(text, most=10**11) or 0
    return max(datetime.fromtimestamp(seconds, UTC), now - timedelta(days=1))


def _status(project: Project, since: datetime) -> dict[str, Any]:
    now = timezone.now()
    latest = Trace.objects.in_project(project).newest_first().only(*SHOWN).first()
    refusal = (
        Refusal.objects.filter(Q(project=project) | Q(project=None), at__gte=now - RECENT)
        .order_by("-at")
        .first()
    )
    return {
        "latest": latest,
        "refusal": refusal,
        "mend": MENDS.get(refusal.status, "") if refusal else "",
        "since": int(since.timestamp()),
        "listening_ms": (now - since).total_seconds() * 1000,
    }


def base_url(request: HttpRequest) -> str:
    """Return the address that programs send to: the set one, or on loopback that of this page."""
    return request.build_absolute_uri("/")[:-1] if settings.LOOPBACK else str(settings.BASE_URL)
