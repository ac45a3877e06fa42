"""What belongs to no page in particular: the way home, the theme, and toasts."""

from __future__ import annotations

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_GET, require_POST

from tracehub.projects.models import Project, User
from tracehub.web import context, permissions

THEMES = ("light", "dark")


@login_required
@require_GET
def home(request: HttpRequest) -> HttpResponse:
    """Go to the traces of the person's last project, else of the first one they may open."""
    user = request.user
    if isinstance(user, User) and user.last_project_id:
        last = Project.objects.get(pk=user.last_project_id)
        if permissions.role_in(user, last):
            return redirect("traces", slug=last.slug)
    projects = context.switcher(request)
    if projects:
        return redirect("traces", slug=projects[0].slug)
    return render(request, "no_project.html")


@login_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the person's theme: light, dark, or whatever the system says."""
    user = request.user
    theme = request.POST.get("theme", "")
    if isinstance(user, User):
        user.preferences["theme"] = theme if theme in THEMES else ""
        user.save(update_fields=["preferences"])
    return back(request)


def back(request: HttpRequest, otherwise: str = "/") -> HttpResponseRedirect:
    """Return to the page named by the form field `next`, if it is one of ours."""
    wanted = request.POST.get("next", "")
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return HttpResponseRedirect(wanted if safe else otherwise)


def toast(
    request: HttpRequest,
    text: str,
    *,
    icon: str = "pass",
    undo: str = "",
    link: tuple[str, str] | None = None,
) -> None:
    """Show `text` for 6 s on the next page or fragment with `{% toast %}`; the last one wins.

    `undo` is a URL that takes a POST and ends with `back`; `link` is (word, URL).
    """
    about = {"icon": icon, "undo": undo, "link": link}
    messages.info(request, text, extra_tags=json.dumps(about))
