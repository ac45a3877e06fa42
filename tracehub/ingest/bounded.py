"""A bound on bodies that Django would read whole, to disk, before any view says a word."""

from __future__ import annotations

from typing import Any

import orjson

from tracehub.ingest import body
from tracehub.ingest.http import Message, Receive, Send, fixed_headers

LIMIT = 4 * body.MB  # of a form or an API call; traces have a door of their own
TOO_LARGE = f"The body may hold {LIMIT // body.MB} MB here. Got more."


class TooLarge(Exception):
    """The body crossed LIMIT while Django was reading it."""


async def bounded(application: Any, scope: Message, receive: Receive, send: Send) -> None:
    """Run the application, but answer 413 as soon as a body is announced or seen as too large."""
    announced = dict(scope["headers"]).get(b"content-length", b"")
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > LIMIT:
            raise TooLarge
        return message

    if announced.isdigit() and int(announced) > LIMIT:
        await _refuse(scope["path"], receive, send)
        return
    try:
        await application(scope, counted, send)
    except TooLarge:
        await _refuse(scope["path"], receive, send)


async def _refuse(path: str, receive: Receive, send: Send) -> None:
    """Answer as the API or in plain text, then read on a little, so that the sender sees it."""
    error = {"error": {"code": "too_large", "message": TOO_LARGE}}
    as_json = path.startswith("/api/")
    text = orjson.dumps(error) if as_json else TOO_LARGE.encode()
    kind = b"application/json" if as_json else b"text/plain; charset=utf-8"
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        *fixed_headers(),
    ]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": text})
    await body.drain(receive)
