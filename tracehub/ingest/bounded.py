"""What no view is asked: bodies that Django would read whole, to disk, and TRACE."""

from __future__ import annotations

from typing import Any

import orjson

from tracehub.ingest import body
from tracehub.ingest.http import Message, Receive, Send, fixed_headers

LIMIT = 4 * body.MB  # of a form or an API call; traces have a door of their own
TOO_LARGE = (413, "too_large", f"The body may hold {LIMIT // body.MB} MB here. Got more.")
NO_TRACE = (405, "method_not_allowed", "TRACE is not taken.")


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

    if scope["method"] == "TRACE":  # which would answer with what the proxy added
        await _refuse(NO_TRACE, scope, receive, send)
        return
    if announced.isdigit() and int(announced) > LIMIT:
        await _refuse(TOO_LARGE, scope, receive, send)
        return
    try:
        await application(scope, counted, send)
    except TooLarge:
        await _refuse(TOO_LARGE, scope, receive, send)


async def _refuse(why: tuple[int, str, str], scope: Message, receive: Receive, send: Send) -> None:
    """Answer as the API or in plain text, then read on a little, so that the sender sees it."""
    status, code, message = why
    as_json = scope["path"].startswith("/api/")
    error = {"error": {"code": code, "message": message}}
    text = orjson.dumps(error) if as_json else message.encode()
    kind = b"application/json" if as_json else b"text/plain; charset=utf-8"
    headers = [
        (b"content-type", kind),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
        *fixed_headers(),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
    await body.drain(receive)
