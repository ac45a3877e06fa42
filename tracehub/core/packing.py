"""The payload of a span: its normalised content, and what was received, as one zstd frame.

Most of what was received is in the content as well. Lying in one frame, a text that comes again
costs a few bytes, whatever stands around it and however it is escaped; names that every span has
come from a dictionary of attribute names. docs/design/storage.md has the sizes.

The dictionary and the order of the two are part of the stored form: a change needs another VERSION,
and what was stored before is read with the dictionary that it was packed with.
"""

from __future__ import annotations

import threading
from importlib.resources import files

import zstandard

VERSION = b"\x03"
MAX_PLAIN = 64 * 1024 * 1024  # bytes of a text that stands alone
LEVEL = 1  # 3 saves 1 % of the space for a third more time
NEAR = 256 * 1024  # bytes; a repetition further back needs a search of its own

_FOLDER = files("tracehub.core")
_NAMES = _FOLDER.joinpath("packing_words_1.txt").read_bytes()
# Entropy tables of zstd's dictionary format, so that no small frame carries its own: what
# ZDICT_finalizeDictionary makes of the names, the captures in tests/wire and English prose.
_TABLES = _FOLDER.joinpath("packing_tables_3.bin").read_bytes()
WORDS = zstandard.ZstdCompressionDict(_NAMES, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
TRAINED = zstandard.ZstdCompressionDict(_TABLES + _NAMES, dict_type=zstandard.DICT_TYPE_FULLDICT)
TRAINED.precompute_compress(level=LEVEL)
DICTIONARIES = {b"\x02": WORDS, VERSION: TRAINED}
# Finds texts again that are up to 16 MB apart.
_FAR = zstandard.ZstdCompressionParameters.from_level(LEVEL, window_log=24, enable_ldm=True)


class _Codec(threading.local):
    """What compresses and decompresses: zstd's contexts must not be shared between threads."""

    def __init__(self) -> None:
        self.pack = zstandard.ZstdCompressor(
            level=LEVEL, dict_data=TRAINED, write_dict_id=False
        ).compress
        self.pack_far = zstandard.ZstdCompressor(compression_params=_FAR).compress
        self.unpack = {
            version: zstandard.ZstdDecompressor(dict_data=one).decompress
            for version, one in DICTIONARIES.items()
        }
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
    """Return the content and what was received. Raises ValueError for an unknown version."""
    read = _codec.unpack.get(payload[:1])
    if read is None:
        known = ", ".join(map(repr, DICTIONARIES))
        raise ValueError(f"spans.payload must begin with one of {known}. Got {payload[:1]!r}.")
    content, _, received = read(payload[1:]).partition(b"\n")
    return content, received
