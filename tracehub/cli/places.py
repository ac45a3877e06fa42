"""Where a command writes what it was asked for."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


def destination(out: str, filename: str) -> Path | None:
    """Return the file to write, None for standard output.

    `out` is that file, or a folder (one that exists, or ends in /) for a file called `filename`.
    """
    if out == "-":
        return None
    path = Path(out).expanduser()
    if out.endswith("/") or path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return path / filename
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@contextlib.contextmanager
def opened(path: Path | None) -> Iterator[BinaryIO]:
    """Open a `destination` for writing; a file is there whole or not at all."""
    if path is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    draft = path.with_name(f".{path.name}.part")
    try:
        with draft.open("wb") as file:
            yield file
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
