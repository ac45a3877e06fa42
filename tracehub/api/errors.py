"""Refusals of the API: one exception, one shape of answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "unsupported_media_type",
    429: "quota_exceeded",
    500: "internal",
    503: "unavailable",
}


@dataclass(eq=False)  # not frozen: contextlib sets __traceback__ on what passes through it
class ApiError(Exception):
    """A request that is refused: HTTP status, what to say, the field it is about."""

    status: int
    message: str
    field: str | None = None
    headers: Mapping[str, str] | None = None

    def __str__(self) -> str:
        return self.message

    def as_json(self) -> dict[str, dict[str, str]]:
        """Return `{"error": {"code", "message", "field"?}}`."""
        error = {"code": CODES[self.status], "message": self.message}
        return {"error": error | ({"field": self.field} if self.field else {})}


def missing(what: str) -> ApiError:
    """Return the 404 for an object that is not there or belongs to another project: the same."""
    return ApiError(404, f"There is no {what} in this project.")
