"""Headers that every answer carries, whichever view made it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware

PERMISSIONS = "camera=(), microphone=(), geolocation=(), payment=()"

Handler = (
    Callable[[HttpRequest], HttpResponse]
    | Callable[[HttpRequest], Awaitable[HttpResponse]]
)


def _finish(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    response.headers.setdefault("Permissions-Policy", PERMISSIONS)
    response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if not request.path.startswith("/static/"):
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
        return _finish(request, get_response(request))

    return middleware_sync
