"""The weekly mail: what it would say now, and whether one wants it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from tracehub.digest import weekly
from tracehub.web import permissions
from tracehub.web.settings_pages import person
from tracehub.web.shell import toast


@require_http_methods(["GET", "POST"])
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the mail of this moment; a POST turns it on or off for oneself."""
    project = permissions.project_for(request, slug)
    who, now = person(request), timezone.now()
    if request.method == "POST":
        on = request.POST.get("on") == "1"
        weekly.ask(project, who, on, now)
        toast(request, "The next one comes on Monday" if on else "No weekly mail", icon="bell")
        return HttpResponseRedirect(reverse("settings_weekly", args=[slug]))
    context = {
        "parts": weekly.parts(project, now),
        "wanted": weekly.wanted(project, who),
        "can_send": weekly.can_send(),
    }
    return render(request, "settings/weekly.html", context)
