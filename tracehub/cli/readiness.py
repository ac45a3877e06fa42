"""Asking a running TraceHub whether it is ready."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from urllib.parse import urlsplit

POLL_SECONDS = 0.1
_ANSWER_SECONDS = 6.0
_COMPLAIN_SECONDS = 15.0


async def until_ready(url: str, say: Callable[[str], None]) -> None:
    """Return once `/readyz` answers 200; say every 15 s what is still missing."""
    complained = time.monotonic()
    while True:
        status, text = await _ask(url)
        if status == 200:
            return
        if time.monotonic() - complained > _COMPLAIN_SECONDS:
            complained = time.monotonic()
            say(f"Not ready yet: {_reason(status, text)}")
        await asyncio.sleep(POLL_SECONDS)


def _reason(status: int, text: str) -> str:
    """Say what is missing, from the answer of `/readyz`.

    >>> _reason(503, '{"wrong": ["The worker is silent."]}')
    'The worker is silent.'
    """
    if not status:
        return "the web process does not answer."
    try:
        return " ".join(json.loads(text)["wrong"])
    except (ValueError, KeyError, TypeError):
        return f"/readyz answers {status}."


async def _ask(url: str) -> tuple[int, str]:
    """Return the status of `/readyz` and its text; status 0 when there is no answer."""
    try:
        return await asyncio.wait_for(_get(url), _ANSWER_SECONDS)
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError):
        return 0, ""


async def _get(url: str) -> tuple[int, str]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        request = f"GET /readyz HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        writer.write(request.encode())
        await writer.drain()
        answer = (await reader.read()).decode(errors="replace")
    finally:
        writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ", 2)[1]) if " " in head else 0, body.strip()
