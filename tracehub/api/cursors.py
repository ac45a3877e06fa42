"""Opaque, signed places in a list. A cursor fits only the list that it was made for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core import signing

from tracehub.api.errors import ApiError

_SALT = "tracehub.api.cursor"
MAX_LENGTH = 4000


def encode(listing: Mapping[str, Any], place: Any) -> str:
    """Return a cursor for a place in a list; `listing` names the list: project, filter, order."""
    return signing.dumps({"list": dict(listing), "at": place}, salt=_SALT, compress=True)


def decode(cursor: str, listing: Mapping[str, Any]) -> Any:
    """Return the place. Raises ApiError 400 when the cursor was changed or is of another list."""
    try:
        if len(cursor) > MAX_LENGTH:
            raise signing.BadSignature
        held = signing.loads(cursor, salt=_SALT)
    except signing.BadSignature as error:
        raise ApiError(
            400, "cursor must be the `next` of an earlier answer, unchanged.", "cursor"
        ) from error
    if held["list"] != dict(listing):
        raise ApiError(
            400,
            "cursor belongs to another list. Keep q, from, to and sort as they were, "
            "or start without a cursor.",
            "cursor",
        )
    return held["at"]
