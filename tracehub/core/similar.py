"""Short notes that say the same in other words, by the words they share. No model is asked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from math import ceil, log, sqrt

ALIKE = 0.30  # cosine above which two notes go together
_WORD = re.compile(r"[^\W_]+(?:['.,-]?[^\W_]+)*")
_COMMON = frozenset(
    "a an and are as at be been but by for from had has have in is it its of on or that the then"
    " there this to too was were which with".split()
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Positions of notes that are alike, and up to three words that they share."""

    members: list[int]
    words: list[str]


def clusters(notes: Sequence[str], *, alike: float = ALIKE) -> list[Cluster]:
    """Return the groups of two or more notes that are alike, the largest first.

    Each note goes to the group whose middle is nearest, at least `alike`; n notes and g groups
    cost n·g comparisons of short word lists.

    >>> clusters(["Amount is text", "no policy", "The amount is a text again"])[0]
    Cluster(members=[0, 2], words=['amount', 'text'])
    """
    vectors = _vectors(notes)
    groups: list[tuple[list[int], dict[str, float]]] = []
    for index, vector in enumerate(vectors):
        best, where = alike, None
        for group in groups:
            near = _cosine(vector, group[1])
            if near >= best:
                best, where = near, group
        if where is None:
            groups.append(([index], dict(vector)))
            continue
        where[0].append(index)
        for word, weight in vector.items():
            where[1][word] = where[1].get(word, 0.0) + weight
    found = [Cluster(m, _common(m, notes, middle)) for m, middle in groups if len(m) > 1]
    return sorted(found, key=lambda cluster: -len(cluster.members))


def nearest(note: str, groups: Sequence[Sequence[str]], *, alike: float = 0.15) -> int | None:
    """Return which group of notes `note` is most like, None when it is like none."""
    scores = nearness(note, [" ".join(group) for group in groups])
    best = max(range(len(scores)), key=scores.__getitem__, default=None)
    return best if best is not None and scores[best] >= alike else None


def nearness(note: str, others: Sequence[str]) -> list[float]:
    """Return the cosine of each other text with `note`, by the words that tell them apart.

    >>> [round(one, 1) for one in nearness("refund my ticket", ["ticket refund", "hello"])]
    [0.7, 0.0]
    """
    vectors = _vectors([note, *others])
    return [_cosine(vectors[0], vector) for vector in vectors[1:]]


def overlap(one: set[int], other: set[int]) -> int:
    """Return how many members two groups share, 0 when it is less than a third of the smaller.

    >>> overlap({1, 2, 3}, {3, 4, 5}), overlap({1, 2, 3, 4}, {4, 5, 6, 7})
    (1, 0)
    """
    shared = len(one & other)
    return shared if shared and 3 * shared >= min(len(one), len(other)) else 0


def words_of(note: str) -> list[str]:
    """Return the telling words of a note, plural and singular as one."""
    words = (word.casefold() for word in _WORD.findall(note))
    return [_stem(word) for word in words if word not in _COMMON]


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _vectors(notes: Sequence[str]) -> list[dict[str, float]]:
    counted = [Counter(words_of(note)) for note in notes]
    in_notes = Counter(word for words in counted for word in words)
    total = len(notes)
    return [
        {word: n * (1 + log((1 + total) / (1 + in_notes[word]))) for word, n in words.items()}
        for words in counted
    ]


def _cosine(a: dict[str, float], b: dict[str, float]) -> float:
    if len(b) < len(a):
        a, b = b, a
    dot = sum(weight * b.get(word, 0.0) for word, weight in a.items())
    if not dot:
        return 0.0
    return dot / sqrt(sum(w * w for w in a.values()) * sum(w * w for w in b.values()))


def _common(members: Sequence[int], notes: Sequence[str], middle: dict[str, float]) -> list[str]:
    shared = Counter(word for index in members for word in set(words_of(notes[index])))
    telling = [word for word, n in shared.items() if n > 1]
    return sorted(telling, key=lambda word: (-shared[word], -middle[word], word))[:3]


ID = "0"  # stands for all words with a digit: two requests that differ in a number are alike
SAME_WORDS = 0.8  # shared words over all words of both, from which texts are near-duplicates


class NearTexts:
    """Texts by id, to find those that share most of their words with another.

    Alike is the Jaccard index of the sets of words. Only texts that share one of the rarest words
    are compared: of n words, those below `n - ceil(0.8 n) + 1` (prefix filter, Chaudhuri 2006), so
    that a set of 10,000 costs a few comparisons.

    >>> near = NearTexts({7: "Refund booking X7K2QD please", 8: "Baggage limit"})
    >>> near.find("please refund booking M3A9TT")
    (7, 1.0)
    """

    def __init__(self, texts: Mapping[int, str]) -> None:
        self._words = {id: _word_set(text) for id, text in texts.items()}
        self._count = Counter(word for words in self._words.values() for word in words)
        self._by_word: dict[str, list[int]] = {}
        for id, words in self._words.items():
            for word in self._rarest(words):
                self._by_word.setdefault(word, []).append(id)

    def find(self, text: str, *, but: Set[int] = frozenset()) -> tuple[int, float] | None:
        """Return the id of the text most like this one and how alike they are, or None.

        Texts whose ids are in `but` do not count.
        """
        words = _word_set(text)
        near = {id for word in self._rarest(words) for id in self._by_word.get(word, ())} - but
        best = max(
            ((len(words & self._words[id]) / len(words | self._words[id]), -id) for id in near),
            default=(0.0, 0),
        )
        return (-best[1], best[0]) if best[0] >= SAME_WORDS else None

    def _rarest(self, words: frozenset[str]) -> list[str]:
        ranked = sorted(words, key=lambda word: (self._count[word], word))
        return ranked[: len(ranked) - ceil(SAME_WORDS * len(ranked)) + 1] if ranked else []


def _word_set(text: str) -> frozenset[str]:
    return frozenset(ID if any(c.isdigit() for c in word) else word for word in words_of(text))
