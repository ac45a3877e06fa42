"""What an export format is, and what it writes."""

from __future__ import annotations

import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tracehub.core.cases import Case

Part = tuple[str, Iterable[bytes]]  # file name inside the export, its bytes in pieces
# A zip holds times; a fixed one keeps the same version the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class ExportError(ValueError):
    """An export that cannot be written, with the reason."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """The cases of one version of a set, in order of their ids. `cases` may be read repeatedly."""

    slug: str
    version: int
    cases: Iterable[Case]


@dataclass(slots=True)
class Tally:
    """What became of the assertions, so that nothing is lost in silence.

    `helper` are checked by the code file in the export, `metadata` are carried along only, `lost`
    names what has no place in the target.
    """

    cases: int = 0
    helper: int = 0
    metadata: int = 0
    lost: Counter[str] = field(default_factory=Counter)

    def sentence(self, fmt: Format) -> str:
        """`promptfoo: 41 cases; 3 assertions need tracehub_assert.cjs; 0 lost`."""
        lost = ", ".join(f"{n} {what}" for what, n in sorted(self.lost.items())) or "0"
        parts = [f"{self.cases} case{'' if self.cases == 1 else 's'}"]
        if self.helper:
            parts.append(f"{self.helper} assertions need {fmt.helper}")
        if self.metadata:
            parts.append(f"{self.metadata} assertions carried as metadata only")
        return f"{fmt.name}: {'; '.join(parts)}; {lost} lost"


@dataclass(frozen=True, slots=True)
class Format:
    """One export format. `write` yields the files in order; `tally` counts as it goes.

    `helper` is the file among them that checks what the tool cannot check by itself.
    """

    name: str
    label: str
    help: str
    files: tuple[str, ...]
    media_type: str
    write: Callable[[Bundle, Tally], Iterator[Part]]
    helper: str = ""


@dataclass(frozen=True, slots=True)
class Download:
    """An export as one answer over HTTP: the file, or a zip of several.

    `summary` tells what became of the assertions: `Tally.sentence`.
    """

    filename: str
    media_type: str
    body: bytes
    summary: str


def download(fmt: Format, bundle: Bundle) -> Download:
    """Return the export as one file. Raises ExportError when the version has no cases."""
    tally = Tally()
    parts = [(name, b"".join(pieces)) for name, pieces in fmt.write(bundle, tally)]
    if not tally.cases:
        raise ExportError(f"{bundle.slug}@{bundle.version} has no cases to export.")
    stem = f"{bundle.slug}-v{bundle.version}"
    if len(parts) == 1:
        suffix = parts[0][0].rpartition(".")[2]
        return Download(f"{stem}.{suffix}", fmt.media_type, parts[0][1], tally.sentence(fmt))
    name = f"{stem}-{fmt.name}.zip"
    return Download(name, "application/zip", _zip(parts), tally.sentence(fmt))


def _zip(parts: list[tuple[str, bytes]]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in parts:
            info = zipfile.ZipInfo(name, _ZIP_TIME)
            info.external_attr = 0o644 << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(info, body)
    return buffer.getvalue()
