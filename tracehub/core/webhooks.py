"""Signatures of webhooks, as Standard Webhooks 1.0 has them (https://www.standardwebhooks.com).

The signed text is `id.timestamp.body`. A receiver refuses a timestamp that is more than five
minutes off, so that a request that was listened to cannot be sent again later.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

PREFIX = "whsec_"
TOLERANCE = 300  # seconds


def secret_text(key: bytes) -> str:
    """Return a key as its owner keeps it.

    >>> secret_text(b"abc")
    'whsec_YWJj'
    """
    return PREFIX + base64.b64encode(key).decode()


def sign(key: bytes, identity: str, timestamp: int, body: bytes) -> str:
    """Return the value of the header `webhook-signature`.

    >>> sign(b"k", "msg_1", 1614265330, b'{"test": 1}')
    'v1,S2yAUs9uLRd3i9eT7JoNLiNmzSe8pJmJvmyp50/NGGE='
    """
    signed = f"{identity}.{timestamp}.".encode() + body
    digest = hmac.new(key, signed, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(secret: str, headers: dict[str, str], body: bytes, *, now: float) -> bool:
    """Tell whether a request is from the owner of the secret, and fresh. For receivers.

    Several signatures may stand in the header, with spaces between.
    """
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
        timestamp = int(headers["webhook-timestamp"])
        identity, given = headers["webhook-id"], headers["webhook-signature"]
    except (KeyError, ValueError):
        return False
    if abs(now - timestamp) > TOLERANCE:
        return False
    expected = sign(key, identity, timestamp, body)
    return any(hmac.compare_digest(expected, one) for one in given.split())
