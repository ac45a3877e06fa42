"""The tries of one call side by side: what each was asked, what came back, and what changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tracehub.core.trace import Span
from tracehub.web import word_diff
from tracehub.web.trace_view import written
from tracehub.web.trace_view.text import one_line, visible
from tracehub.web.trace_view.tree import is_failed

AT_MOST = 12  # tries beside each other
LINES_AT_MOST = 200


@dataclass(slots=True, frozen=True)
class Try:
    """One try. The lines mark what differs from the try before; `asked_same` says it does not."""

    number: int
    span: Span
    failed: bool
    error: str
    asked: Sequence[word_diff.Line]
    answered: Sequence[word_diff.Line]
    asked_same: bool


def laid_out(spans: Sequence[Span], failed: Collection[str]) -> list[Try]:
    """Return the last `AT_MOST` tries in order."""
    made: list[Try] = []
    before: tuple[list[str], list[str]] | None = None
    first = max(0, len(spans) - AT_MOST)
    for number, span in enumerate(spans[first:], first + 1):
        asked = written.lines(written.given(span))[:LINES_AT_MOST]
        answered = written.lines(written.result(span))[:LINES_AT_MOST]
        made.append(
            Try(
                number,
                span,
                is_failed(span, failed),
                one_line(": ".join(filter(None, (span.error_type, span.error_message)))),
                _against(before[0] if before else None, asked),
                _against(before[1] if before else None, answered),
                before is not None and before[0] == asked,
            )
        )
        before = asked, answered
    return made


def names(spans: Sequence[Span]) -> str:
    """Say how the tries went: `503, then worked`.

    >>> names([])
    ''
    """
    said = [visible(s.error_type or "failed")[:20] if s.error else "worked" for s in spans]
    return ", then ".join(said)


def _against(old: list[str] | None, new: list[str]) -> Sequence[word_diff.Line]:
    return word_diff.plain(new) if old is None else word_diff.compare(old, new)[1]
