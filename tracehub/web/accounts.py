"""Ways in: sign-in by allauth with our rules, one-time links and invitations."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any

from allauth.account import urls as allauth_urls
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.utils import perform_login
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.mfa import urls as mfa_urls
from allauth.mfa.models import Authenticator
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter
from allauth.socialaccount.models import SocialLogin
from allauth.socialaccount.providers.openid_connect import urls as oidc_urls
from allauth.usersessions import urls as sessions_urls
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, URLResolver, include, path, reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from tracehub.projects import actions, outbound
from tracehub.projects.actions import ActionError
from tracehub.projects.models import User
from tracehub.web.forms.accounts import JoinForm

logger = logging.getLogger(__name__)

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
urlpatterns: list[URLPattern | URLResolver] = [
    *(each for each in allauth_urls.urlpatterns if each.name in _OPEN),
    path("2fa/", include(mfa_urls)),
    path("sessions/", include(sessions_urls)),
    path("", include(oidc_urls)),
]
PASSKEY = "mfa_login_webauthn"  # the route that signs in with a passkey alone
WAY = "way"  # attribute of the request: how the person signs in, for the audit log


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """People come by invitation or by `tracehub createuser`; each way in is in the audit log."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse | None:
        """Stop every way in but the provider's, where it is to be the only one."""
        if settings.OIDC_ONLY and "sociallogin" not in (more.get("signal_kwargs") or {}):
            actions.audit("person.sign_in_refused", object=user.email, address=address(request))
            return render(request, "account/only.html", status=403)
        found: HttpResponse | None = super().pre_login(request, user, **more)
        return found

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the address that limits and the audit log count by.

        A request that came past fewer proxies than are trusted says nothing that can be believed:
        the address of its connection counts.
        """
        try:
            found: str = super().get_client_ip(request)
        except ImproperlyConfigured:
            found = request.META["REMOTE_ADDR"]
        return found

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        by_passkey = request.resolver_match and request.resolver_match.url_name == PASSKEY
        way = "passkey" if by_passkey else getattr(request, WAY, "password")
        actions.audit("person.signed_in", by=user, address=address(request), way=way)

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        super().authentication_failed(request, **credentials)
        asked = str(credentials.get("email", ""))[:254]
        actions.audit("person.sign_in_failed", object=asked, address=address(request))

    def send_notification_mail(self, template_prefix: str, user: User, *_: Any, **__: Any) -> None:
        """Note in the audit log what allauth would tell by mail: `mfa/email/totp_activated`."""
        action = f"person.{template_prefix.rpartition('/')[2]}"
        actions.audit(action, by=user, object=user.email, address=address(self.request))

    def is_reauthentication_required(self, *, app: str, **_: Any) -> bool:
        """Not within minutes of setting up a factor: the codes that go with it are shown next."""
        since = timezone.now() - timedelta(seconds=settings.ACCOUNT_REAUTHENTICATION_TIMEOUT)
        made = Authenticator.objects.filter(user=self.request.user, created_at__gt=since)
        return not made.filter(type=Authenticator.Type.TOTP).exists()

    def get_password_change_redirect_url(self, request: HttpRequest) -> str:
        return "/"


class ProviderAdapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """People of the provider: known by issuer and subject, by a checked address when trusted."""

    def get_requests_session(self) -> Any:
        return outbound.session()

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        setattr(request, WAY, "provider")
        if not _is_what_the_issuer_says(sociallogin.account.extra_data):
            self.on_authentication_error(request)
        if sociallogin.is_existing or not settings.OIDC_TRUST_EMAIL:
            return
        checked = [each.email for each in sociallogin.email_addresses if each.verified is True]
        for email in checked:
            person = User.objects.filter(email__iexact=email, is_active=True).first()
            person = person or actions.join_invited(email)
            if person is not None:
                sociallogin.connect(request, person)
                actions.audit("person.linked", by=person, address=address(request))
                return

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        actions.audit(
            "person.sign_in_failed", object=sociallogin.account.uid[:254], address=address(request)
        )
        return False

    def on_authentication_error(self, request: HttpRequest, *_: Any, **__: Any) -> None:
        """Answer without what the provider said: it may hold what is not for people."""
        actions.audit("person.sign_in_failed", address=address(request), way="provider")
        raise ImmediateHttpResponse(render(request, "account/provider_failed.html", status=403))

    def get_connect_redirect_url(self, request: HttpRequest, socialaccount: Any) -> str:
        return "/"


def _is_what_the_issuer_says(said: dict[str, Any]) -> bool:
    """Compare what the provider told with `TRACEHUB_OIDC_URL`, and its two accounts of a person.

    django-allauth holds the ID token to the metadata's issuer. That this is the one that was
    configured, and that the token and the user info are of one subject, is left to us (OpenID
    Connect Discovery 1.0, 4.3; Core 1.0, 5.3.2). A last slash of the address does not count.
    """
    token, person = said.get("id_token") or {}, said.get("userinfo") or {}
    issuer = str(token.get("iss", ""))
    if issuer.rstrip("/") != settings.OIDC_URL:
        logger.error(
            "The sign-in provider calls itself %r, and TRACEHUB_OIDC_URL is %r: they must be the"
            " same. Nobody was signed in.", issuer[:200], settings.OIDC_URL,
        )  # fmt: skip
        return False
    if person.get("sub") != token.get("sub"):
        logger.error("The sign-in provider's token and user info are of two people. Neither is in.")
        return False
    return True


def address(request: HttpRequest) -> str:
    """Return the client's address: that of the connection, or of the proxies that are trusted."""
    return AccountAdapter(request).get_client_ip(request)


@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_link(request: HttpRequest, token: str) -> HttpResponse:
    """A one-time link: opening it shows a button, pressing that uses it up.

    Programs that fetch links in mails and chats therefore do no harm.
    """
    if request.method == "POST":
        user = actions.use_sign_in_link(token)
        if user is not None:
            return _sign_in(request, user, "link", "/")
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
            page = reverse("traces", args=[offer.project.slug])
            if person is None:
                return _sign_in(request, joined, "invitation", page)
            return redirect(page)
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


def _sign_in(request: HttpRequest, user: User, way: str, page: str) -> HttpResponse:
    """Go the way of a password from here on: a second factor is asked for, the session is new."""
    setattr(request, WAY, way)
    answer: HttpResponse = perform_login(request, user, redirect_url=page)
    return answer
