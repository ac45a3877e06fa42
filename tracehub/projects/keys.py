"""The form of an API key: `th_{ing|api}_{10 base62 id}_{32 base62 secret}{6 base62 CRC32}`.

The checksum tells a mistyped key from a wrong one without a query. 190 random bits need no slow
hash: the whole key is stored as SHA-256.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import zlib
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
_FORM = re.compile(r"th_(ing|api)_([0-9A-Za-z]{10})_([0-9A-Za-z]{32})([0-9A-Za-z]{6})")


class Key(NamedTuple):
    """A well-formed key. `text` is the secret itself: never log or store it."""

    family: str  # "ing" or "api"
    public_id: str
    text: str

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.text.encode()).digest()

    @property
    def prefix(self) -> str:
        """What lists show: `th_ing_k7Qm0dzR4s…w2Xe`."""
        return f"th_{self.family}_{self.public_id}…{self.text[-4:]}"


def _checksum(text: str) -> str:
    number, digits = zlib.crc32(text.encode()), ""
    for _ in range(6):
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    return digits


def generate(family: str) -> Key:
    """Return a new random key of the family `ing` or `api`."""
    public_id = "".join(secrets.choice(ALPHABET) for _ in range(10))
    body = f"th_{family}_{public_id}_" + "".join(secrets.choice(ALPHABET) for _ in range(32))
    return Key(family, public_id, body + _checksum(body))


def parse(text: str) -> Key | None:
    """Return the key when its form and checksum hold, else None.

    >>> parse("th_ing_0123456789_" + "a" * 38) is None
    True
    >>> parse(generate("api").text).family
    'api'
    """
    match = _FORM.fullmatch(text)
    if match is None or _checksum(text[:-6]) != match[4]:
        return None
    return Key(match[1], match[2], text)


def presented(headers: Mapping[str, str]) -> str | None:
    """Return the key text that a request shows, from any header that clients are known to use.

    `headers` has lower-case names. Takes `Authorization: Bearer K` (also `Bearer%20K`, as users
    write it in OTEL_EXPORTER_OTLP_HEADERS), Basic with the key as password, `x-api-key`,
    `api_key`, `api-key` and `x-tracehub-key`. None when no such header is there.
    """
    if authorization := headers.get("authorization"):
        scheme, _, value = unquote(authorization.strip()).partition(" ")
        value = value.strip()
        if scheme.lower() == "bearer":
            return value
        if scheme.lower() == "basic":
            try:
                return b64decode(value, validate=True).decode().partition(":")[2]
            except (Base64Error, UnicodeDecodeError):
                return ""
        return authorization.strip()
    for name in ("x-tracehub-key", "x-api-key", "api_key", "api-key"):
        if text := headers.get(name):
            return unquote(text).removeprefix("Bearer ").strip()
    return None
