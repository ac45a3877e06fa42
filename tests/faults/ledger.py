"""A sender that keeps a ledger: what was acknowledged must be there at the end, once."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
import uuid
from itertools import count

SPANS = 20  # in a request, of 4 traces
GIVE_UP = 60.0  # seconds without any acknowledgement


class Sender:
    """Sends requests of SPANS spans until told to stop, each again until it is acknowledged.

    As an OTLP client does: the same bytes again after no answer, 502, 503 or 504.
    """

    def __init__(self, url: str, key: str, total: int, connections: int = 4) -> None:
        self.url, self.key, self.total = url, key, total
        self.acknowledged: set[tuple[str, str]] = set()
        self.unexpected: list[str] = []
        self.refused = 0
        self._numbers, self._lock = count(), threading.Lock()
        self._pause = threading.Event()
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(connections)]

    def start(self) -> None:
        for thread in self.threads:
            thread.start()

    def join(self, seconds: float) -> bool:
        """Wait for the end; False when it did not come in time."""
        end = time.monotonic() + seconds
        for thread in self.threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self.threads)

    @property
    def share(self) -> float:
        return len(self.acknowledged) / self.total

    def _run(self) -> None:
        while True:
            with self._lock:
                number = next(self._numbers)
            if number * SPANS >= self.total:
                return
            body, ids = self._request()
            self._deliver(body, ids)

    def _deliver(self, body: bytes, ids: set[tuple[str, str]]) -> None:
        end = time.monotonic() + GIVE_UP
        while time.monotonic() < end:
            status = self._post(body)
            if status == 200:
                with self._lock:
                    self.acknowledged |= ids
                return
            if status not in {0, 502, 503, 504}:
                self.unexpected.append(f"HTTP {status}")
                return
            self.refused += 1
            self._pause.wait(0.1)
        self.unexpected.append("gave up")

    def _post(self, body: bytes) -> int:
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.key}"}
        request = urllib.request.Request(f"{self.url}/v1/traces", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    @staticmethod
    def _request() -> tuple[bytes, set[tuple[str, str]]]:
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
