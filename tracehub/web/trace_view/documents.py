"""Retrieved documents as lines to read: score, title, and what the answer took of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tracehub.core.trace import Json
from tracehub.web.trace_view.sources import uses
from tracehub.web.trace_view.text import Text, one_line, visible

Run = tuple[str, bool]  # text, and whether the answer repeats it


@dataclass(slots=True, frozen=True)
class Document:
    """A retrieved document. `percent` is the score as a share of 1, None outside 0 to 1.

    `used` says how the answer uses it: Cited, Quoted, or nothing; `runs` is `full` in parts.
    """

    id: str
    title: str
    text: str
    full: Text
    runs: tuple[Run, ...]
    score: str = ""
    percent: int | None = None
    weak: bool = False
    used: str = ""


def documents(
    found: Sequence[dict[str, Json]], answer: Json, text: Callable[[str, str], Text], key: str
) -> list[Document]:
    """Return the documents as shown. `text` folds a text under a key."""
    best = max((_score(d) or 0.0 for d in found), default=0.0)
    contents = [visible(_content(d)) for d in found]
    ids = [visible(str(d.get("id") or ""))[:80] for d in found]
    made = []
    for n, use in enumerate(uses(answer, list(zip(ids, contents, strict=True)))):
        full = text(_content(found[n]), f"{key}.{n}")
        runs = _runs(full.text, use.shared)
        used = "Cited" if use.cited else "Quoted" if use.shared else ""
        made.append(_document(found[n], ids[n], full, best, runs, used))
    return made


def _content(document: dict[str, Json]) -> str:
    content = document.get("content")
    return content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)


def _score(document: dict[str, Json]) -> float | None:
    score = document.get("score")
    return float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None


def _document(
    document: dict[str, Json], name: str, full: Text, best: float, runs: tuple[Run, ...], used: str
) -> Document:
    text = _content(document)
    metadata = document.get("metadata")
    title = metadata.get("title") if isinstance(metadata, dict) else None
    first = text.strip().split("\n", 1)[0]
    score = _score(document)
    return Document(
        id=name,
        title=one_line(title if isinstance(title, str) else first, 120),
        text=one_line(text, 200),
        full=full,
        runs=runs,
        score="" if score is None else f"{score:.2f}",
        percent=round(score * 100) if score is not None and 0 <= score <= 1 else None,
        weak=score is not None and score < best * 0.6,
        used=used,
    )


def _runs(text: str, shared: Sequence[tuple[int, int]]) -> tuple[Run, ...]:
    """Cut a text into parts.

    >>> _runs("abcdef", [(1, 3), (5, 9)])
    (('a', False), ('bc', True), ('de', False), ('f', True))
    """
    found: list[Run] = []
    at = 0
    for start, end in shared:
        found += [(text[at:start], False), (text[start:end], True)]
        at = end
    found.append((text[at:], False))
    return tuple(run for run in found if run[0])
