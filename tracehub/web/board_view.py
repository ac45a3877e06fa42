"""What the coding board shows: notes that are alike, modes with their rates, and saturation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tracehub.core import similar
from tracehub.core.saturation import RECENT, Saturation, saturation
from tracehub.core.stats import wilson_interval
from tracehub.evals.covering import cases_by_mode
from tracehub.projects.models import Project
from tracehub.review import progress, rates, taxonomy
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, Queue, Review, Verdict
from tracehub.web import board_notes

HEIGHTS = {"new": 25, "hit": 11, "": 3}
METER_HEIGHT = 26  # above the rule that the bars stand on
MOST_CHANGES = 200
NOTE_MS = 20_000  # to put a note into a mode, as a guess
SPLIT_ALIKE = 0.4  # cosine: notes of one mode share words anyhow


@dataclass(frozen=True, slots=True)
class Group:
    """Notes that are alike, with the mode whose notes they are most like."""

    notes: list[Review]
    words: list[str]
    suggestion: FailureMode | None


@dataclass(frozen=True, slots=True)
class Advice:
    """What the board suggests for a mode: `act` is merge (into `other`) or split (`reviews`)."""

    act: str
    said: str
    other: FailureMode | None = None
    reviews: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Card:
    """A failure mode over the traces of this queue that were read; rates as in `review.rates`."""

    mode: FailureMode
    number: int
    notes: list[Review]
    rate: float
    low: float
    high: float
    cases: int = 0
    alike: int = 0  # notes to group that are most like its own
    advice: Advice | None = None

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


def context(queue: Queue, order: str = "") -> dict[str, Any]:
    """Return the board of a queue. Reviews of open items of a blind queue are not on it.

    `order` is one of `board_notes.ORDERS`.
    """
    items = [item for item in reversed(progress.closed_items(queue)) if progress.answers(item)]
    read = [progress.answers(item) for item in items]
    given = [review for some in read for review in some]
    modes = reviews.modes(queue.project)
    noted = [r for r in given if r.note and r.verdict != Verdict.PASS]
    loose = [review for review in noted if not review.modes.all()]
    cases = cases_by_mode(queue.project)
    found_rates = rates.rates(queue, items)
    cards = [_card(mode, number, given, found_rates) for number, mode in enumerate(modes, 1)]
    cards = [replace(c, cases=cases[c.mode.slug], advice=_advice(c, cards)) for c in cards]
    _annotate(queue.project, loose)
    put_off = [review for review in loose if getattr(review, "is_later")]  # noqa: B009 annotated
    waiting = [review for review in loose if review not in put_off]
    found = saturation([_modes_of(some) for some in read])
    order = order if order in dict(board_notes.ORDERS) else board_notes.ORDERS[0][0]
    groups, alone = _ordered(waiting, cards, order)
    near = Counter(g.suggestion.pk for g in groups if g.suggestion for _ in g.notes)
    cards = [replace(card, alike=near[card.mode.pk]) for card in cards]
    return taxonomy_context(queue.project) | {
        "order": order,
        "orders": board_notes.ORDERS,
        "put_off": put_off,
        "failing": sum(review.verdict == Verdict.FAIL for review in given),
        "unsure": sum(review.verdict == Verdict.UNSURE for review in given),
        "queue": queue,
        "groups": groups,
        "suggested": next((group for group in groups if group.suggestion), None),
        "alone": alone,
        "cards": cards,
        "loose": len(loose),
        "loose_ms": len(loose) * NOTE_MS,
        "noted": len(noted),
        "grouped": len(noted) - len(loose),
        "grouped_percent": f"{100 * (len(noted) - len(loose)) / max(1, len(noted)):.1f}",
        "read": len(read),
        "rated": found_rates.failing.number if found_rates else 0,
        "saturation": found,
        "meter": meter(found),
        "meter_recent": f"{100 * max(0.0, 1 - RECENT / max(1, len(found.steps))):.3f}",
        "recent": RECENT,
    }


def taxonomy_context(project: Project) -> dict[str, Any]:
    """Return the draft: its number, what changed since the last one, and what to recode."""
    last = taxonomy.newest(project)
    changed = list(taxonomy.changes(project)[:MOST_CHANGES])
    return {
        "published": last,
        "draft_number": last.number + 1 if last else 1,
        "changes": changed,
        "to_check": reviews.modes_to_check(project),
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


def _card(
    mode: FailureMode, number: int, given: Sequence[Review], found: rates.Rates | None
) -> Card:
    named = [review for review in given if mode in review.modes.all()]
    rate = dict(found.modes).get(mode) if found else None
    if rate is not None:
        return Card(mode, number, named, rate.share, *rate.interval)
    many = round(found.failing.effective) if found else 0
    return Card(mode, number, named, 0.0, *(wilson_interval(0, many) if many else (0.0, 0.0)))


def _annotate(project: Project, notes: Sequence[Review]) -> None:
    """Give each note `step`, `seen` and `is_later`, for the template."""
    put_off = board_notes.later(project)
    around = board_notes.around(project, notes)
    for note in notes:
        for name, value in (*around[note.pk].items(), ("is_later", note.pk in put_off)):
            setattr(note, name, value)


def _advice(card: Card, cards: Sequence[Card]) -> Advice | None:
    """Suggest a merge where two modes name the same reviews, a split where some notes are alike."""
    mine = {review.pk for review in card.notes}
    best, other = 0, None
    for one in cards:
        shared = similar.overlap(mine, {r.pk for r in one.notes}) if one is not card else 0
        if shared > best:
            best, other = shared, one.mode
    if other is not None:
        said = f"{best} of {len(mine)} {'is' if best == 1 else 'are'} also in {other.name}"
        return Advice("merge", said, other=other)
    noted = [review for review in card.notes if review.note]
    for cluster in similar.clusters([review.note for review in noted], alike=SPLIT_ALIKE):
        rest = len(noted) - len(cluster.members)
        if len(cluster.members) >= 3 and rest >= 2 and cluster.words:
            chosen = frozenset(noted[index].pk for index in cluster.members)
            said = f"{len(chosen)} of {len(noted)} name {', '.join(cluster.words[:2])}"
            return Advice("split", said, reviews=chosen)
    return None


def _ordered(
    loose: Sequence[Review], cards: Sequence[Card], order: str
) -> tuple[list[Group], list[Review]]:
    """Return the notes in groups, and those in none, as the order asks."""
    if order == "newest":
        return [], sorted(loose, key=lambda review: review.pk, reverse=True)
    if order == "alike":
        return _groups(loose, cards)
    steps: dict[str, list[Review]] = {}
    for review in loose:
        steps.setdefault(getattr(review, "step"), []).append(review)  # noqa: B009 annotated
    alone = steps.pop("", [])
    named = sorted(steps.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [Group(notes, [step], None) for step, notes in named], alone


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
