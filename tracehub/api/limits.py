"""How often a key may call.

Kept by each web process for its share, so that a call costs no query. 429 is for this alone: a
server that is busy says 503.
"""

from __future__ import annotations

import math

from django.conf import settings

from tracehub.api.errors import ApiError
from tracehub.core.bucket import Buckets

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
