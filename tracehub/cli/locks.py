"""Locks that die with their holder: `flock` on a file of the data folder.

A holder that was killed holds nothing any more, so a file left behind never matters.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

_POLL_SECONDS = 0.05


class Busy(Exception):
    """Another live process holds the lock; the text is its process id."""


@contextlib.contextmanager
def held(path: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock on `path` alone for the time of the block. Raises Busy if others keep it."""
    with _locked(path, fcntl.LOCK_EX, wait_seconds) as handle:
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        yield


@contextlib.contextmanager
def shared(path: Path, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock on `path` together with others who share it. Raises Busy."""
    with _locked(path, fcntl.LOCK_SH, wait_seconds):
        yield


def is_held(path: Path) -> bool:
    """Tell whether a live process holds the lock on `path` alone."""
    try:
        with shared(path):
            return False
    except Busy:
        return True


@contextlib.contextmanager
def _locked(path: Path, kind: int, wait_seconds: float) -> Iterator[int]:
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        deadline = time.monotonic() + wait_seconds
        while not _try(handle, kind):
            if time.monotonic() >= deadline:
                raise Busy(os.pread(handle, 64, 0).decode(errors="replace").strip())
            time.sleep(_POLL_SECONDS)
        yield handle
    finally:
        os.close(handle)


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
