"""JSON text -> values, however broken its surrogates and zeros are."""

from __future__ import annotations

import re

import orjson

from tracehub.core.trace import Json
from tracehub.core.wire.decoded import MAX_NESTING, Decoded, WireError

# One escape, or a run of escaped backslashes; the named group is a surrogate with no partner.
ESCAPES = re.compile(
    rb"(?:\\\\)+"
    rb"|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
)
SURROGATE_ERRORS = ("surrogate in string", "surrogate in hex")


def load(body: bytes, decoded: Decoded) -> Json:
    """Parse JSON; lone surrogates, which no strict parser takes, are replaced and counted."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if not any(words in str(error) for words in SURROGATE_ERRORS):
            raise _not_json(error) from error
    mended, decoded.replaced = replace_surrogates(body)
    try:
        return orjson.loads(mended)
    except orjson.JSONDecodeError as error:
        raise _not_json(error) from error


def _not_json(error: orjson.JSONDecodeError) -> WireError:
    if "depth" in str(error):
        return WireError(
            f"Lists and objects may nest {MAX_NESTING} deep. These go deeper than 1,000.", "body"
        )
    return WireError(f"The body is not JSON: {error}", "body")


def replace_surrogates(text: bytes) -> tuple[bytes, int]:
    r"""Replace escapes of surrogates without a partner by `\ufffd`, in one pass; count them.

    >>> replace_surrogates(rb'"\ud83d and \ud83d\ude00 and \\ud83d"')
    (b'"\\ufffd and \\ud83d\\ude00 and \\\\ud83d"', 1)
    """
    count = 0

    def swap(match: re.Match[bytes]) -> bytes:
        nonlocal count
        if match["lone"] is None:
            return match[0]
        count += 1
        return rb"\ufffd"

    return ESCAPES.sub(swap, text), count
