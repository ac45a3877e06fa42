"""The worker's sign of life, given while it works: a long backlog is no silence."""

from __future__ import annotations

import time

from django.utils import timezone

from tracehub.digest.models import Heartbeat

EVERY = 2.0  # seconds between two signs of a process; `/readyz` calls 30 silence

_last = float("-inf")


def sign() -> None:
    """Note that the worker lives. Between two pieces of work, for it must not wait for a commit."""
    global _last
    now = time.monotonic()
    if now - _last >= EVERY:
        _last = now
        Heartbeat.objects.update_or_create(name="digest", defaults={"at": timezone.now()})
