"""Sending the demo as any application would: OTLP over HTTP, scores as JSON, with an ingest key."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from tracehub.cli.demo import spans, support, tickets, words
from tracehub.cli.demo.story import Scene, moment
from tracehub.cli.demo.troubles import SUPPORT

BATCH = 12  # traces of one request: about 90 spans, 60 KB
SENDERS = 2
AHEAD = 4  # requests made but not yet sent
ANSWER_SECONDS = 10.0  # what OTLP exporters wait for an answer
PATIENCE_SECONDS = 60.0  # for a server that starts, is busy or was restarted
RETRYABLE = frozenset((429, 502, 503, 504))
THUMBS = 0.05  # of the traces without trouble get a thumb up
UNFAIR = 0.004  # and so many a thumb down for nothing
JUDGE = "reply-quality"
CAUGHT, ALARMS = 0.85, 0.03  # of the judge: fails that it finds, and good answers it calls one


class SendError(Exception):
    """The server refused, or did not answer in time; the message is for the operator."""


class Client:
    """Posts to one server; each thread has a connection of its own."""

    def __init__(self, url: str, key: str) -> None:
        self.address = urlsplit(url)
        self.key = key
        self._local = threading.local()
        self._connections: list[http.client.HTTPConnection] = []

    def close(self) -> None:
        """Close the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def post(self, path: str, body: bytes, content_type: str, encoding: str | None = None) -> None:
        """Send a body and wait for its 200; tries again for PATIENCE_SECONDS. Raises SendError."""
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        if encoding:
            headers["Content-Encoding"] = encoding
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, text, wait = self._try(path, body, headers)
            if status == 200:
                return
            if status not in RETRYABLE or time.monotonic() > deadline:
                raise SendError(f"{self.address.geturl()} answered {status or 'nothing'}: {text}")
            time.sleep(wait)

    def _try(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, str, float]:
        """Return status, what the server said, and how many seconds to wait before the next try."""
        connection = self._connection()
        try:
            connection.request("POST", self.address.path.rstrip("/") + path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")[:300]
            return answer.status, text, float(answer.headers.get("Retry-After") or 1)
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            return 503, str(error) or type(error).__name__, 0.5

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            secure = self.address.scheme == "https"
            make = http.client.HTTPSConnection if secure else http.client.HTTPConnection
            host, port = self.address.hostname or "", self.address.port
            connection = self._local.connection = make(host, port, timeout=ANSWER_SECONDS)
            self._connections.append(connection)
        return connection


def build(scene: Scene, now: float, days: int) -> spans.DemoTrace:
    """Return the spans of a scene, `now` being in seconds since the epoch."""
    make = support.build if scene.app == SUPPORT else tickets.build
    return make(scene, int(moment(scene, now, days) * spans.NS))


def score(scene: Scene) -> dict[str, Any] | None:
    """Return the thumb that the customer of a scene gives, if any."""
    rng = random.Random(f"{scene.seed}/thumbs")  # noqa: S311 a demo has no secrets
    drawn = rng.random()
    if scene.trouble:
        value, given = 0, drawn < scene.trouble.thumbs_down
        comment = rng.choice(scene.trouble.comments)
    else:
        value, given = int(drawn >= UNFAIR), drawn < UNFAIR + THUMBS
        comment = rng.choice(words.THUMBS_UP) if value else ""
    if not given:
        return None
    thumb = {"trace_id": scene.trace_id, "name": "thumbs", "value": value, "source": "user"}
    return thumb | {"id": f"demo-{scene.trace_id}"} | ({"comment": comment} if comment else {})


def judged(scene: Scene) -> dict[str, Any] | None:
    """Return what an automated judge says of an answer about money or rules; None for others."""
    if scene.topic is None:
        return None
    bad = scene.trouble is not None and not scene.trouble.quiet
    rng = random.Random(f"{scene.seed}/judge")  # noqa: S311 a demo has no secrets
    fails = rng.random() < (CAUGHT if bad else ALARMS)
    said = {"trace_id": scene.trace_id, "name": JUDGE, "value": int(not fails), "source": "judge"}
    why = "The reply does not keep to what the customer asked, or to the policy."
    return said | {"id": f"judge-{scene.trace_id}"} | ({"comment": why} if fails else {})


def send(
    client: Client,
    scenes: Sequence[Scene],
    *,
    now: float,
    days: int,
    sent: Callable[[int], None],
) -> None:
    """Send the traces of these scenes in their order, and their scores. Raises SendError.

    `sent` is told how many more traces were acknowledged.
    """
    with ThreadPoolExecutor(SENDERS, thread_name_prefix="demo") as pool:
        waiting: deque[Future[int]] = deque()
        try:
            for batch in _batches(scenes):
                body = zlib.compress(spans.encode(build(s, now, days) for s in batch), 1, wbits=31)
                given = (say(scene) for scene in batch for say in (score, judged))
                scores = [one for one in given if one]
                waiting.append(pool.submit(_send_batch, client, len(batch), body, scores))
                if len(waiting) > AHEAD:
                    sent(waiting.popleft().result())
            while waiting:
                sent(waiting.popleft().result())
        finally:
            for future in waiting:
                future.cancel()


def _batches(scenes: Iterable[Scene]) -> Iterator[list[Scene]]:
    left = iter(scenes)
    while batch := list(islice(left, BATCH)):
        yield batch


def _send_batch(client: Client, count: int, body: bytes, scores: list[dict[str, Any]]) -> int:
    client.post("/v1/traces", body, "application/x-protobuf", "gzip")
    if scores:
        client.post("/api/v1/feedback", json.dumps(scores).encode(), "application/json")
    return count
