"""Where a command writes what it was asked for."""

from __future__ import annotations

from pathlib import Path


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
