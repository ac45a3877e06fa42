"""Answers that say what no retrieved document says, by their words. No model is asked."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.signals.text import sentences, shortened, words
from tracehub.core.trace import Signal

FEWEST = 3  # sentences that can be judged; a short reply says little of the documents
LEAST = 4  # telling words of a sentence that can be judged
SUPPORTED = 0.5  # share of its telling words that the documents hold
STEM = 5  # letters by which two forms of a word are one


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `low_grounding` when fewer sentences than the limit have support in the documents.

    A sentence has support when half of its words of four letters or more, and all its numbers,
    stand in the documents, in results of tools or in the question. Lexical, so a paraphrase in
    other words counts as unsupported: a hint, not a proof.
    """
    if not trace.documents or not _one_language(trace):
        return
    known = {
        _stem(word)
        for text in (*(doc.text for doc in (*trace.documents, *trace.results)), trace.given)
        for word in set(words(text))
    }
    judged = [sentence for sentence in sentences(trace.answer) if len(_telling(sentence)) >= LEAST]
    if len(judged) < FEWEST:
        return
    without = [sentence for sentence in judged if not _supported(sentence, known)]
    share = 1 - len(without) / len(judged)
    if share < trace.rules.limit("low_grounding"):
        yield Signal(
            "low_grounding",
            f"{len(without)} of {len(judged)} sentences have no support in what was retrieved, "
            f"such as {shortened(without[0])!r}",
            "medium",
            trace.summary.output_span,
            evidence={"supported": round(share, 2), "sentences": len(judged)},
        )


def _one_language(trace: Contents) -> bool:
    """Whether answer and documents are in one script at least: words can be compared."""
    texts = (trace.answer, "".join(doc.text for doc in trace.documents[:5]))
    ascii_only = [sum(map(str.isascii, text)) > 0.9 * len(text) for text in texts]
    return ascii_only[0] == ascii_only[1]


def _telling(sentence: str) -> list[str]:
    return [word for word in words(sentence) if len(word) >= 4 or _is_number(word)]


def _supported(sentence: str, known: set[str]) -> bool:
    telling = _telling(sentence)
    if any(_is_number(word) and word not in known for word in telling):
        return False
    held = sum(_stem(word) in known for word in telling)
    return held >= SUPPORTED * len(telling)


def _is_number(word: str) -> bool:
    return word[0].isdigit() and len(word) > 1


def _stem(word: str) -> str:
    return word if word[0].isdigit() else word[:STEM]
