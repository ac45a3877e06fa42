"""Settings: who is in a project, and who is asked to join."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from tracehub.projects import actions
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Invitation, Membership, Role, User
from tracehub.web import permissions
from tracehub.web.forms.settings import InviteForm, RoleForm
from tracehub.web.settings_pages import FRESH, back_to, person, refused
from tracehub.web.shell import toast


@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Offer a seat; the link is shown once. A second offer to one address replaces the first."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = InviteForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "members", form)
    email, role = form.cleaned_data["email"], form.cleaned_data["role"]
    try:
        token = actions.invite(project, email, role, by=person(request))
    except ActionError as error:
        return refused(request, project, "members", form, str(error))
    link = request.build_absolute_uri(reverse("invitation", args=[token]))
    request.session[FRESH] = {"kind": "invitation", "text": link, "about": email.lower()}
    return back_to(project, "members")


@require_POST
def withdraw(request: HttpRequest, slug: str, invitation_id: int) -> HttpResponse:
    """Take an invitation back."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    found = get_object_or_404(Invitation, project=project, pk=invitation_id, accepted_at=None)
    actions.withdraw_invitation(found, by=person(request))
    toast(request, f"Invitation of {found.email} taken back")
    return back_to(project, "members")


@require_POST
def set_role(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Change what a member may do."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    seat = get_object_or_404(Membership, project=project, user_id=user_id)
    form = RoleForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "members", form)
    before, role = seat.role, form.cleaned_data["role"]
    try:
        actions.set_role(project, seat.user, role, by=person(request))
    except ActionError as error:
        return refused(request, project, "members", form, str(error))
    if role != before:
        undo = reverse("settings_member_restore", args=[slug, user_id, before])
        toast(request, f"{seat.user} is {role} now", undo=undo)
    return back_to(project, "members")


@require_POST
def remove(request: HttpRequest, slug: str, user_id: int) -> HttpResponse:
    """Take a seat away. The last admin stays."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    seat = get_object_or_404(Membership, project=project, user_id=user_id)
    try:
        actions.set_role(project, seat.user, None, by=person(request))
    except ActionError as error:
        return refused(request, project, "members", RoleForm(request.POST), str(error))
    if seat.user == request.user:
        toast(request, f"You left {project.name}")
        return redirect("home")
    undo = reverse("settings_member_restore", args=[slug, user_id, seat.role])
    toast(request, f"{seat.user} removed", undo=undo)
    return back_to(project, "members")


@require_POST
def restore(request: HttpRequest, slug: str, user_id: int, role: str) -> HttpResponse:
    """Give a person back the role they had (undo).

    Only to someone who had a seat here: a seat is otherwise taken by accepting an invitation.
    """
    project = permissions.project_for(request, slug, Role.ADMIN)
    user = User.objects.filter(pk=user_id).first()
    # The same work and answer for strangers and for nobody: they do not tell which people exist.
    had = actions.had_role(project, "" if user is None else user.email, role)
    if user is None or not had:
        return HttpResponse(status=409)
    actions.set_role(project, user, role, by=person(request))
    toast(request, f"{user} is {role} again")
    return back_to(project, "members")
