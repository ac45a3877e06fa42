"""Ways in: sign-in by allauth with our rules, one-time links and invitations."""

from __future__ import annotations

from typing import Any

from allauth.account import urls as allauth_urls
from allauth.account.adapter import DefaultAccountAdapter
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tracehub.projects import actions
from tracehub.projects.actions import ActionError
from tracehub.projects.models import User
from tracehub.web.forms.accounts import JoinForm

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
# What of allauth is open. An address is changed by an operator: invitations are bound to it.
_OPEN = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",  # closed, but mails of allauth name its page
    "account_reauthenticate",
    "account_change_password",
    "account_set_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
}
urlpatterns: list[URLPattern] = [each for each in allauth_urls.urlpatterns if each.name in _OPEN]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """People come by invitation or by `tracehub createuser`; each way in is in the audit log."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        actions.audit("person.signed_in", by=user, address=address(request), way="password")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        super().authentication_failed(request, **credentials)
        asked = str(credentials.get("email", ""))[:254]
        actions.audit("person.sign_in_failed", object=asked, address=address(request))

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/"


def address(request: HttpRequest) -> str | None:
    """Return the client's address: that of the connection, or of the proxies that are trusted."""
    adapter = AccountAdapter(request)
    found: str | None = adapter.get_client_ip(request)
    return found


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link: opening it shows a button, pressing that uses it up.

    Programs that fetch links in mails and chats therefore do no harm.
    """
    if request.method == "POST":
        user = actions.use_sign_in_link(token)
        if user is not None:
            _sign_in(request, user, "link")
            return redirect("/")
    link = actions.find_sign_in_link(token)
    return render(request, "account/link.html", {"link": link}, status=200 if link else 410)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Join a project: with a name and password when new, else after signing in."""
    offer = actions.find_invitation(token)
    if offer is None:
        return render(request, "account/invitation.html", {"invitation": None}, status=410)
    known = User.objects.filter(email__iexact=offer.email).first()
    form = JoinForm(request.POST if request.method == "POST" else None, email=offer.email)
    person = request.user if isinstance(request.user, User) else None
    problem = ""
    if request.method == "POST":
        try:
            joined = _join(token, person, known, form)
        except ActionError as error:
            joined, problem = None, str(error)
        if joined is not None:
            if person is None:
                _sign_in(request, joined, "invitation")
            return redirect("traces", slug=offer.project.slug)
    context = {
        "invitation": offer,
        "form": form,
        "problem": problem,
        "known": known is not None,
        "person": person,
        "same": person is not None and person.email.lower() == offer.email,
    }
    return render(
        request, "account/invitation.html", context, status=422 if request.method == "POST" else 200
    )


def _join(token: str, person: User | None, known: User | None, form: JoinForm) -> User | None:
    """Take the seat; None when something is missing yet. Raises ActionError."""
    if person is not None:
        return actions.accept_invitation(token, user=person)
    if known is None and form.is_valid():
        return actions.accept_invitation(token, **form.cleaned_data)
    return None


def _sign_in(request: HttpRequest, user: User, way: str) -> None:
    login(request, user, backend=BACKEND)  # a new session id: one that was fixed before is dead
    actions.audit("person.signed_in", by=user, address=address(request), way=way)
