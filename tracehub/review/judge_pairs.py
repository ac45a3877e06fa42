"""How far each reviewer of a queue agrees with each judge."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from tracehub.projects.models import User
from tracehub.review.judging import Said
from tracehub.review.models import QueueItem, Verdict
from tracehub.review.progress import BINARY, answers, compared


@dataclass(frozen=True, slots=True)
class WithJudge:
    """A reviewer and a judge over the closed items of which both said fail or pass."""

    person: User
    judge: str
    shared: int
    same: float
    kappa: float | None
    interval: tuple[float, float] | None


def pairs(items: Sequence[QueueItem], said: Said) -> list[WithJudge]:
    """Return each pair that shares an item; `items` are of `closed_items`, `said` of `said_by`."""
    rated: dict[User, dict[UUID, int]] = {}
    for item in items:
        for review in answers(item):
            rating = BINARY.get(Verdict(review.verdict))
            if review.author is not None and rating is not None:
                rated.setdefault(review.author, {})[item.trace_id] = rating
    found = []
    for judge, fails in said.items():
        for person, own in rated.items():
            both = [(own[trace], int(fails[trace])) for trace in own if trace in fails]
            if both:
                found.append(WithJudge(person, judge, *compared(both)))
    return sorted(found, key=lambda pair: (-pair.shared, str(pair.person), pair.judge))
