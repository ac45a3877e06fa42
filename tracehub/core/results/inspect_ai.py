"""A log of Inspect, as JSON or as its `.eval` file (a zip): one result per sample and epoch."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Collection, Iterator
from typing import Any

import zstandard

from tracehub.core.results.base import ResultsError

MAX_BYTES = 500_000_000  # of all samples of an `.eval` file, unpacked
_ZSTD = 93  # the method of compression in a zip
_BROKEN = (
    zipfile.BadZipFile,
    zstandard.ZstdError,
    struct.error,
    ValueError,
    OSError,
    RecursionError,
)
# The values of Inspect's scorers that are letters: correct, partial, incorrect, no answer.
_LETTERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}


def is_it(body: bytes) -> bool:
    """Whether the file is a log of Inspect."""
    if body[:2] == b"PK":
        return True
    try:
        value = json.loads(body)
    except ValueError:
        return False
    return isinstance(value, dict) and "eval" in value and isinstance(value.get("samples"), list)


def read(body: bytes, cases: Collection[str]) -> list[dict[str, Any]]:
    """Return one result per sample whose id is that of a case; epochs become tries."""
    samples = _unpacked(body) if body[:2] == b"PK" else iter(json.loads(body)["samples"])
    found = []
    for sample in samples:
        metadata = sample.get("metadata") or {}
        case = metadata.get("tracehub_case") or sample.get("id")
        if case in cases:
            found.append(_result(str(case), sample))
    return found


def _unpacked(body: bytes) -> Iterator[dict[str, Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(body)) as archive:
            files = [each for each in archive.infolist() if each.filename.startswith("samples/")]
            if sum(each.file_size for each in files) > MAX_BYTES:
                raise ResultsError(f"The samples are larger than {MAX_BYTES:,} bytes unpacked.")
            for each in files:
                packed = each.compress_type == _ZSTD
                yield json.loads(_zstd(body, each) if packed else archive.read(each))
    except _BROKEN as error:
        raise ResultsError(f"The file is no log of Inspect: {error}.") from error


def _zstd(body: bytes, file: zipfile.ZipInfo) -> bytes:
    """Return a file of a zip that is packed by zstd, which `zipfile` learns in Python 3.14.

    Source: APPNOTE 6.3.10 of the zip format, 4.3.7 (the local header) and 4.4.5 (method 93).
    """
    name, extra = struct.unpack_from("<HH", body, file.header_offset + 26)
    start = file.header_offset + 30 + name + extra
    data = body[start : start + file.compress_size]
    return bytes(zstandard.ZstdDecompressor().stream_reader(data).read(file.file_size))


def _result(case: str, sample: dict[str, Any]) -> dict[str, Any]:
    output = sample.get("output") or {}
    choices = output.get("choices") or [{}]
    text = output.get("completion") or _text((choices[0].get("message") or {}).get("content"))
    # A long text stands once among the attachments, and is named elsewhere.
    text = (sample.get("attachments") or {}).get(text.removeprefix("attachment://"), text)
    result: dict[str, Any] = {"case": case, "output": text}
    if isinstance(sample.get("total_time"), int | float):
        result["latency_ms"] = sample["total_time"] * 1000
    if error := sample.get("error"):
        said = error.get("message") if isinstance(error, dict) else error
        return result | {"error": str(said)[:4000]}
    scores = sample.get("scores") or {}
    values = {name: _value(score) for name, score in scores.items()}
    result["assertions"] = [_assertion(name, value, scores[name]) for name, value in values.items()]
    known = [value for value in values.values() if value is not None]
    if not known:
        return result | {"error": "No scorer gave a value that can be read."}
    return result | {"score": min(known)}


def _value(score: Any) -> float | None:
    """Return what a scorer said as a number from 0 to 1, None for other things."""
    value = score.get("value") if isinstance(score, dict) else score
    if isinstance(value, str):
        return _LETTERS.get(value)
    if isinstance(value, bool | int | float) and 0 <= value <= 1:
        return float(value)
    return None


def _assertion(name: str, value: float | None, score: Any) -> dict[str, Any]:
    about = score if isinstance(score, dict) else {}
    status = "error" if value is None else "pass" if value == 1 else "fail"
    return {
        "id": name[:40],
        "status": status,
        "message": "" if status == "pass" else str(about.get("explanation") or "")[:1000],
        "got": "" if status == "pass" else str(about.get("answer") or "")[:300],
    }


def _text(content: Any) -> str:
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""
