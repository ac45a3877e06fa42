"""Answers in which the model is stuck: the same words again and again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.signals.text import sentences, shortened, spoken, words
from tracehub.core.trace import Signal

PERIODS = 30  # words of the longest block that is looked for
MAX_WORDS = 2_000
LEAST = 12  # words that the repeats of a block have together
LONG = 5  # words of a sentence that nobody says often


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `repetition` per call whose answer repeats a block of words, or a whole sentence."""
    limit = int(trace.rules.limit("repetition"))
    for span in trace.calls:
        text = spoken(span.output)
        found = _stuck(words(text)[:MAX_WORDS], limit) or _said_often(text, limit)
        if found:
            part, times = found
            said = f"{span.name} says {shortened(part)!r} {times} times"
            yield Signal(
                "repetition", said, "medium", span.span_id, evidence={"part": part, "times": times}
            )


def _stuck(said: list[str], limit: int) -> tuple[str, int] | None:
    """Return the block that stands `limit` or more times in a row, and how often.

    A block of p words repeats where each word equals the one p before it. At most PERIODS
    comparisons a word, and none where no run of words comes twice that is as long as the shortest.
    """
    shortest = min(max(p * (limit - 1), LEAST - p) for p in range(1, PERIODS + 1))
    runs = list(zip(*(said[at:] for at in range(shortest)), strict=False))
    if shortest and len(set(runs)) == len(runs):
        return None
    for period in range(1, PERIODS + 1):
        run = 0
        for at in range(period, len(said)):
            run = run + 1 if said[at] == said[at - period] else 0
            if run >= period * (limit - 1) and run + period >= LEAST:
                while at + 1 < len(said) and said[at + 1] == said[at + 1 - period]:
                    at, run = at + 1, run + 1
                block = said[at - period + 1 : at + 1]
                if any(word.isalpha() for word in block):
                    return " ".join(block), run // period + 1
    return None


def _said_often(text: str, limit: int) -> tuple[str, int] | None:
    counts = Counter(" ".join(words(sentence)) for sentence in sentences(text))
    for sentence, times in counts.most_common(3):
        if times >= limit and sentence.count(" ") + 1 >= LONG:
            return sentence, times
    return None
