"""Sampling: which of the traces that nothing speaks for are kept, and how to say it."""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b
from typing import NamedTuple
from uuid import UUID

QUIET = timedelta(minutes=10)  # without a change, before a trace is judged
MOST = 1_000  # 1 in so many at least is kept


def in_share(trace_id: UUID, one_in: int) -> bool:
    """Say whether a trace is in the share of 1 in `one_in` that is kept.

    By a hash of its id alone, so all of its spans fare alike, on every machine, and a smaller
    share is part of a larger one.

    >>> kept = [n for n in range(1000) if in_share(UUID(int=n), 10)]
    >>> len(kept), all(in_share(UUID(int=n), 5) for n in kept)
    (84, True)
    """
    digest = blake2b(trace_id.bytes, digest_size=8).digest()
    return int.from_bytes(digest) < 2**64 // one_in


class Kept(NamedTuple):
    """How many traces of a time are stored, and how many were dropped."""

    kept: int
    dropped: int

    def __str__(self) -> str:
        """Return what lists and exports say.

        >>> str(Kept(1200, 8400)), str(Kept(9, 1)), str(Kept(0, 7))
        ('1 in 8 kept', '1 in 1.1 kept', '0 in 7 kept')
        """
        if not self.kept:
            return f"0 in {self.dropped:,} kept"
        ratio = (self.kept + self.dropped) / self.kept
        return f"1 in {ratio:.0f} kept" if ratio >= 5 else f"1 in {ratio:.2g} kept"
