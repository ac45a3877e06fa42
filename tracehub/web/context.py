"""What every page needs around its content."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest
from django.utils import timezone

from tracehub.failures.querysets import tab_counts
from tracehub.projects.models import Project, User
from tracehub.web import permissions


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
