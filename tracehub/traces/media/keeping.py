"""Looks at media that are due: deletes what no trace speaks of, moves large ones to objects.

One transaction each, under the lock of its row; an object is deleted before its row, so none is
left that nobody knows.
"""

from __future__ import annotations

import logging
import secrets
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
    if not store.used(one):
        if one.key:
            objects.delete(one.key)
        store.delete(one)
        return
    if settings.PAYLOADS_URL and not one.key and one.size > settings.PAYLOAD_BYTES:
        key = f"media/{one.project_id}/{one.hash.hex()}-{secrets.token_hex(8)}"
        objects.write(key, store.body(one))
        store.moved(one, key)
    store.later(one, timezone.now() + store.AGAIN)
