"""What goes on from one turn of a conversation to later ones: troubles, and facts that were said.

Only what stands in the turns themselves: nothing is guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

SHOWN = 6
FACTS = 2  # of one turn
_FACT = re.compile(r"(?<![\w.])[\w-]*\d[\w.,:-]*\w")  # amounts, codes, dates: words with a digit
_LEAST = 3  # characters of a fact
_LONGEST = 40
_READ = 20_000  # characters of a text


@dataclass(frozen=True, slots=True)
class Turn:
    """A turn as it is read: what was asked and answered, and what was found wrong."""

    number: int
    asked: str
    answered: str
    failing: bool
    signals: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Carried:
    """Something of turn `first` that is there in turns `later` too: a signal or a text."""

    first: int
    later: tuple[int, ...]
    signal: str = ""
    text: str = ""


def carried(turns: Sequence[Turn]) -> list[Carried]:
    """Return what later turns repeat, in order of turns: signals, and facts of failing answers.

    A fact is a word with a digit (an amount, a code, a date) that nobody said before.

    >>> carried([Turn(1, "Refund?", "Done: 418.60 EUR", True), Turn(2, "418.60?", "Yes", False)])
    [Carried(first=1, later=(2,), signal='', text='418.60')]
    """
    found = [*_signals(turns), *_facts(turns)]
    return sorted(found, key=lambda one: (one.first, one.signal == "", one.later))[:SHOWN]


def _signals(turns: Sequence[Turn]) -> Iterator[Carried]:
    for kind in sorted({kind for turn in turns for kind in turn.signals}):
        first, *later = (turn.number for turn in turns if kind in turn.signals)
        if later:
            yield Carried(first, tuple(later), signal=kind)


def _facts(turns: Sequence[Turn]) -> Iterator[Carried]:
    known: set[str] = set()
    said = [_said(turn.asked) | _said(turn.answered) for turn in turns]
    for at, turn in enumerate(turns):
        known |= _said(turn.asked)
        if turn.failing:
            new = [fact for fact in _ordered(turn.answered) if fact not in known]
            kept = (
                (fact, tuple(turns[n].number for n in range(at + 1, len(turns)) if fact in said[n]))
                for fact in new
            )
            repeated = [(fact, later) for fact, later in kept if later]
            for fact, later in repeated[:FACTS]:
                yield Carried(turn.number, later, text=fact)
        known |= said[at]


def _ordered(text: str) -> list[str]:
    found = (match[0] for match in _FACT.finditer(text[:_READ]))
    return list(dict.fromkeys(one for one in found if _LEAST <= len(one) <= _LONGEST))


def _said(text: str) -> set[str]:
    return set(_ordered(text))
