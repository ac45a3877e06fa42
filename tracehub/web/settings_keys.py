"""Settings: keys of a project. A key's text is shown once and never again."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.views.decorators.http import require_POST

from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Role
from tracehub.web import permissions
from tracehub.web.forms.settings import KeyForm
from tracehub.web.settings_pages import FRESH, back_to, person, refused
from tracehub.web.shell import toast


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a key; the page that follows shows its text, once."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = KeyForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "keys", form)
    key, text = actions.create_key(project, by=person(request), **form.cleaned_data)
    request.session[FRESH] = {"kind": "key", "text": text, "about": key.name}
    return back_to(project, "keys")


@require_POST
def revoke(request: HttpRequest, slug: str, key_id: int) -> HttpResponse:
    """Turn a key off."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    key = get_object_or_404(ApiKey, project=project, pk=key_id, revoked_at=None)
    actions.revoke_key(key, by=person(request))
    undo = reverse("settings_key_restore", args=[slug, key_id])
    toast(request, f"Key {key.name} revoked", icon="key", undo=undo)
    return back_to(project, "keys")


@require_POST
def restore(request: HttpRequest, slug: str, key_id: int) -> HttpResponse:
    """Take a revocation back (undo)."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    key = get_object_or_404(ApiKey, project=project, pk=key_id)
    actions.restore_key(key, by=person(request))
    toast(request, f"Key {key.name} works again", icon="key")
    return back_to(project, "keys")
