"""What is stored, as text that a test can look through for what must not be there."""

from __future__ import annotations

import json

from tracehub.core.packing import unpack


def rows_as_text(link, table: str) -> str:
    """Every row of a table; payloads of spans as they were before they were packed."""
    rows = [row for (row,) in link.execute(f'SELECT t::text FROM "{table}" t').fetchall()]
    if table.startswith("spans_"):
        packed = link.execute(f"SELECT payload FROM {table} WHERE payload >= '\\x02'").fetchall()
        rows += [part.decode() for (payload,) in packed for part in unpack(bytes(payload))]
    return json.dumps(rows, ensure_ascii=False)
