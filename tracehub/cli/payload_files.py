"""Payloads outside the database, in and out of a backup."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import click
import psycopg

from tracehub.cli import archive
from tracehub.cli.connect import with_django

FOLDER = "payloads/"
# What a backup of an older version's tables lacks.
_MADE = "SELECT to_regclass('public.payload_objects') IS NOT NULL"
_KEYS = "SELECT key FROM public.payload_objects WHERE key <> '' ORDER BY key"
_MEDIA_MADE = "SELECT to_regclass('public.media') IS NOT NULL"
_MEDIA = "SELECT key FROM public.media WHERE key <> '' ORDER BY key"


def add(link: psycopg.Connection, zipped: zipfile.ZipFile) -> dict[str, int]:
    """Put every object into the archive, `payloads/KEY`; return `{"objects", "bytes", "missing"}`.

    An object of a span that was replaced or deleted since the snapshot may be gone: it is counted.
    """
    counts = {"objects": 0, "bytes": 0, "missing": 0}
    if link.execute(_MADE).fetchone() != (True,):
        return counts
    keys = [key for (key,) in link.execute(_KEYS).fetchall()]
    if link.execute(_MEDIA_MADE).fetchone() == (True,):
        keys += [key for (key,) in link.execute(_MEDIA).fetchall()]
    if not keys:
        return counts
    with_django()
    from tracehub.traces.payloads import objects

    for key in keys:
        try:
            body = objects.read(key)
        except objects.PayloadAway:
            counts["missing"] += 1
            continue
        zipped.writestr(FOLDER + key, body)
        counts["objects"] += 1
        counts["bytes"] += len(body)
    if counts["missing"]:
        click.echo(f"{counts['missing']} payloads could not be read and are not in it.", err=True)
    return counts


def put_back(file: Path, manifest: dict[str, Any]) -> None:
    """Write the objects of a backup to the storage of this installation, where they are not."""
    if not manifest.get("payloads", {}).get("objects"):
        return
    with_django()
    from tracehub.traces.payloads import objects

    with archive.opened(file) as zipped:
        for name in zipped.namelist():
            if name.startswith(FOLDER):
                objects.write(name.removeprefix(FOLDER), zipped.read(name))
