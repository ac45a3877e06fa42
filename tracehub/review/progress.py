"""How a queue stands: counts, pace, who has how many, what to adjudicate, how far people agree.

Only closed items tell verdicts; of open ones, no more than that a review is in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import combinations
from statistics import median
from typing import Any

from django.db.models import Prefetch

from tracehub.core import agreement
from tracehub.core.agreement import FEWEST_SHARED
from tracehub.projects.models import User
from tracehub.review.models import FailureMode, Queue, QueueItem, Review, Seat, Severity, Verdict

PACE_HOURS = 12
BINARY = {Verdict.FAIL: 1, Verdict.PASS: 0}  # unsure counts as not rated


@dataclass(frozen=True, slots=True)
class Pair:
    """Two reviewers over the items that both rated fail or pass."""

    first: User
    second: User
    shared: int
    same: float
    kappa: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Coefficient:
    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Agreement:
    """Blind overlap only. The coefficients are None below ten shared items."""

    shared: int
    percent: float | None
    alpha: Coefficient
    ac1: Coefficient
    unsure: int
    severity: Coefficient  # ordinal, where both gave one
    pairs: list[Pair]
    modes: list[tuple[FailureMode, int, Coefficient]]


@dataclass(frozen=True, slots=True)
class Share:
    """One reviewer's part of a queue."""

    reviewer: User
    done: int
    given: int
    median_ms: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """Counts of a queue. `pace` is reviews an hour over the last twelve, oldest first."""

    items: int
    closed: int
    left: int
    verdicts: dict[str, int]
    pace: list[int]
    median_ms: float | None
    shares: list[Share]
    doubles: int
    agreed: int

    @property
    def an_hour(self) -> float | None:
        """Reviews in an hour in which anybody reviewed."""
        busy = [count for count in self.pace if count]
        return sum(busy) / len(busy) if busy else None

    @property
    def left_ms(self) -> float | None:
        return None if self.median_ms is None else self.median_ms * self.left


def progress(queue: Queue, *, now: datetime) -> Progress:
    """Return how a queue stands. Three queries; `left` counts turns that wait."""
    items = closed_items(queue)
    seats = list(
        Seat.objects.filter(item__queue=queue).select_related("review", "reviewer", "item")
    )
    given = [seat for seat in seats if seat.review is not None]
    times = [s.review.took_ms for s in given if s.review and s.review.took_ms is not None]
    doubles = [item for item in items if len(answers(item)) > 1]
    return Progress(
        items=QueueItem.objects.filter(queue=queue).count(),
        closed=len(items),
        left=sum(
            s.review is None and s.skipped_at is None and s.item.closed_at is None for s in seats
        ),
        verdicts=dict(Counter(verdict_of(item) for item in items if answers(item))),
        pace=_pace([s.review.created_at for s in given if s.review], now),
        median_ms=median(times) if times else None,
        shares=_shares(seats),
        doubles=len(doubles),
        agreed=sum(not disagree(answers(item)) for item in doubles),
    )


def closed_items(queue: Queue) -> list[QueueItem]:
    """Return closed items with their reviews and adjudication, the newest first.

    Without those that are open in a blind queue as well: what was said of them is still sealed.
    """
    seats = Seat.objects.filter(review__withdrawn_at=None).exclude(review=None)
    seats = seats.select_related("review__author").prefetch_related("review__modes")
    rows = QueueItem.objects.filter(queue=queue).exclude(closed_at=None).order_by("-closed_at")
    rows = rows.select_related("adjudication__author").prefetch_related("adjudication__modes")
    found = rows.prefetch_related(Prefetch("seats", queryset=seats, to_attr="answered"))
    return [
        item
        for item in found
        if not any(review.sealed for review in (*answers(item), item.adjudication) if review)
    ]


def answers(item: QueueItem) -> list[Review]:
    """Return the reviews of an item of `closed_items`, in the order they were given."""
    seats: Sequence[Seat] = getattr(item, "answered")  # noqa: B009 annotated by closed_items
    return sorted((s.review for s in seats if s.review), key=lambda review: review.pk)


def verdict_of(item: QueueItem) -> str:
    """Return the verdict of a closed item that has reviews: the adjudicated, else the newest."""
    return item.adjudication.verdict if item.adjudication else answers(item)[-1].verdict


def disagree(reviews: Sequence[Review]) -> bool:
    """Tell whether reviews differ in verdict, or in what they say went wrong."""
    if len({review.verdict for review in reviews}) > 1:
        return True
    modes = {frozenset(mode.pk for mode in review.modes.all()) for review in reviews}
    return len(modes) > 1


def disagreements(queue: Queue) -> tuple[list[QueueItem], list[QueueItem]]:
    """Return the closed items whose reviews differ: those to decide, and those decided."""
    found = [i for i in closed_items(queue) if len(answers(i)) > 1 and disagree(answers(i))]
    return (
        [item for item in found if item.adjudication is None],
        [item for item in found if item.adjudication is not None],
    )


