"""What happens around every view: headers of each answer, and the way to the sign-in page."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin
from requests import RequestException

from tracehub.projects import conflicts
from tracehub.projects.logs import ACCESS
from tracehub.traces.replica import store as replica
from tracehub.web.context import address
from tracehub.web.permissions import SecondFactorNeeded, SignInNeeded
from tracehub.web.revealing import revealed

access = logging.getLogger(ACCESS)

PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=()"
# Files, JSON and plain text: whatever they hold runs nowhere, also when opened on their own.
INERT = "default-src 'none'; sandbox; frame-ancestors 'none'"

Handler = Callable[[HttpRequest], HttpResponse] | Callable[[HttpRequest], Awaitable[HttpResponse]]


def _finish(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Permissions-Policy", PERMISSIONS)
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        response.headers["Content-Security-Policy"] = INERT
    if request.path.startswith("/static/"):
        response.headers.setdefault("X-Frame-Options", "DENY")
    else:
        response.headers.setdefault("Cache-Control", "private, no-store")
        patch_vary_headers(response, ("Cookie", "HX-Request"))
    return response


@sync_and_async_middleware
def response_headers(get_response: Handler) -> Handler:
    """Add what section 4 of docs/security.md lists and Django has no setting for."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _finish(request, await get_response(request))

        return markcoroutinefunction(middleware)

    def middleware_sync(request: HttpRequest) -> HttpResponse:
        return _finish(request, cast(HttpResponse, get_response(request)))

    return middleware_sync


def _reveal(response: HttpResponse) -> HttpResponse:
    if not response.streaming and response.headers.get("Content-Type", "").startswith("text/html"):
        response.content = revealed(response.content)
    return response


@sync_and_async_middleware
def reveal_hidden(get_response: Handler) -> Handler:
    """Write out the invisible characters of every page."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _reveal(await get_response(request))

        return markcoroutinefunction(middleware)

    def middleware_sync(request: HttpRequest) -> HttpResponse:
        return _reveal(cast(HttpResponse, get_response(request)))

    return middleware_sync


def _remember(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    if request.method not in {"GET", "HEAD", "OPTIONS"} and replica.ALIAS in settings.DATABASES:
        response.set_cookie(
            replica.COOKIE,
            "1",
            max_age=replica.STICKY,
            secure=settings.SECURE,
            httponly=True,
            samesite="Lax",
        )
    return response


@sync_and_async_middleware
def remember_writes(get_response: Handler) -> Handler:
    """Have who changed something read the primary for the next seconds: see `replica`."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return _remember(request, await get_response(request))

        return markcoroutinefunction(middleware)

    def middleware_sync(request: HttpRequest) -> HttpResponse:
        return _remember(request, cast(HttpResponse, get_response(request)))

    return middleware_sync


class SignIn(MiddlewareMixin):
    """Send a person whom `permissions.project_for` does not know to the sign-in page."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, PermissionDenied) and request.resolver_match:
            route = request.resolver_match.view_name
            access.warning("Refused: person %s, for %s.", request.user.pk, route)
        if isinstance(exception, SecondFactorNeeded):
            return redirect("mfa_index")
        if isinstance(exception, RequestException):  # a sign-in provider away, or one inside
            return render(request, "account/provider_failed.html", status=403)
        if not isinstance(exception, SignInNeeded):
            return None
        if request.headers.get("HX-Request") != "true":
            return redirect_to_login(request.get_full_path())
        # A fragment cannot hold the sign-in page: the whole page goes there and comes back.
        answer = HttpResponse(status=401)
        answer["HX-Redirect"] = redirect_to_login(address(request)).url
        return answer


class BeginAgain(MiddlewareMixin):
    """Do a request again that met a deadlock or a serialization failure, as `conflicts` says."""

    def process_view(self, _request: HttpRequest, *_view: Any) -> None:
        conflicts.begin()

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if (match := request.resolver_match) is None or not conflicts.lost(exception):
            return None

        def view() -> HttpResponse:
            return cast(HttpResponse, match.func(request, *match.args, **match.kwargs))

        return conflicts.again(exception, view)
