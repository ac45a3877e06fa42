"""What the coding board shows: notes that are alike, modes with their rates, and saturation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tracehub.core import similar
from tracehub.core.saturation import RECENT, Saturation, saturation
from tracehub.core.stats import wilson_interval
from tracehub.review import progress
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, Queue, Review, Verdict

HEIGHTS = {"new": 25, "hit": 11, "": 3}
METER_HEIGHT = 28


@dataclass(frozen=True, slots=True)
class Group:
    """Notes that are alike, with the mode whose notes they are most like."""

    notes: list[Review]
    words: list[str]
    suggestion: FailureMode | None


@dataclass(frozen=True, slots=True)
class Card:
    """A failure mode over the traces of this queue that were read."""

    mode: FailureMode
    number: int
    notes: list[Review]
    rate: float
    low: float
    high: float

    @property
    def drawn(self) -> dict[str, str]:
        """The interval in percent of the drawing, which shows rates of up to one half."""
        ends = [min(100.0, 200 * part) for part in (self.low, self.high, self.rate)]
        return {
            "low": f"{ends[0]:.1f}",
            "width": f"{ends[1] - ends[0]:.1f}",
            "at": f"{ends[2]:.1f}",
            "said": f"{100 * self.low:.0f} to {100 * self.high:.0f}%",
        }


def context(queue: Queue) -> dict[str, Any]:
    """Return the board of a queue. Reviews of open items of a blind queue are not on it."""
    items = [item for item in reversed(progress.closed_items(queue)) if progress.answers(item)]
    read = [progress.answers(item) for item in items]
    given = [review for some in read for review in some]
    modes = reviews.modes(queue.project)
    noted = [r for r in given if r.note and r.verdict != Verdict.PASS]
    loose = [review for review in noted if not review.modes.all()]
    cards = [_card(mode, number, given, len(read)) for number, mode in enumerate(modes, 1)]
    found = saturation([_modes_of(some) for some in read])
    groups, alone = _groups(loose, cards)
    return {
        "queue": queue,
        "groups": groups,
        "alone": alone,
        "cards": cards,
        "loose": len(loose),
        "noted": len(noted),
        "grouped": len(noted) - len(loose),
        "grouped_percent": f"{100 * (len(noted) - len(loose)) / max(1, len(noted)):.1f}",
        "read": len(read),
        "saturation": found,
        "meter": meter(found),
        "recent": RECENT,
    }


def meter(found: Saturation) -> list[dict[str, str]]:
    """Return one bar a trace, as positions in percent of the width."""
    width = 100 / max(1, len(found.steps))
    return [
        {
            "step": step,
            "x": f"{at * width:.3f}%",
            "width": f"{width * 0.8:.3f}%",
            "y": str(METER_HEIGHT - HEIGHTS[step]),
            "height": str(HEIGHTS[step]),
        }
        for at, step in enumerate(found.steps)
    ]


def _modes_of(given: Sequence[Review]) -> list[int]:
    return sorted({mode.pk for review in given for mode in review.modes.all()})


def _card(mode: FailureMode, number: int, given: Sequence[Review], read: int) -> Card:
    named = [review for review in given if mode in review.modes.all()]
    traces = len({review.trace_id for review in named})
    low, high = wilson_interval(traces, read) if read else (0.0, 0.0)
    return Card(mode, number, named, traces / max(1, read), low, high)


def _groups(loose: Sequence[Review], cards: Sequence[Card]) -> tuple[list[Group], list[Review]]:
    """Return notes that are alike, each group with its suggestion, and those like no other."""
    known = [
        [card.mode.name, card.mode.definition, *(n.note for n in card.notes)] for card in cards
    ]
    groups, taken = [], set()
    for cluster in similar.clusters([review.note for review in loose]):
        notes = [loose[index] for index in cluster.members]
        taken.update(cluster.members)
        near = similar.nearest(" ".join(note.note for note in notes), known)
        groups.append(Group(notes, cluster.words, None if near is None else cards[near].mode))
    return groups, [review for index, review in enumerate(loose) if index not in taken]
