"""ASGI's messages, and one request and one answer on an ingestion path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from tracehub.ingest.access import Grant

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

HEADERS = (
    (b"cache-control", b"private, no-store"),
    (b"content-security-policy", b"default-src 'none'; sandbox; frame-ancestors 'none'"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
    (b"x-frame-options", b"DENY"),
    (b"vary", b"Cookie, HX-Request"),
)
HSTS = ((b"strict-transport-security", b"max-age=31536000; includeSubDomains"),)


def fixed_headers() -> tuple[tuple[bytes, bytes], ...]:
    """Return what every answer carries that Django does not write."""
    return HEADERS + HSTS if settings.SECURE else HEADERS


@dataclass(slots=True)
class Request:
    """One request on an ingestion path. Header names are lower case."""

    path: str
    headers: Mapping[str, str]
    content_type: str  # without parameters
    charset: str
    body: bytes
    grant: Grant


@dataclass(slots=True)
class Answer:
    """What goes back: status, body, its type, and headers beyond the fixed ones."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
