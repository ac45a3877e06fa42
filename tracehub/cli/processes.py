"""Starting a child process so that it never outlives its parent, as another user if need be."""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_PR_SET_PDEATHSIG = 1
# Loaded before any fork: between fork and exec a child must not import or allocate much.
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


@dataclass(frozen=True)
class SystemUser:
    """The account that a child runs under."""

    name: str
    uid: int
    gid: int

    @classmethod
    def named(cls, name: str) -> SystemUser | None:
        """Return the account called `name`, or None when there is none."""
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            return None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)

    @classmethod
    def numbered(cls, uid: int) -> SystemUser | None:
        """Return the account with `uid`, or None when there is none."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return None
        return cls(entry.pw_name, entry.pw_uid, entry.pw_gid)


def dies_with_parent(death_signal: signal.Signals, *, nice: int = 0) -> Callable[[], None]:
    """Return a `preexec_fn` by which the kernel sends `death_signal` when the parent ends.

    With `nice` the child also yields the processor to others, the more the higher it is.

    The kernel watches the *thread* that forked, so start children from the main thread. Where
    there is no prctl (not Linux) the function does nothing and a `kill -9` leaves the children.
    """
    parent = os.getpid()

    def prepare() -> None:
        if nice:
            os.nice(nice)
        if _libc is None:
            return
        _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # the parent ended between fork and prctl
            os.kill(os.getpid(), signal.SIGKILL)

    return prepare


def as_user(user: SystemUser | None) -> dict[str, Any]:
    """Return the arguments of `Popen` that run a child as `user`; none when it is ourselves."""
    if user is None or user.uid == os.geteuid():
        return {}
    return {"user": user.uid, "group": user.gid, "extra_groups": []}
