"""The files of exports, in the data folder: one folder per project, named by the job alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from django.conf import settings

from tracehub.digest import trace_files
from tracehub.digest.models import BulkJob


def root() -> Path:
    return Path(settings.DATA_DIR) / "exports"


def path_of(job: BulkJob) -> Path:
    """Where the finished file is, or will be."""
    return root() / str(job.project_id) / f"{job.pk}.{job.choice['format']}"


def append(job: BulkJob, pieces: Iterable[bytes]) -> int:
    """Write after the part that counts, and return the new size in bytes. Raises OSError.

    What a run that died wrote beyond it is cut off first, so nothing is in the file twice.
    """
    draft = _draft(job)
    draft.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with draft.open("r+b" if draft.exists() else "w+b") as file:
        if file.seek(0, os.SEEK_END) < job.size:
            raise OSError("The begun file is gone from the data folder.")
        file.truncate(job.size)
        file.seek(job.size)
        file.writelines(pieces)
        file.flush()
        os.fsync(file.fileno())
        return file.tell()


def finish(job: BulkJob) -> int:
    """Give the file its name, once it is whole; return its size. May be done twice."""
    draft, path = _draft(job), path_of(job)
    if not draft.exists():
        return path.stat().st_size
    if job.choice["format"] == "parquet":
        made = path.with_suffix(".made")
        with draft.open("rb") as lines, made.open("wb") as file:
            trace_files.finish(lines, file)
        made.replace(path)
        draft.unlink()
    else:
        draft.replace(path)
    return path.stat().st_size


def forget(job: BulkJob) -> None:
    """Delete what there is of a job's file."""
    for path in (_draft(job), path_of(job)):
        path.unlink(missing_ok=True)


def sweep(before: datetime) -> int:
    """Delete files that were last written before a moment; return how many."""
    old = [path for path in root().glob("*/*") if path.stat().st_mtime < before.timestamp()]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _draft(job: BulkJob) -> Path:
    return path_of(job).with_suffix(".part")
