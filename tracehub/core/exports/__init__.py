"""Cases of an eval set -> files for other tools. One module per format, one row here each."""

from __future__ import annotations

from tracehub.core.exports import csv_table, native, openai_jsonl
from tracehub.core.exports.base import Bundle, Download, ExportError, Format, Tally, download

FORMATS: dict[str, Format] = {
    module.FORMAT.name: module.FORMAT for module in (native, openai_jsonl, csv_table)
}
ALIASES = {"jsonl": "native"}

__all__ = ["ALIASES", "FORMATS", "Bundle", "Download", "ExportError", "Format", "Tally",
           "download", "find"]  # fmt: skip


def find(name: str) -> Format:
    """Return the format of this name. Raises ExportError, which names the known ones."""
    fmt = FORMATS.get(ALIASES.get(name, name))
    if fmt is None:
        known = ", ".join([*FORMATS, *ALIASES])
        raise ExportError(f"format must be one of {known}. Got {name[:60]!r}.")
    return fmt
