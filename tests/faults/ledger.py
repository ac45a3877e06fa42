"""A sender that keeps a ledger: what was acknowledged must be there at the end, once."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from itertools import count
from typing import NamedTuple

import psycopg

SPANS = 20  # in a request, of 4 traces
GIVE_UP = 60.0  # seconds without any acknowledgement


class Answer(NamedTuple):
    """What a request met: status 0 is no answer. Times of the monotonic clock, in seconds."""

    at: float
    seconds: float
    status: int
    retry_after: str


class Sender:
    """Sends requests of SPANS spans until `total` or `finish`, each until it is acknowledged.

    As an OTLP client does: the same bytes again after no answer, 502, 503 or 504.
    """

    def __init__(
        self, url: str, key: str, total: int = 10**9, connections: int = 4, pause: float = 0.0
    ) -> None:
        self.url, self.key, self.total, self.pause = url, key, total, pause
        self.acknowledged: set[tuple[str, str]] = set()
        self.answers: list[Answer] = []
        self.patience = GIVE_UP
        self.unexpected: list[str] = []
        self._numbers, self._lock = count(), threading.Lock()
        self._finish = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def start(self) -> Sender:
        for thread in self.threads:
            thread.start()
        return self

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when it did not come in time."""
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    def finish(self, seconds: float = 30.0) -> None:
        """Begin no more requests; what was begun is delivered."""
        self._finish.set()
        assert self.join(seconds), "a request is still not acknowledged"
        assert not self.unexpected, self.unexpected

    def abandon(self) -> None:
        """Begin and repeat nothing any more."""
        self._finish.set()
        self.patience = 0.0

    @property
    def share(self) -> float:
        return len(self.acknowledged) / self.total

    def since(self, moment: float, status: int | None = None) -> list[Answer]:
        """The answers to requests that were sent after a moment, of one status or any."""
        with self._lock:
            answers = list(self.answers)
        return [a for a in answers if a.at >= moment and status in (None, a.status)]

    def _run(self) -> None:
        while not self._finish.is_set():
            with self._lock:
                number = next(self._numbers)
            if number * SPANS >= self.total:
                return
            body, ids = request_of_spans()
            self._deliver(body, ids)
            self._finish.wait(self.pause)

    def _deliver(self, body: bytes, ids: set[tuple[str, str]]) -> None:
        began = time.monotonic()
        while time.monotonic() < began + self.patience:
            answer = post(self.url, self.key, body)
            with self._lock:
                self.answers.append(answer)
                if answer.status == 200:
                    self.acknowledged |= ids
            if answer.status == 200:
                return
            if answer.status not in {0, 502, 503, 504}:
                self.unexpected.append(f"HTTP {answer.status}")
                return
            threading.Event().wait(0.1)
        self.unexpected.append("gave up")


def post(url: str, key: str, body: bytes) -> Answer:
    """Send one request of OTLP/JSON."""
    headers = {"content-type": "application/json", "authorization": f"Bearer {key}"}
    request = urllib.request.Request(f"{url}/v1/traces", body, headers)
    began, status, retry = time.monotonic(), 0, ""
    try:
        with urllib.request.urlopen(request, timeout=15) as answer:
            status = answer.status
    except urllib.error.HTTPError as error:
        status, retry = error.code, error.headers.get("retry-after", "")
        error.close()
    except OSError:
        status = 0
    return Answer(began, time.monotonic() - began, status, retry)


def request_of_spans() -> tuple[bytes, set[tuple[str, str]]]:
    """A body of SPANS spans, and their ids."""
    spans, ids = [], set()
    now = time.time_ns()
    for _ in range(4):
        trace, root = uuid.uuid4().hex, uuid.uuid4().hex[:16]
        for number in range(SPANS // 4):
            span = root if number == 0 else uuid.uuid4().hex[:16]
            ids.add((trace, span))
            spans.append(
                {
                    "traceId": trace,
                    "spanId": span,
                    **({} if number == 0 else {"parentSpanId": root}),
                    "name": f"step {number}",
                    "startTimeUnixNano": str(now + number),
                    "endTimeUnixNano": str(now + 1_000_000),
                    "attributes": [{"key": "input.value", "value": {"stringValue": "x" * 500}}],
                }
            )
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode(), ids


def stored_spans(url: str) -> list[tuple[str, str]]:
    """What the table of spans holds, as (trace id, span id)."""
    with psycopg.connect(url) as link:
        return link.execute(
            "SELECT replace(trace_id::text, '-', ''), lpad(to_hex(span_id), 16, '0') FROM spans"
        ).fetchall()


def check_stored(url: str, acknowledged: set[tuple[str, str]], wait_for, seconds=60) -> None:
    """What the ledger holds is in the table, once, and every trace reaches the list."""
    rows = stored_spans(url)
    assert len(rows) == len(set(rows)), "a span is stored twice"
    assert acknowledged <= set(rows), "an acknowledged span is lost"
    with psycopg.connect(url, autocommit=True) as link:
        traces = len({trace for trace, _ in rows})
        listed = "SELECT count(*), coalesce(sum(span_count), 0) FROM traces"
        wait_for(
            lambda: link.execute(listed).fetchone() == (traces, len(rows)),
            seconds=seconds,
            why="the worker to list every trace",
        )
