"""ASGI's messages, and one request and one answer on an ingestion path."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tracehub.ingest.access import Grant

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]


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
