"""What every page needs around its content."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from tracehub.core.query.terms import FINE
from tracehub.failures.triage.querysets import tab_counts
from tracehub.projects.models import Project, User
from tracehub.traces import rollup, saved
from tracehub.traces.models import SavedView
from tracehub.web import permissions
from tracehub.web.links import with_query

VIEWS = 9  # saved views in the navigation; the menu of the list has all of them


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the project and role of the page, its section, the theme and the CSP nonce."""
    project = getattr(request, "project", None)
    role = getattr(request, "role", None)
    parts = request.path.split("/")
    preferences = getattr(request.user, "preferences", {}) if hasattr(request, "user") else {}
    return {
        "project": project,
        "role": role,
        "can_review": permissions.allows(role, "reviewer"),
        "can_admin": permissions.allows(role, "admin"),
        "section": parts[2] if project and len(parts) > 2 else "",
        "theme": preferences.get("theme", ""),
        "single_keys": preferences.get("single_keys", True),
        # Lazy: evaluating it is what puts the nonce into the header.
        "csp_nonce": getattr(request, "csp_nonce", ""),
        "here": address(request),
        "oidc_id": settings.OIDC_ID,
        "oidc_name": settings.OIDC_NAME,
        "oidc_only": settings.OIDC_ONLY,
        "nav_views": lambda: views(request, project) if project else [],
        "received": lambda: received(project) if project else 0,
        "triage": lambda: needing_decision(project) if project else None,
        "switcher": lambda: switcher(request),
    }


def address(request: HttpRequest) -> str:
    """Return path and query of the page that the person sees, also from within a fragment."""
    shown = urlsplit(request.headers.get("HX-Current-URL", ""))
    # A header is the sender's word: anything but a path of ours would lead elsewhere later.
    if not shown.path.startswith("/") or shown.path[1:2] in ("/", "\\"):
        return request.get_full_path()
    return f"{shown.path}?{shown.query}" if shown.query else shown.path


def views(request: HttpRequest, project: Project) -> list[tuple[SavedView, str, bool]]:
    """Return the saved views of the navigation: each with its address, and whether it is shown."""
    user = request.user
    if not isinstance(user, User):
        return []
    page = reverse("traces", args=[project.slug])
    shown = dict(parse_qsl(urlsplit(address(request)).query)).get("view")
    return [
        (view, with_query(page, view.params | {"view": str(view.pk)}), shown == str(view.pk))
        for view in saved.visible(project, user)[:VIEWS]
    ]


def received(project: Project) -> int:
    """Return how many traces a minute began lately: 5 to 10 minutes. One look at the counts."""
    now = timezone.now()
    start = rollup.floor(now - rollup.FINE_STEP, rollup.FINE_STEP)
    kept = rollup.series(project.pk, (FINE, ""), start, now)
    traces = sum(count for count, _ in kept.values())
    return math.ceil(traces * 60 / (now - start).total_seconds())


def needing_decision(project: Project) -> int:
    """Return how many failures are new or regressed. One query over the groups of a project."""
    return tab_counts(project, timezone.now())["triage"]


def switcher(request: HttpRequest) -> list[Project]:
    """Return the projects that the signed-in person may open, by name. One query."""
    user = request.user
    if not isinstance(user, User):
        return []
    projects = Project.objects.order_by("name", "id")
    return list(projects if user.is_superuser else projects.filter(memberships__user=user))
