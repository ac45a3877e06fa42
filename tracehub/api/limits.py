"""How often a key may call: a bucket for each, which fills steadily and holds a second's worth.

Kept by each web process for its share, so that a call costs no query. 429 is for this alone: a
server that is busy says 503.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings

from tracehub.api.errors import ApiError

MOST = 10_000  # keys that are remembered; the one that was longest quiet goes


class Buckets:
    """Calls that are left to each key. Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: int, rate: float) -> float:
        """Take one call of `key`, which has `rate` a second; return the seconds to wait, or 0.

        >>> now = [0.0]
        >>> buckets = Buckets(lambda: now[0])
        >>> [buckets.take(1, 2.0) for _ in range(3)]
        [0.0, 0.0, 0.5]
        """
        with self._lock:
            now = self._clock()
            left, at = self._left.pop(key, (max(rate, 1.0), now))
            left = min(max(rate, 1.0), left + (now - at) * rate)
            wait = 0.0 if left >= 1 else (1 - left) / rate
            self._left[key] = (left if wait else left - 1, now)
            if len(self._left) > MOST:
                self._left.popitem(last=False)
        return wait


_buckets = Buckets()


def check(key_id: int) -> None:
    """Raise ApiError 429 when the key called more often than TRACEHUB_API_RATE allows."""
    if not settings.API_RATE:
        return
    wait = _buckets.take(key_id, settings.API_RATE / settings.WEB_WORKERS)
    if wait:
        raise ApiError(
            429,
            f"This key may call {settings.API_RATE} times a second. Wait, or use another key for "
            "other work.",
            headers={
                "Retry-After": str(math.ceil(wait)),
                "RateLimit-Policy": f'"key";q={settings.API_RATE};w=1',
            },
        )
