"""Who asks, and what for: the key of a request and the table of scopes."""

from __future__ import annotations

import logging
from typing import Literal

from django.http import HttpRequest

from tracehub.api.errors import ApiError
from tracehub.projects import keys
from tracehub.projects.actions import find_key, note_use
from tracehub.projects.logs import ACCESS
from tracehub.projects.models import ApiKey, Scope

logger = logging.getLogger(ACCESS)

Need = Literal["read", "review", "admin", "ingest"]
# What each scope may do. An ingest key writes and reads nothing, not even its own traces.
ALLOWS: dict[str, frozenset[Need]] = {
    Scope.INGEST: frozenset({"ingest"}),
    Scope.VIEWER: frozenset({"read"}),
    Scope.REVIEWER: frozenset({"read", "review"}),
    Scope.ADMIN: frozenset({"read", "review", "admin", "ingest"}),
}
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="TraceHub"'}


def authenticate(request: HttpRequest) -> ApiKey:
    """Return the live key that the request shows. Raises ApiError 401.

    A key with a wrong form or checksum costs no query; an unknown id, a wrong secret, a revoked
    and an expired key give the same answer.
    """
    text = keys.presented(_headers(request))
    if text is None:
        raise ApiError(
            401,
            "A key is missing. Send it as 'Authorization: Bearer th_api_…'.",
            "Authorization",
            _CHALLENGE,
        )
    key = find_key(text)
    if key is None:
        logger.warning("Refused: a key that is not valid.")
        raise ApiError(
            401,
            "The key is not valid: mistyped, unknown, revoked or expired. "
            "Make one in Settings, Keys.",
            "Authorization",
            _CHALLENGE,
        )
    note_use(key)
    return key


def _headers(request: HttpRequest) -> dict[str, str]:
    """Return the headers by lower-case name.

    Django leaves out names with an underscore, which a proxy may have meant to strip. `api_key` is
    one that clients send, and what it holds is checked like any key.
    """
    headers = {name.lower(): value for name, value in request.headers.items()}
    for name, value in getattr(request, "scope", {}).get("headers", ()):
        if name == b"api_key":
            headers["api_key"] = value.decode("latin1")
    return headers


def require(key: ApiKey, need: Need) -> None:
    """Raise ApiError 403 unless the scope of the key allows it."""
    if need not in ALLOWS[key.scope]:
        logger.warning("Refused: key %s of scope %s, for %s.", key.public_id, key.scope, need)
        allowed = [scope for scope, needs in ALLOWS.items() if need in needs]
        raise ApiError(
            403,
            f"A key of scope {key.scope} may not do this. Use one of scope {' or '.join(allowed)}.",
        )
