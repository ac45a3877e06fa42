"""One object a span: its `content` and `raw`, in the storage that TRACEHUB_PAYLOADS_URL names.

In the row `content` is then `{"payload_object": KEY}` with `cost_source`, which SQL asks for, and
`raw` is empty. `whole` puts rows together again, so nobody else has to know.
"""

from __future__ import annotations

import logging
import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import OperationalError

from tracehub.core.packing import compress, decompress
from tracehub.core.stored import span_hex

logger = logging.getLogger(__name__)

KEY = "payload_object"
COST = "cost_source"  # stays in the row: repricing asks for it and changes it
READERS = 8  # objects of a trace that are read at once
MOVED = b""  # `raw` of a row whose payload is an object

Row = dict[str, Any]


class PayloadAway(OperationalError):
    """The object of a payload cannot be read now: pages and API answer 503, as for the database."""


def new_key(project_id: int, day: date, trace_id: UUID, span_id: int) -> str:
    """Return a key that no object has: a payload that is replaced never shares one."""
    span = f"{span_hex(span_id)}-{secrets.token_hex(8)}"
    return f"{day:%Y/%m/%d}/{project_id}/{trace_id.hex}/{span}"


def save(key: str, content: str, raw: bytes) -> None:
    """Write one object of a content (JSON text) and `raw`. Raises what the storage raises."""
    _storage().save(key, ContentFile(packed(content, raw)))


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


def packed(content: str, raw: bytes) -> bytes:
    """Return both as one: eight bytes of length, zstd of the content, `raw` as it is."""
    text = compress(content.encode())
    return len(text).to_bytes(8, "big") + text + raw


def unpacked(body: bytes) -> tuple[dict[str, Any], bytes]:
    """Return content and `raw` of an object."""
    end = 8 + int.from_bytes(body[:8], "big")
    return orjson.loads(decompress(body[8:end])), body[end:]


def stub(key: str, content: str) -> str:
    """Return what stays of a content in its row, as JSON text."""
    kept = {k: v for k, v in orjson.loads(content).items() if k == COST}
    return orjson.dumps({KEY: key} | kept).decode()


def whole(rows: list[Row]) -> list[Row]:
    """Put `content`, and `raw` where there is one, back into rows of spans; return the rows.

    Costs nothing but a look at each row while nothing was moved. Raises PayloadAway.
    """
    moved = [row for row in rows if KEY in (row["content"] or ())]
    if not moved:
        return rows
    with ThreadPoolExecutor(READERS) as pool:
        bodies = pool.map(read, [row["content"][KEY] for row in moved])
        for row, body in zip(moved, bodies, strict=True):
            content, raw = unpacked(body)
            content.pop(COST, None)  # the row's own goes before it
            row["content"] = content | {k: v for k, v in row["content"].items() if k != KEY}
            if "raw" in row:
                row["raw"] = raw
    return rows


def _storage() -> Storage:
    return storages["payloads"]
