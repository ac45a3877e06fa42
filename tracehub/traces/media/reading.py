"""Media for people and programs: the bytes of one, from its row or its object."""

from __future__ import annotations

from collections.abc import Callable

from tracehub.core.media import Reference
from tracehub.traces.media import store
from tracehub.traces.payloads import objects

AT_MOST = 2_000_000  # bytes of media that are put back into one value
# Types that a browser may draw, with what they begin with. SVG is a document: never.
SHOWN = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}
PLAYED = {
    "audio/mpeg": (b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2"),
    "audio/wav": (b"RIFF",),
    "audio/ogg": (b"OggS",),
    "audio/flac": (b"fLaC",),
}


def read(project_id: int, hash_: str) -> store.Kept | None:
    """Return a medium by the hex of its hash. Raises PayloadAway when its object is away."""
    try:
        wanted = bytes.fromhex(hash_) if len(hash_) == 64 else b""
    except ValueError:
        return None
    kept = store.get(project_id, wanted) if wanted else None
    if kept is not None and kept.key:
        return kept._replace(body=objects.read(kept.key))
    return kept


def bodies(project_id: int, at_most: int = AT_MOST) -> Callable[[Reference], bytes | None]:
    """Return how to look media up until `at_most` bytes of them were read, larger ones never."""
    left = [at_most]

    def body(wanted: Reference) -> bytes | None:
        if wanted.size > left[0]:
            return None
        kept = read(project_id, wanted.hash)
        if kept is None or kept.size > left[0]:
            return None
        left[0] -= kept.size
        return kept.body

    return body
