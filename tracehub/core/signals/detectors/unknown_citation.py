"""Citations of sources that were not retrieved."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.trace import Json, Signal

# [policy-118], [3], [^3], [doc: policy-118], 【policy-118】; not [a link](url), not [x] of a list.
_CITED = re.compile(r"[\[【]\s*(?:(?:source|doc|ref)[:\s]\s*)?\^?([\w./#:-]{1,80})\s*[\]】](?!\()")
FIELDS = frozenset({"citations", "sources", "source_ids", "references"})


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `unknown_citation` per cited source that no document of the trace has as its id.

    A number counts as the place of a document, from 1. Texts count when they look like an id:
    when they hold a digit, or one of the ids of the trace begins alike.
    """
    if not trace.documents:
        return
    ids = {str(doc.id) for doc in trace.documents if doc.id}
    places = len(trace.documents)
    for name in dict.fromkeys(cited(trace.output, trace.answer, ids)):
        if name in ids or (name.isdigit() and 1 <= int(name) <= places):
            continue
        if not ids and not name.isdigit():
            continue  # documents came without ids: nothing to compare a name with
        yield Signal(
            "unknown_citation",
            f"The answer cites {name!r}, which was not retrieved",
            "medium",
            trace.summary.output_span,
            evidence={"cited": name, "retrieved": sorted(ids)[:10]},
        )


def cited(output: Json, answer: str, ids: set[str]) -> Iterator[str]:
    """Yield what an answer cites: places of documents, and names like the `ids` of the trace."""
    begins = {_begin(one) for one in ids}
    for match in _CITED.finditer(answer):
        name = match[1].strip(".:")
        place = name.isdigit() and len(name) <= 3
        if place or (_begin(name) in begins and any(c.isdigit() for c in name)):
            yield name
    if isinstance(output, dict):
        for key, value in output.items():
            if key in FIELDS and isinstance(value, list):
                yield from (name for item in value if (name := _id(item)))


def _begin(name: str) -> str:
    """Return what ids of one kind share: the letters before the first digit.

    >>> _begin("policy-118"), _begin("policy-9")
    ('policy-', 'policy-')
    """
    found = re.match(r"[^0-9]*", name)
    return found[0] if found else ""


def _id(item: Json) -> str:
    if isinstance(item, dict):
        item = item.get("id") or item.get("source") or item.get("source_id")
    return str(item)[:80] if isinstance(item, str | int) and not isinstance(item, bool) else ""
