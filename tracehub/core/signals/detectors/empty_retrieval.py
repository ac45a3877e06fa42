"""Searches that found nothing."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Evidence
from tracehub.core.trace import Signal


def detect(trace: Evidence) -> Iterator[Signal]:
    """Yield `empty_retrieval` per finished retriever span that reported zero documents."""
    for span in trace.spans:
        if span.kind == "retriever" and span.documents == 0 and not span.error:
            yield Signal(
                "empty_retrieval", f"{span.name} found no documents", "medium", span.span_id
            )
