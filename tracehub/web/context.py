"""What every page needs around its content."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest


def shell(request: HttpRequest) -> dict[str, Any]:
    """Return the project of the page, set by `permissions.project_for`, for the navigation."""
    return {"project": getattr(request, "project", None)}
