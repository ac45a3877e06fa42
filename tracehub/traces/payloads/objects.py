"""One object a span: its `payload`, in the storage that TRACEHUB_PAYLOADS_URL names.

The row then holds a zero byte and the key of the object, which no packed payload looks like.
`whole` puts rows together again, so nobody else has to know.
"""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import OperationalError

from tracehub.core.stored import span_hex

logger = logging.getLogger(__name__)

MOVED = b"\x00"  # how `payload` begins where an object holds it
READERS = 8  # objects of a trace that are read at once

Row = dict[str, Any]


class PayloadAway(OperationalError):
    """The object of a payload cannot be read now: pages and API answer 503, as for the database."""


def new_key(project_id: int, day: date, trace_id: UUID, span_id: int) -> str:
    """Return a key that no object has: a payload that is replaced never shares one."""
    span = f"{span_hex(span_id)}-{secrets.token_hex(8)}"
    return f"{day:%Y/%m/%d}/{project_id}/{trace_id.hex}/{span}"


def save(key: str, payload: bytes) -> None:
    """Write one object. Raises what the storage raises."""
    _storage().save(key, ContentFile(payload))


def delete(key: str) -> None:
    """Delete one object; none there is as good."""
    _storage().delete(key)


def read(key: str) -> bytes:
    """Return the bytes of an object. Raises PayloadAway."""
    try:
        with _storage().open(key) as file:
            return bytes(file.read())
    except Exception as error:  # each storage has errors of its own
        logger.warning("The payload %s cannot be read: %s", key, error)
        raise PayloadAway("A payload in object storage cannot be read. Try again soon.") from error


def write(key: str, body: bytes) -> None:
    """Put the bytes of an object back, unless it is there."""
    storage = _storage()
    if not storage.exists(key):
        storage.save(key, ContentFile(body))


def stub(key: str) -> bytes:
    """Return what stands in the row of a span whose payload is an object."""
    return MOVED + key.encode()


def whole(rows: list[Row]) -> list[Row]:
    """Put `payload` back into rows of spans where objects hold it; return the rows.

    Costs nothing but a look at each row while nothing was moved. Raises PayloadAway.
    """
    moved = [row for row in rows if row["payload"][:1] == MOVED]
    if not moved:
        return rows
    with ThreadPoolExecutor(READERS) as pool:
        bodies = pool.map(read, [row["payload"][1:].decode() for row in moved])
        for row, body in zip(moved, bodies, strict=True):
            row["payload"] = body
    return rows


def _storage() -> Storage:
    return storages["payloads"]
