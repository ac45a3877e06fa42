"""Moves large payloads out of the database and deletes objects that no span refers to.

Each step can be killed and done again: see `store`.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.utils import timezone

from tracehub.traces.payloads import objects, store

logger = logging.getLogger(__name__)

BATCH = 100


def work(*, now: datetime | None = None, limit: int = BATCH) -> int:
    """Do one batch of what is due; return how many were looked at.

    When the storage fails the rest of the batch waits for `store.LEASE`.
    """
    now = now or timezone.now()
    due = store.claim(now, limit)
    for item in due:
        try:
            if item.key:
                _check(item, now)
            else:
                _move(item)
        except Exception as error:  # each storage has errors of its own
            logger.warning("Object storage does not take a payload; tried again later: %s", error)
            break
    return len(due)


def _move(item: store.Item) -> None:
    payload = store.payload(item)
    if payload is None or payload[:1] == objects.MOVED or not settings.PAYLOADS_URL:
        store.forget(item)
        return
    key = objects.new_key(*item.span)
    if not store.begin(item, key):
        return
    objects.save(key, payload)
    moved = store.refer(item, key, payload)
    if not moved:  # it changed meanwhile: this object is of no use, the span waits again
        store.wait(item)
    now = timezone.now()
    store.later(item._replace(key=key), now + store.AGAIN if moved else now)


def _check(item: store.Item, now: datetime) -> None:
    if store.referred(item):
        store.later(item, now + store.AGAIN)
        return
    objects.delete(item.key)
    store.forget(item)
