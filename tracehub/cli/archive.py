"""The file that `tracehub backup` writes: a zip, not compressed, with a dump and a manifest.

`database.dump` is pg_dump's custom format, `manifest.json` says what it must hold, so that a
restore can be checked, and both can be taken out by any unzip for use without TraceHub.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from cryptography.fernet import Fernet, InvalidToken

from tracehub.cli.config import ConfigError

FORMAT = 1
DUMP = "database.dump"
MANIFEST = "manifest.json"
CHUNK = 1024 * 1024
_MOST_MANIFEST = 16 * CHUNK
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 64 * 1024 * 1024}


def read_manifest(path: Path) -> dict[str, Any]:
    """Return the manifest of a backup. Raises ConfigError when `path` is no backup of ours."""
    with opened(path) as archive:
        try:
            about = archive.getinfo(MANIFEST)
            archive.getinfo(DUMP)
            if about.file_size > _MOST_MANIFEST:
                raise ValueError
            manifest = json.loads(archive.read(about))
            version = manifest["format"]
        except (KeyError, ValueError, TypeError, zipfile.BadZipFile):
            raise ConfigError(f"{path} is not a backup made by `tracehub backup`.") from None
    if version != FORMAT:
        raise ConfigError(
            f"{path} has format {version}; this TraceHub reads format {FORMAT}. "
            "Restore it with the TraceHub that made it or a newer one."
        )
    return dict(manifest)


def check_dump(path: Path, manifest: dict[str, Any], seen: Callable[[int], object]) -> None:
    """Read the whole dump once; raise ConfigError unless every byte is as it was written."""
    digest = hashlib.sha256()
    with dump_of(path) as source:
        try:
            while part := source.read(CHUNK):
                digest.update(part)
                seen(len(part))
        except (zipfile.BadZipFile, EOFError):
            digest = hashlib.sha256()
    if digest.hexdigest() != manifest["dump"]["sha256"]:
        raise ConfigError(f"{path} is damaged: its dump is not the one that was written.")


@contextmanager
def dump_of(path: Path) -> Iterator[IO[bytes]]:
    """Give the bytes of the dump, to read from front to back."""
    with opened(path) as archive, archive.open(DUMP) as source:
        yield source


@contextmanager
def opened(path: Path) -> Iterator[zipfile.ZipFile]:
    """Give the zip to read from. Raises ConfigError."""
    try:
        archive = zipfile.ZipFile(path)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except zipfile.BadZipFile:
        raise ConfigError(f"{path} is not a whole backup made by `tracehub backup`.") from None
    with archive:
        yield archive


def seal(secret: str, passphrase: str) -> dict[str, str]:
    """Return `secret` sealed with a passphrase, as text for the manifest."""
    salt = secrets.token_bytes(16)
    sealed = _box(passphrase, salt).encrypt(secret.encode()).decode()
    return {"method": "scrypt and Fernet", "salt": salt.hex(), "sealed": sealed}


def unseal(box: dict[str, str], passphrase: str) -> str:
    """Return the secret in `box`. Raises ConfigError for another passphrase or a changed box.

    >>> unseal(seal("k\u00e9y", "correct horse"), "correct horse")
    'k\u00e9y'
    """
    try:
        return _box(passphrase, bytes.fromhex(box["salt"])).decrypt(box["sealed"]).decode()
    except InvalidToken as error:
        raise ConfigError(
            "TRACEHUB_BACKUP_PASSPHRASE is not the one with which this backup was made."
        ) from error


def _box(passphrase: str, salt: bytes) -> Fernet:
    key = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, **_SCRYPT)
    return Fernet(base64.urlsafe_b64encode(key))
