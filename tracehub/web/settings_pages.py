"""The Settings page, and what it changes about the project and oneself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from allauth.mfa.models import Authenticator
from django import forms
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.mask_places import ATTRIBUTE, PLACES
from tracehub.core.share import MOST
from tracehub.digest.remasking import work as remasking
from tracehub.failures import querysets as failures
from tracehub.notify.models import Alert
from tracehub.projects import actions, masking
from tracehub.projects.models import (
    ApiKey,
    Invitation,
    MaskKind,
    MaskRule,
    Membership,
    Project,
    Role,
    Scope,
    User,
)
from tracehub.review.models import FailureMode
from tracehub.review.querysets import modes_to_check
from tracehub.traces.sampling import store as sampling
from tracehub.web import permissions
from tracehub.web.forms.settings import ProfileForm, ProjectForm
from tracehub.web.shell import toast

FRESH = "fresh"  # session key: what is shown once, on the next page


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything about a project on one page, and what the person chose for themselves."""
    project = permissions.project_for(request, slug)
    return render(request, "settings/page.html", context(request, project))


def context(request: HttpRequest, project: Project, **more: Any) -> dict[str, Any]:
    """Return what the page shows. Keys and invitations are for admins alone."""
    admin = permissions.allows(request.role, Role.ADMIN)  # type: ignore[attr-defined]
    factor = Authenticator.objects.filter(user=OuterRef("user"))  # a passkey counts as one
    members = Membership.objects.filter(project=project).annotate(factor=Exists(factor))
    modes = list(FailureMode.objects.filter(project=project))
    return {
        "members": list(members.select_related("user").order_by("user__name", "user__email")),
        "invitations": list(_open_invitations(project)) if admin else [],
        "keys": list(_keys(project)) if admin else [],
        "stale": modes_to_check(project),
        "modes": [mode for mode in modes if mode.archived_at is None],
        "archived_modes": [mode for mode in modes if mode.archived_at is not None],
        "mask_rules": _mask_rules(project),
        "mask_kinds": MaskKind.choices,
        "mask_job": remasking.newest(project),
        "mask_places": [*PLACES, f"{ATTRIBUTE}user.id"],
        "sampling": _sampling(project),
        "alerts": Alert.objects.filter(project=project).count(),
        "contracts": len(failures.contracts(project)),
        "roles": Role.choices,
        "scopes": Scope.choices,
        "fresh": request.session.pop(FRESH, None) if admin else None,
        "errors": {},
        "typed": {},
        **more,
    }


def _open_invitations(project: Project) -> Any:
    return Invitation.objects.filter(project=project, accepted_at=None).order_by("email")


def _mask_rules(project: Project) -> list[tuple[MaskRule, int]]:
    """Every rule with how often it struck lately."""
    counted = masking.counted(project)
    rules = MaskRule.objects.filter(project=project).order_by("id")
    return [(rule, counted.get(rule.name, 0)) for rule in rules]


def _sampling(project: Project) -> dict[str, Any]:
    """The share that is kept of the rest, and what that dropped in the last 24 hours."""
    now = timezone.now()
    dropped = sampling.dropped(project.pk, now - timedelta(days=1), now)
    return {"one_in": sampling.one_in(project.pk), "most_one_in": MOST, "dropped": dropped}


def _keys(project: Project) -> Any:
    keys = ApiKey.objects.filter(project=project, revoked_at=None)
    return keys.select_related("created_by").order_by("-created_at")


def back_to(project: Project, section: str) -> HttpResponseRedirect:
    """Return to a section of the page."""
    return HttpResponseRedirect(f"{reverse('settings', args=[project.slug])}#{section}")


def refused(
    request: HttpRequest, project: Project, section: str, form: forms.Form, message: str = ""
) -> HttpResponse:
    """Show the page again with what was typed and why it cannot be."""
    errors = {name: " ".join(map(str, texts)) for name, texts in form.errors.items()}
    if message:
        errors["all"] = message
    shown = context(request, project, errors={section: errors}, typed={section: form.data})
    return render(request, "settings/page.html", shown, status=422)


@require_POST
def general(request: HttpRequest, slug: str) -> HttpResponse:
    """Rename the project."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = ProjectForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "general", form)
    actions.rename_project(project, form.cleaned_data["name"], by=person(request))
    toast(request, "Project renamed")
    return back_to(project, "general")


@require_POST
def hide_content(request: HttpRequest, slug: str) -> HttpResponse:
    """Hide what traces say, or stop hiding it."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    on = request.POST.get("on") == "1"
    actions.hide_content(project, on, by=person(request))
    toast(request, "Content is hidden" if on else "Content shows again")
    return back_to(project, "general")


@require_POST
def profile(request: HttpRequest, slug: str) -> HttpResponse:
    """Keep a person's own name, theme and keyboard choice."""
    project = permissions.project_for(request, slug)
    form = ProfileForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "profile", form)
    user = person(request)
    user.name = " ".join(form.cleaned_data["name"].split())
    user.preferences["theme"] = form.cleaned_data["theme"]
    user.preferences["single_keys"] = form.cleaned_data["single_keys"]
    user.save(update_fields=["name", "preferences"])
    toast(request, "Profile saved")
    return back_to(project, "profile")


def person(request: HttpRequest) -> User:
    """Return the signed-in person; `project_for` has made sure that there is one."""
    if not isinstance(request.user, User):
        raise permissions.SignInNeeded
    return request.user
