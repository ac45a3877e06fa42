"""An open loop of small requests: each goes out at its time, whatever became of those before it.

So a stall is felt by all requests that fall into it. Latency counts from the time a request should
have gone out. A part of the traces is watched until their row is in `traces`, which the list reads:
the worker writes it with its signals, in one statement.
"""

from __future__ import annotations

import argparse
import threading
import time
from typing import Any
from uuid import UUID

import loadgen
import psycopg
import tracegen

SENDERS = 16
WATCHED = 10  # one trace in so many
LOOK_EVERY = 0.05  # seconds
SEEN = """
    SELECT trace_id FROM traces WHERE day >= current_date - 1 AND trace_id = ANY(%s)
"""


class Loop:
    """`rate` requests of one trace (5 spans) a second for `seconds`."""

    def __init__(self, target: dict[str, Any], rate: float, seconds: float, seed: int) -> None:
        self.rate, self.url, self.count = rate, target["url"], max(1, int(rate * seconds))
        chosen = argparse.Namespace(
            url=self.url, header=target["header"], format="pb", gzip=False, per_request=1,
            seed=seed, project="bench",
        )  # fmt: skip
        self.requests = loadgen.build(chosen, 0, self.count)
        self.ids = [
            UUID(bytes=tracegen.make_trace(i, seed)[0]["trace_id"])
            for i in range(0, self.count, WATCHED)
        ]
        self.dsn = target["count_pg"]
        self.latencies: list[float] = []
        self.visible: list[float] = []
        self.failed = 0
        self._answered: dict[UUID, float] = {}
        self._next = iter(range(self.count))
        self._lock = threading.Lock()
        self._sent = threading.Event()

    def run(self, patience: float = 30) -> dict[str, float]:
        """Send everything, wait until the watched traces show, and return the figures."""
        senders = [threading.Thread(target=self._send, daemon=True) for _ in range(SENDERS)]
        watcher = threading.Thread(target=self._watch, args=(patience,), daemon=True)
        self._start = time.perf_counter() + 0.1
        for thread in (*senders, watcher):
            thread.start()
        for thread in senders:
            thread.join()
        self._sent.set()
        watcher.join()
        return {
            "rate": self.rate,
            "p50_ms": 1e3 * loadgen.pct(self.latencies, 50),
            "p99_ms": 1e3 * loadgen.pct(self.latencies, 99),
            "visible_p95_s": loadgen.pct(self.visible, 95),
            "failed": self.failed,
            "unseen": len(self.ids) - len(self.visible),
        }

    def _send(self) -> None:
        connection = loadgen.Conn(self.url)
        while True:
            with self._lock:
                index = next(self._next, None)
            if index is None:
                return
            due = self._start + index / self.rate
            time.sleep(max(0.0, due - time.perf_counter()))
            try:
                status = connection.request(self.requests[index])[0]
            except OSError:
                connection.s, status = None, 0
            now = time.perf_counter()
            if status != 200:
                self.failed += 1
                continue
            self.latencies.append(now - due)
            if index % WATCHED == 0:
                self._answered[self.ids[index // WATCHED]] = now

    def _watch(self, patience: float) -> None:
        end = None
        with psycopg.connect(self.dsn, autocommit=True) as link:
            while self._answered or not self._sent.is_set():
                rows = link.execute(SEEN, (list(self._answered),)).fetchall()
                now = time.perf_counter()
                self.visible += [now - self._answered.pop(trace_id) for (trace_id,) in rows]
                if self._sent.is_set():
                    end = end or now + patience
                    if now > end:
                        return
                time.sleep(LOOK_EVERY)