def agreement_of(queue: Queue) -> Agreement:
    """Return how far the reviewers agree on what both saw blind."""
    blind = [_blind(item) for item in closed_items(queue)] if queue.blind else []
    items = [reviews for reviews in blind if len(reviews) > 1]
    people = {r.author_id: r.author for reviews in items for r in reviews if r.author}
    rows = [
        [_rating(reviews, person, lambda r: BINARY.get(Verdict(r.verdict))) for reviews in items]
        for person in people
    ]
    shared = sum(sum(v is not None for v in unit) > 1 for unit in zip(*rows, strict=True))
    enough = shared >= FEWEST_SHARED
    return Agreement(
        shared=shared,
        percent=agreement.percent_agreement(rows),
        alpha=_coefficient(agreement.krippendorff_alpha, rows, enough),
        ac1=_coefficient(agreement.gwet_ac1, rows, enough),
        unsure=sum(r.verdict == Verdict.UNSURE for reviews in items for r in reviews),
        severity=_severity(items, list(people)),
        pairs=_pairs([p for p in people.values() if p], rows),
        modes=_modes(items, list(people)),
    )


def _blind(item: QueueItem) -> list[Review]:
    """Leave out reviews that were given again after the item had been opened to all."""
    return [
        review
        for review in answers(item)
        if item.first_closed_at is None or review.created_at <= item.first_closed_at
    ]


def _rating(
    reviews: Sequence[Review], person: int | None, rating: Callable[[Review], int | None]
) -> int | None:
    mine = next((review for review in reviews if review.author_id == person), None)
    return rating(mine) if mine else None


def _coefficient(
    measure: Callable[[Any], float | None], rows: agreement.Ratings, enough: bool
) -> Coefficient:
    if not enough:
        return Coefficient(None, None)
    value = measure(rows)
    return Coefficient(
        value, None if value is None else _interval(measure, tuple(map(tuple, rows)))
    )


@lru_cache(maxsize=512)  # a thousand draws; the same ratings have the same interval
def _interval(
    measure: Callable[[Any], float | None], rows: tuple[tuple[Any, ...], ...]
) -> tuple[float, float] | None:
    return agreement.bootstrap(measure, rows)


def _pairs(people: Sequence[User], rows: agreement.Ratings) -> list[Pair]:
    found = []
    for (one, a), (other, b) in combinations(zip(people, rows, strict=True), 2):
        both = [(x, y) for x, y in zip(a, b, strict=True) if x is not None and y is not None]
        if not both:
            continue
        found.append(Pair(one, other, *compared(both)))
    return sorted(found, key=lambda pair: -pair.shared)


def compared(
    both: Sequence[tuple[Hashable, Hashable]],
) -> tuple[int, float, float | None, tuple[float, float] | None]:
    """Return number, share of equal ones, kappa and its interval of what two said of the same."""
    kappa = _coefficient(_kappa, list(zip(*both, strict=True)), len(both) >= FEWEST_SHARED)
    same = sum(x == y for x, y in both) / len(both)
    return len(both), same, kappa.value, kappa.interval


def _kappa(rows: agreement.Ratings) -> float | None:
    return agreement.cohen_kappa(rows[0], rows[1])


def _modes(
    items: Sequence[Sequence[Review]], people: Sequence[int | None]
) -> list[tuple[FailureMode, int, Coefficient]]:
    """One binary alpha for each mode that anybody named, over the shared items."""
    named = Counter(mode for reviews in items for r in reviews for mode in r.modes.all())
    enough = len(items) >= FEWEST_SHARED
    found = []
    for mode, count in named.most_common():
        rows = [[_names(reviews, person, mode) for reviews in items] for person in people]
        found.append((mode, count, _coefficient(agreement.krippendorff_alpha, rows, enough)))
    return found


def _severity(items: Sequence[Sequence[Review]], people: Sequence[int | None]) -> Coefficient:
    """Ordinal alpha of the severities, over items where two or more gave one."""
    ranks = {value: rank for rank, value in enumerate(Severity.values, 1)}
    rows = [
        [_rating(r, person, lambda one: ranks.get(one.severity)) for r in items]
        for person in people
    ]
    shared = sum(sum(v is not None for v in unit) > 1 for unit in zip(*rows, strict=True))
    return _coefficient(agreement.ordinal_alpha, rows, shared >= FEWEST_SHARED)


def _names(reviews: Sequence[Review], person: int | None, mode: FailureMode) -> int | None:
    return _rating(reviews, person, lambda review: int(mode in review.modes.all()))


def _pace(moments: Sequence[datetime], now: datetime) -> list[int]:
    hours = Counter(int((now - moment) / timedelta(hours=1)) for moment in moments)
    return [hours[hour] for hour in reversed(range(PACE_HOURS))]


def _shares(seats: Sequence[Seat]) -> list[Share]:
    mine: dict[User, list[Seat]] = {}
    for seat in seats:
        if seat.reviewer is not None and seat.skipped_at is None:
            mine.setdefault(seat.reviewer, []).append(seat)
    found = []
    for person, given in mine.items():
        reviews = [seat.review for seat in given if seat.review is not None]
        times = [review.took_ms for review in reviews if review.took_ms is not None]
        found.append(Share(person, len(reviews), len(given), median(times) if times else None))
    return sorted(found, key=lambda share: str(share.reviewer))
