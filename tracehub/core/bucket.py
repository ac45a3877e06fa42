"""How often something may be done: a bucket that fills steadily and holds a second's worth."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

MOST = 10_000  # keys that are remembered; the one that was longest quiet goes


class Buckets:
    """What is left to each key. Safe between threads."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._left: OrderedDict[int, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: int, rate: float) -> float:
        """Take one of `key`, which has `rate` a second; return the seconds to wait, or 0.

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
