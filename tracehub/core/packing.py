"""The payload of a span: its normalised content, and what was received, as one zstd frame.

Most of what was received is in the content as well. Lying in one frame, a text that comes again
costs a few bytes, whatever stands around it and however it is escaped; names that every span has
come from a dictionary of attribute names. docs/design/storage.md has the sizes.

The dictionary and the order of the two are part of the stored form: a change needs another VERSION.
"""

from __future__ import annotations

import threading
from importlib.resources import files

import zstandard

VERSION = b"\x02"
MAX_PLAIN = 64 * 1024 * 1024  # bytes of a text that stands alone
LEVEL = 1  # 3 saves 1 % of the space for a third more time
NEAR = 256 * 1024  # bytes; a repetition further back needs a search of its own

WORDS = zstandard.ZstdCompressionDict(
    files("tracehub.core").joinpath("packing_words_1.txt").read_bytes(),
    dict_type=zstandard.DICT_TYPE_RAWCONTENT,
)
WORDS.precompute_compress(level=LEVEL)
# Finds texts again that are up to 16 MB apart.
_FAR = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=24, enable_ldm=True)


class _Codec(threading.local):
    """What compresses and decompresses: zstd's contexts must not be shared between threads."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=WORDS, write_dict_id=False
        ).compress
        self.pack_far = zstandard.ZstdCompressor(compression_params=_FAR).compress
        self.unpack = zstandard.ZstdDecompressor(dict_data=WORDS).decompress
        self.compress = zstandard.ZstdCompressor(level=3).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_codec = _Codec()


def compress(text: bytes) -> bytes:
    """Return zstd of a text that stands alone."""
    return _codec.compress(text)


def decompress(stored: bytes) -> bytes:
    """Return what `compress` took."""
    return _codec.decompress(stored, max_output_size=MAX_PLAIN)


def pack(content: bytes, received: bytes) -> bytes:
    """Return the payload of a span. Both are JSON texts, which hold no raw line feed."""
    text = b"%b\n%b" % (content, received)
    return VERSION + (_codec.pack if len(text) <= NEAR else _codec.pack_far)(text)


def unpack(payload: bytes) -> tuple[bytes, bytes]:
    """Return the content and what was received. Raises ValueError for another version."""
    if payload[:1] != VERSION:
        raise ValueError(f"spans.payload must begin with {VERSION!r}. Got {payload[:1]!r}.")
    content, _, received = _codec.unpack(payload[1:]).partition(b"\n")
    return content, received
