"""Looks at media that are due: deletes what no trace speaks of, moves large ones to objects.

One transaction each, under the lock of its row. An object's key follows from its medium, and it is
deleted before the row: what was written before a crash is found again, and none is left that nobody
knows.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from tracehub.traces.media import store
from tracehub.traces.payloads import objects

logger = logging.getLogger(__name__)

BATCH = 100
RETRY = timedelta(minutes=15)


def work(limit: int = BATCH) -> int:
    """Look at what is due; return how many those were."""
    for count in range(limit):
        with transaction.atomic():
            one = store.due(timezone.now())
            if one is None:
                return count
            try:
                with transaction.atomic():
                    _look(one)
            except Exception as error:  # each storage has errors of its own
                logger.warning("Object storage fails for a medium; tried again later: %s", error)
                store.later(one, timezone.now() + RETRY)
    return limit


def _look(one: store.Due) -> None:
    large = bool(settings.PAYLOADS_URL) and one.size > settings.PAYLOAD_BYTES
    key = f"media/{one.project_id}/{one.hash.hex()}"
    if not store.used(one):
        if one.key or large:  # written, or by a move that did not end
            objects.delete(one.key or key)
        store.delete(one)
        return
    if large and not one.key:
        objects.write(key, store.body(one))
        store.moved(one, key)
    store.later(one, timezone.now() + store.AGAIN)
