"""Users who ask the same again within their session: the answer before did not help."""

from __future__ import annotations

from collections.abc import Iterator

from rapidfuzz import fuzz

from tracehub.core.signals.base import Contents
from tracehub.core.signals.text import words
from tracehub.core.trace import Signal

LEAST = 5  # words of a question; "thanks, that was all" is said often
READ = 300  # words of a question that are compared


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield one `rephrased` when the question is nearly one that the user asked before.

    Alike is the share of characters that the words in alphabetical order have in common (rapidfuzz,
    token_sort_ratio), so that order, case and marks do not matter. Other words for the same are not
    found.
    """
    asked = words(trace.question)[:READ]
    if len(asked) < LEAST:
        return
    text = " ".join(asked)
    cutoff = 100 * trace.rules.limit("rephrased")
    for before in trace.earlier:
        said = " ".join(words(before.text)[:READ])
        alike = fuzz.token_sort_ratio(text, said, score_cutoff=cutoff)
        if alike:
            same = "the same" if alike == 100 else "nearly the same"
            yield Signal(
                "rephrased",
                f"The user asked {same} before in this session",
                "medium",
                trace.summary.input_span,
                evidence={"trace": before.trace_id, "alike": round(alike / 100, 2)},
            )
            return
