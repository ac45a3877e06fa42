"""The ingestion endpoints as a bare ASGI application, mounted ahead of Django's middleware.

A 200 leaves after the commit of what it acknowledges. Django is not in the way of a span: no
sessions, no forms, no HTML error page on these paths.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from tracehub.ingest import body
from tracehub.ingest.admission import LARGE
from tracehub.ingest.errors import Refused, busy
from tracehub.ingest.http import Answer, Message, Receive, Request, Send, fixed_headers
from tracehub.ingest.routes import ROUTES, Route
from tracehub.ingest.runtime import Ingest

logger = logging.getLogger(__name__)


async def serve(ingest: Ingest, scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request on a path of ROUTES."""
    route = ROUTES[scope["path"]]
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
    }
    content_type, _, parameters = headers.get("content-type", "").partition(";")
    content_type = content_type.strip().lower()
    try:
        answer = await _answer(ingest, route, scope, headers, content_type, parameters, receive)
    except Refused as refused:
        answer = route.refuse(refused, content_type)
        if refused.status not in {503, 405}:
            ingest.refusals.add(scope["path"], refused, headers)
        if refused.close:
            answer.headers += ((b"connection", b"close"),)
            await _respond(send, answer, then=lambda: body.drain(receive))
            return
    except body.Disconnected:
        return
    except Exception:
        logger.exception("An ingestion request failed.")
        answer = route.refuse(busy("The server met an error. Send again."), content_type)
    await _respond(send, answer)


async def _answer(
    ingest: Ingest,
    route: Route,
    scope: Message,
    headers: Mapping[str, str],
    content_type: str,
    parameters: str,
    receive: Receive,
) -> Answer:
    if scope["method"] != route.method:
        allow = route.method.encode()
        raise Refused(
            405,
            f"Use {route.method} here. Got {scope['method']}.",
            headers=((b"allow", allow),),
        )
    grant = await ingest.keyring.grant(headers)
    charset = parameters.partition("charset=")[2].strip().strip('"').lower()
    route.check_type(content_type, charset)
    if route.method == "POST":
        ingest.check_disk()
    encoding = headers.get("content-encoding", "").strip().lower()
    body.check_encoding(encoding)
    request = Request(scope["path"], headers, content_type, charset, b"", grant)
    async with ingest.admission.body(receive, headers) as sent:
        return await handle_body(ingest, route, request, sent, encoding)


async def handle_body(
    ingest: Ingest, route: Route, request: Request, sent: bytes, encoding: str
) -> Answer:
    """Inflate and handle a body; large ones, however small they came, one after another."""
    try:
        request.body = await body.inflate(sent, encoding, LARGE)
    except Refused as refused:
        if refused.status != 413:
            raise
    else:
        if len(request.body) <= LARGE:
            return await route.handle(ingest, request)
    async with ingest.admission.turn():
        request.body = await body.inflate(sent, encoding, 4 * ingest.limit)
        return await route.handle(ingest, request)


async def _respond(
    send: Send, answer: Answer, *, then: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Send an answer. `then` runs while the connection is still open: a server that closes with
    unread data makes its client see a reset instead of the answer."""
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *fixed_headers(),
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": then is not None})
    if then is not None:
        await then()
        await send({"type": "http.response.body", "body": b""})


def handles(scope: Message) -> bool:
    """Say whether a request is for ingestion. Paths shared with the API are ours for POST only."""
    if scope["type"] != "http":
        return False
    route = ROUTES.get(scope["path"])
    return route is not None and (not route.shared or scope["method"] == route.method)
