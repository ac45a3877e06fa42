"""Where an installation lives and what it keeps there: data folder, secret key, address.

Settings import this module, so it stays light and never touches Django.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DATABASE_NAME = "tracehub"
OWNER_ROLE = "tracehub_owner"  # migrations and commands
APP_ROLE = "tracehub_app"  # web, worker and beat: rows, no tables
READ_ROLE = "tracehub_read"  # reports of your own


class ConfigError(Exception):
    """Something about the installation that its operator can mend; the message is one line."""


def platform_data_dir() -> Path:
    """Return the user data folder of this platform, not yet made."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "tracehub"
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG base directory rules say that a relative path is to be ignored.
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "tracehub"


def data_dir() -> Path:
    """Return the absolute data folder: TRACEHUB_DATA_DIR, or the platform's; not yet made."""
    named = os.environ.get("TRACEHUB_DATA_DIR", "").strip()
    return Path(named).expanduser().resolve() if named else platform_data_dir()


def make_data_dir(folder: Path) -> Path:
    """Make `folder` for its owner alone (0700) and return it.

    Raises ConfigError with the reason and the mend when it cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid == os.geteuid() and folder.stat().st_mode & 0o007:
            folder.chmod(0o700)
    except OSError as error:
        raise ConfigError(
            f"The data folder {folder} cannot be made: {error.strerror}. "
            "Choose another with --data or TRACEHUB_DATA_DIR."
        ) from error
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        raise ConfigError(
            f"The data folder {folder} cannot be written by this user. "
            "Make it writable, or choose another with --data or TRACEHUB_DATA_DIR."
        )
    return folder


def write_private(path: Path, text: str) -> None:
    """Write `text` to `path` with mode 0600, whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError:
        draft.unlink(missing_ok=True)
        raise


def read_json(path: Path) -> dict[str, Any]:
    """Return the object in `path`, or an empty one when the file is absent or torn."""
    try:
        value = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}


def to_json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def secret_key() -> str:
    """Return TRACEHUB_SECRET_KEY, else the key kept in the data folder; the first call makes it."""
    if given := os.environ.get("TRACEHUB_SECRET_KEY", "").strip():
        return given
    path = make_data_dir(data_dir()) / "secret_key"
    # Two first starts at once must agree on one key.
    with (path.parent / "secret_key.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists() or not path.read_text().strip():
            write_private(path, secrets.token_urlsafe(50))
    return path.read_text().strip()


def socket_url(socket_dir: Path, role: str, password: str, database: str = DATABASE_NAME) -> str:
    """Return the URL of a database behind a Unix socket in `socket_dir`."""
    credentials = f"{quote(role, safe='')}:{quote(password, safe='')}"
    host = quote(str(socket_dir), safe="")
    return f"postgresql://{credentials}@/{quote(database, safe='')}?host={host}"


def is_embedded() -> bool:
    """Tell whether the database is our own, which is so unless DATABASE_URL names another."""
    return not os.environ.get("DATABASE_URL", "").strip()


def database_url() -> str:
    """Return DATABASE_URL, else the URL of the embedded server of the data folder.

    The embedded one need not run, nor exist yet: settings can be read without a database.
    """
    if given := os.environ.get("DATABASE_URL", "").strip():
        return given
    folder = data_dir()
    known = read_json(folder / "postgres.json")
    socket_dir = Path(known.get("socket_dir") or folder / "run")
    return socket_url(socket_dir, OWNER_ROLE, known.get("owner_password") or "unset")


def owner_url() -> str:
    """Return the URL with which tables are made: DATABASE_OWNER_URL, else `database_url`."""
    return os.environ.get("DATABASE_OWNER_URL", "").strip() or database_url()
