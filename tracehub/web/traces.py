"""The Traces page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from tracehub.web import permissions


@require_GET
def trace_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The traces of a project, newest first."""
    permissions.project_for(request, slug)
    return render(request, "traces/list.html")
