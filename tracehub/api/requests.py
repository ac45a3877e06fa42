"""What a view gets: the key's project, path, query and body, all checked against its call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest

from tracehub.api.errors import ApiError
from tracehub.core import shape
from tracehub.core.whole import whole_number
from tracehub.core.wire.decoded import Decoded, WireError
from tracehub.core.wire.json_text import load
from tracehub.projects.models import ApiKey, Project

JSON = "application/json"
MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Param:
    """One parameter of a query string. Whole numbers are checked; text is the view's to read."""

    name: str
    help: str
    kind: Literal["text", "whole"] = "text"
    required: bool = False
    minimum: int = 1
    maximum: int = 2_000_000_000
    example: str | None = None

    def as_schema(self) -> dict[str, Any]:
        if self.kind == "whole":
            return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}
        return {"type": "string"}


@dataclass(slots=True)
class ApiRequest:
    """A request whose key was found and whose parts were checked."""

    key: ApiKey
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def project(self) -> Project:
        return self.key.project

    def whole(self, name: str, default: int) -> int:
        """Return a whole-number parameter that `read_query` has checked."""
        return int(self.query.get(name, default))


def read_query(request: HttpRequest, params: tuple[Param, ...]) -> dict[str, str]:
    """Return the parameters, checked. Raises ApiError 400 on an unknown, double or wrong one."""
    known = {param.name: param for param in params}
    for name in request.GET:
        if name not in known:
            names = ", ".join(known) or "none"
            raise ApiError(400, f"{name[:60]!r} is not a known parameter. Known: {names}.", name)
        if len(request.GET.getlist(name)) > 1:
            raise ApiError(400, f"{name} is there more than once.", name)
        if known[name].kind == "whole":
            _check_whole(known[name], request.GET[name])
    for param in params:
        if param.required and not request.GET.get(param.name):
            raise ApiError(400, f"{param.name} is required.", param.name)
    return {name: request.GET[name] for name in request.GET}


def _check_whole(param: Param, text: str) -> None:
    low, high = param.minimum, param.maximum
    number = whole_number(text, most=high)
    if number is None or number < low:
        raise ApiError(
            400,
            f"{param.name} must be a whole number from {low} to {high}. Got {text[:40]!r}.",
            param.name,
        )


def read_body(request: HttpRequest, schema: shape.Schema) -> Any:
    """Return the decoded body, checked. An empty body is an empty object.

    Raises ApiError: 413 size, 415 type, 400 for what is wrong in it.
    """
    body = _bytes(request)
    if not body:
        value: Any = {}
    else:
        _check_type(request)
        try:
            value = shape.clean(load(body, Decoded()))
        except WireError as error:
            raise ApiError(400, error.message, error.field) from error
        except shape.ShapeError as error:
            raise ApiError(400, str(error), error.field or "body") from error
    try:
        shape.check(value, schema)
    except shape.ShapeError as error:
        raise ApiError(400, f"{error}", error.field or "body") from error
    return value


def _bytes(request: HttpRequest) -> bytes:
    limit = settings.MAX_BODY_MB * MEGABYTE
    declared = request.headers.get("content-length", "")
    if not (declared.isdigit() and int(declared) > limit):
        body: bytes = request.read(limit + 1)
        if len(body) <= limit:
            return body
    raise ApiError(413, f"A body may have {settings.MAX_BODY_MB} MB. Send less at once.", "body")


def _check_type(request: HttpRequest) -> None:
    sent, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = parameters.partition("charset=")[2].strip().strip('"').lower()
    if sent.strip().lower() != JSON or charset not in {"", "utf-8"}:
        got = request.headers.get("content-type", "")[:60]
        raise ApiError(415, f"Content-Type must be {JSON} in UTF-8. Got {got!r}.", "Content-Type")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(415, "Content-Encoding must be identity here.", "Content-Encoding")
