"""The HTTP API of a server elsewhere, for CI: TRACEHUB_URL with TRACEHUB_API_KEY."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import click

TIMEOUT_SECONDS = 120.0
_BUSY = {429, 503}
_TRIES = 10  # of a read, a few seconds apart, while the server is busy


@dataclass(frozen=True, slots=True)
class Reply:
    """The body of an answer and its headers."""

    body: bytes
    headers: Message

    def json(self) -> Any:
        return json.loads(self.body)


class Refused(click.ClickException):
    """What the server said when it did not do it, with the status."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A redirect would send the key to wherever the answer points."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


class Api:
    """Calls of `/api/v1` with a key. Refusals end the command with what the server said."""

    def __init__(self, url: str, key: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise click.UsageError(
                f"TRACEHUB_URL must be an http or https address. Got {url[:80]!r}."
            )
        self.base = f"{url.rstrip('/')}/api/v1"
        self.host = parts.netloc
        self._key = key
        self._open = urllib.request.build_opener(_NoRedirects).open

    def get(self, path: str, **query: str) -> Reply:
        """Read; a busy server is asked again after a second, some times. Raises Refused."""
        where = path + (f"?{urlencode(query)}" if query else "")
        for _ in range(_TRIES - 1):
            try:
                return self._call("GET", where)
            except Refused as error:
                if error.status not in _BUSY:
                    raise
                time.sleep(1.0)
        return self._call("GET", where)

    def post(self, path: str, body: Any) -> Reply:
        return self._call("POST", path, json.dumps(body).encode())

    def ingest(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send traces to a path of ingestion; return status and answer, 400 and 503 included."""
        status, reply = self._send("POST", self.base.removesuffix("/api/v1") + path, body)
        if status >= 300 and status not in {400, 503}:
            raise Refused(f"{self.host}: {_said(status, reply.body)}", status)
        return status, reply.body

    def _call(self, method: str, path: str, data: bytes | None = None) -> Reply:
        status, reply = self._send(method, self.base + path, data)
        if status >= 300:
            raise Refused(f"{self.host}: {_said(status, reply.body)}", status)
        return reply

    def _send(self, method: str, url: str, data: bytes | None) -> tuple[int, Reply]:
        """Return status and answer, whatever it says. Without an answer the command ends."""
        request = urllib.request.Request(  # noqa: S310 the scheme was checked above
            url,
            data=data,
            method=method,
            headers={
                "Authorization": f"Bearer {self._key}",
                "Content-Type": "application/json",
                "User-Agent": "tracehub-cli",
            },
        )
        try:
            with self._open(request, timeout=TIMEOUT_SECONDS) as answer:
                return answer.status, Reply(answer.read(), answer.headers)
        except urllib.error.HTTPError as error:
            return error.code, Reply(error.read(), error.headers)
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
            raise click.ClickException(f"{self.host} cannot be reached: {reason}.") from error


def _said(status: int, body: bytes) -> str:
    try:
        return str(json.loads(body)["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return f"it answered {status} {http.client.responses.get(status, '')}".rstrip() + "."


def configured() -> Api | None:
    """Return the server that the environment names, None for the local installation.

    Raises UsageError when only one of the two variables is set.
    """
    url = os.environ.get("TRACEHUB_URL", "").strip()
    key = os.environ.get("TRACEHUB_API_KEY", "").strip()
    if not url:
        return None
    if not key:
        raise click.UsageError(
            "TRACEHUB_URL is set, TRACEHUB_API_KEY is not. Set it to a key of scope reviewer."
        )
    return Api(url, key)


def part(text: str) -> str:
    """Return text as one part of a path."""
    return quote(text, safe="")
