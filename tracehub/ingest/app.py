"""The ingestion endpoints as a bare ASGI application, mounted ahead of Django's middleware.

A 200 leaves after the commit of what it acknowledges. Django is not in the way of a span: no
sessions, no forms, no HTML error page on these paths.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from django.conf import settings
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from tracehub.ingest import body, refusals
from tracehub.ingest.access import Grant, Keyring
from tracehub.ingest.admission import LARGE, Admission
from tracehub.ingest.errors import Refused, busy
from tracehub.ingest.http import Answer, Request
from tracehub.ingest.patience import within
from tracehub.ingest.routes import ROUTES, Route
from tracehub.ingest.writer import Writer
from tracehub.projects import masking
from tracehub.projects import store as project_store
from tracehub.traces import store
from tracehub.traces.wake import wake

logger = logging.getLogger(__name__)

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

WAKE_EVERY = 0.3  # seconds between two wake-ups of the worker
DISK_EVERY = 1.0  # seconds between two looks at the free space
DATABASE_SECONDS = 3.0  # for one statement of ours that is not a group of spans
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


class Ingest:
    """The running state of ingestion in one process."""

    def __init__(self) -> None:
        self.limit = settings.MAX_BODY_MB * body.MB
        self._committed = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._free_until = 0.0
        self._masked: dict[int, Counter[str]] = {}
        self._disk_low = False

    async def start(self) -> None:
        conninfo = store.conninfo(application_name="tracehub-ingest")
        # Opens without waiting: the server comes up when the database is away, and says 503.
        self.pool = AsyncConnectionPool(
            conninfo, min_size=1, max_size=4, open=False, kwargs={"autocommit": True}, timeout=2
        )
        await self.pool.open(wait=False)
        self.keyring = Keyring(self.pool)
        self.admission = Admission(self.limit)
        self.writer = Writer(conninfo, self._committed.set)
        self.writer.start()
        self.refusals = refusals.Log(self.pool)
        self._tasks = [asyncio.create_task(self._wake_worker(), name="tracehub-wake")]

    async def stop(self) -> None:
        await self.writer.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.pool.close(timeout=2)

    async def supplement(self, rows: Sequence[store.SupplementRow]) -> None:
        """Return when supplements are committed. Raises Refused (503) when that cannot be now."""
        if not rows:
            return
        today = datetime.now(UTC).date()
        await self.write(lambda conn: store.add_supplements(conn, rows, today))
        self.wake()

    async def write(self, work: Callable[[AsyncConnection[Any]], Awaitable[Any]]) -> None:
        """Do `work` in a transaction. Raises Refused (503) when that cannot be now."""

        async def transaction() -> None:
            async with self.pool.connection(timeout=1) as conn, conn.transaction():
                await work(conn)

        try:
            await within(DATABASE_SECONDS, transaction())
        except (psycopg.OperationalError, PoolTimeout, TimeoutError):
            raise busy("The database is away. Send again.") from None

    def count_masked(self, grant: Grant, counts: Counter[str]) -> None:
        """Remember how often each rule struck; written with the next wake-up."""
        if counts:
            self._masked.setdefault(grant.project_id, Counter()).update(counts)

    def wake(self) -> None:
        """Have the worker told that something was committed."""
        self._committed.set()

    async def _wake_worker(self) -> None:
        """Tell the worker of new spans, at most every WAKE_EVERY, off the request path."""
        while True:
            await self._committed.wait()
            self._committed.clear()
            await asyncio.to_thread(wake)
            await self._write_counts()
            await asyncio.sleep(WAKE_EVERY)

    async def _write_counts(self) -> None:
        counts, self._masked = self._masked, {}
        if not counts:
            return
        try:
            await self.write(
                lambda conn: conn.execute(project_store.ADD_MASK_COUNTS, masking.columns(counts))
            )
        except Refused:
            for project_id, each in counts.items():
                self._masked.setdefault(project_id, Counter()).update(each)

    def check_disk(self) -> None:
        """Raise Refused (503) while the disk is nearly full, so that Postgres never stops."""
        now = asyncio.get_running_loop().time()
        if now >= self._free_until:
            self._free_until = now + DISK_EVERY
            free = shutil.disk_usage(settings.DATA_DIR).free
            self._disk_low = free < settings.MIN_FREE_MB * body.MB
        if self._disk_low:
            raise busy("The disk of the server is nearly full. Traces are not taken for now.", 5)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        route = ROUTES[scope["path"]]
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        content_type, _, parameters = headers.get("content-type", "").partition(";")
        content_type = content_type.strip().lower()
        try:
            answer = await self._answer(route, scope, headers, content_type, parameters, receive)
        except Refused as refused:
            answer = route.refuse(refused, content_type)
            if refused.status not in {503, 405}:
                self.refusals.add(scope["path"], refused, headers)
            if refused.close:
                answer.headers += ((b"connection", b"close"),)
                await _respond(send, answer)
                await body.drain(receive)
                return
        except body.Disconnected:
            return
        except Exception:
            logger.exception("An ingestion request failed.")
            answer = route.refuse(busy("The server met an error. Send again."), content_type)
        await _respond(send, answer)

    async def _answer(
        self,
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
        grant = await self.keyring.grant(headers)
        charset = parameters.partition("charset=")[2].strip().strip('"').lower()
        route.check_type(content_type, charset)
        if route.method == "POST":
            self.check_disk()
        encoding = headers.get("content-encoding", "").strip().lower()
        body.check_encoding(encoding)
        request = Request(scope["path"], headers, content_type, charset, b"", grant)
        async with self.admission.body(receive, headers) as sent:
            return await self._handle(route, request, sent, encoding)

    async def _handle(self, route: Route, request: Request, sent: bytes, encoding: str) -> Answer:
        """Inflate and handle a body; large ones, however small they came, one after another."""
        try:
            request.body = await body.inflate(sent, encoding, LARGE)
        except Refused as refused:
            if refused.status != 413:
                raise
        else:
            if len(request.body) <= LARGE:
                return await route.handle(self, request)
        async with self.admission.turn():
            request.body = await body.inflate(sent, encoding, 4 * self.limit)
            return await route.handle(self, request)


async def _respond(send: Send, answer: Answer) -> None:
    headers = [
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *HEADERS,
        *answer.headers,
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def handles(scope: Message) -> bool:
    """Say whether a request is for ingestion. Paths shared with the API are ours for POST only."""
    if scope["type"] != "http":
        return False
    route = ROUTES.get(scope["path"])
    return route is not None and (not route.shared or scope["method"] == route.method)
