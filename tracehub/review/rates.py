"""What the verdicts of a queue say of all traces it could have taken, weighted by how it drew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from tracehub.core.sampling import Rate, weighted_rate
from tracehub.review.models import FailureMode, Queue, QueueItem, Verdict
from tracehub.review.progress import answers, closed_items, verdict_of


@dataclass(frozen=True, slots=True)
class Rates:
    """The failing rate, and that of each failure mode, the most frequent first.

    `plain` is the share among the reviewed traces themselves; `unsure` were left out.
    """

    failing: Rate
    plain: float
    unsure: int
    modes: list[tuple[FailureMode, Rate]]


def rates(queue: Queue, items: Sequence[QueueItem] | None = None) -> Rates | None:
    """Return the rates over closed items; None without a verdict. `items` are of `closed_items`."""
    judged = [item for item in (closed_items(queue) if items is None else items) if answers(item)]
    sure = [item for item in judged if verdict_of(item) != Verdict.UNSURE and item.chance > 0]
    if not sure:
        return None
    chances = [item.chance for item in sure]
    fails = [verdict_of(item) == Verdict.FAIL for item in sure]
    failing = weighted_rate(fails, chances)
    assert failing is not None  # noqa: S101 there is a trace
    modes = []
    named = [_modes(item) for item in sure]
    for mode in {mode for some in named for mode in some}:
        rate = weighted_rate([mode in some for some in named], chances)
        if rate is not None:
            modes.append((mode, rate))
    modes.sort(key=lambda pair: (-pair[1].share, pair[0].position))
    return Rates(failing, sum(fails) / len(fails), len(judged) - len(sure), modes)


def inclusion(project_id: int, traces: Iterable[UUID]) -> dict[UUID, float]:
    """Return the probability with which any queue took each of these traces and closed it.

    Queues draw apart from each other. For `core.sampling.weighted_rate`; what no queue took is
    left out, since nobody knows why it was reviewed.
    """
    left: dict[UUID, float] = {}
    rows = QueueItem.objects.filter(project_id=project_id, trace_id__in=list(traces), chance__gt=0)
    for trace, chance in rows.exclude(closed_at=None).values_list("trace_id", "chance"):
        left[trace] = left.get(trace, 1.0) * (1 - chance)
    return {trace: 1 - none for trace, none in left.items()}


def _modes(item: QueueItem) -> list[FailureMode]:
    deciding = item.adjudication or answers(item)[-1]
    return list(deciding.modes.all()) if deciding.verdict == Verdict.FAIL else []
