"""What the page of a review queue shows: counts as drawings, and the items that come next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tracehub.core.sampling import rules_of
from tracehub.projects.models import User
from tracehub.review import judge_pairs, judging, measuring, progress, queueing, rates, repeats
from tracehub.review import querysets as reviews
from tracehub.review.models import Queue, QueueItem, Seat
from tracehub.web import marks

SHOWN = 20
JUDGE_PAIRS = 6
SPARK_HEIGHT = 20
WHO = (("", "Everyone"), ("mine", "Mine"), ("free", "Unassigned"))


@dataclass(frozen=True, slots=True)
class Row:
    """An open item: its place in the queue, who has it, and how far it is."""

    item: QueueItem
    number: int
    seats: list[Seat]
    state: str
    opened: bool


def context(queue: Queue, person: User, who: str, *, now: datetime) -> dict[str, Any]:
    """Return everything of the page that does not depend on the role."""
    stands = progress.progress(queue, now=now)
    to_decide, decided = progress.disagreements(queue)
    agreement = progress.agreement_of(queue)
    closed = progress.closed_items(queue)
    found = rates.rates(queue, closed)
    said = judging.said_by(queue.project)
    with_judges = judge_pairs.pairs(closed, said)
    return {
        "queue": queue,
        "rules": in_words(queue),
        "measures": measuring.measures(queue.project),
        "medians": measuring.medians(queue),
        "stale": reviews.modes_to_check(queue.project),
        "rates": rate_rows(queue, found),
        "rates_found": found,
        "consistency": repeats.consistency(queue, person),
        "progress": stands,
        "bars": bars(stands),
        "spark": spark(stands.pace),
        "agreement": agreement,
        "pairs": [
            *(_pair(pair, pair.first, pair.second) for pair in agreement.pairs),
            *(
                _pair(pair, pair.person, pair.judge if len(said) > 1 else "judge")
                for pair in with_judges[:JUDGE_PAIRS]
            ),
        ],
        "mode_agreement": agreement.modes,
        "judges": judging.judges(
            queue.project, traces=[item.trace_id for item in closed], said=said
        ),
        "shares": [_share(share) for share in stands.shares],
        "to_decide": to_decide[:5],
        "undecided": len(to_decide),
        "decided": len(decided),
        "mine_left": queueing.open_turns(queue, person, now=now).count(),
        "who": who,
        "who_choices": WHO,
        **upcoming(queue, person, who, now=now),
    }


def in_words(queue: Queue) -> list[str]:
    """Return the rules of a queue as sentences, in the order in which they choose."""
    found = [rule.words() for rule in rules_of(queue.draws)]
    chosen = f"what {queue.q} finds" if queue.q else "all traces"
    sentence = f"{'then ' if found else ''}{chosen}, in an order by chance"
    found.append(sentence[0].upper() + sentence[1:])
    if queue.random_share:
        found.append(f"{queue.random_share}% of these at random from all traces")
    caps = f"{queue.size} traces in all"
    found.append(f"{caps}, up to {queue.daily} added a day" if queue.daily else caps)
    if queue.overlap:
        found.append(f"{queue.overlap}% go to two people")
    if queue.repeats:
        found.append(f"{queue.repeats}% come back silently to who reviewed them")
    return found


def rate_rows(queue: Queue, found: rates.Rates | None) -> list[dict[str, Any]]:
    """Return the failing rate and those of the modes, each with the filter of its traces."""
    if found is None:
        return []
    rows = [("Failing", f"queue:{queue.slug} verdict:fail", found.failing)]
    rows += [(mode.name, f"queue:{queue.slug} mode:{mode.slug}", r) for mode, r in found.modes]
    return [{"name": name, "q": q, "rate": rate} for name, q, rate in rows]


def bars(stands: progress.Progress) -> list[dict[str, Any]]:
    """Return the verdicts of closed items as parts of the queue, in percent from the left."""
    found, left = [], 0.0
    for value, mark in marks.VERDICTS.items():
        count = stands.verdicts.get(value, 0)
        width = 100 * count / max(1, stands.items)
        found.append({"mark": mark, "count": count, "x": f"{left:.2f}%", "width": f"{width:.2f}%"})
        left += width
    return found


def spark(pace: list[int]) -> list[dict[str, str]]:
    """Return one bar an hour, 9 wide and 1 apart, for a box of SPARK_HEIGHT."""
    most = max([*pace, 1])
    heights = [SPARK_HEIGHT * count / most for count in pace]
    return [
        {"x": str(at * 10), "y": f"{SPARK_HEIGHT - h:.1f}", "height": f"{h:.1f}"}
        for at, h in enumerate(heights)
    ]


def upcoming(queue: Queue, person: User, who: str, *, now: datetime) -> dict[str, Any]:
    """Return the first open items, and how many there are."""
    items = QueueItem.objects.filter(queue=queue, closed_at=None)
    if who == "mine":
        items = items.filter(seats__in=queueing.open_turns(queue, person, now=now)).distinct()
    elif who == "free":
        items = items.filter(seats__reviewer=None, seats__skipped_at=None).distinct()
    total = items.count()
    before = QueueItem.objects.filter(queue=queue).exclude(closed_at=None).count()
    chosen = list(items.prefetch_related("seats__reviewer", "seats__held_by")[:SHOWN])
    rows = [_row(item, before + place, now) for place, item in enumerate(chosen, 1)]
    return {"rows": rows, "waiting": total, "more": total - len(rows)}


def _row(item: QueueItem, number: int, now: datetime) -> Row:
    seats = [seat for seat in item.seats.all() if seat.skipped_at is None]
    done = sum(seat.review_id is not None for seat in seats)
    held = any(s.held_until is not None and s.held_until > now for s in seats if not s.review_id)
    if done:
        state = f"{done} of {len(seats)} in"
    elif held:
        state = "Open now"
    else:
        state = "Two reviewers" if len(seats) > 1 else "Waiting"
    return Row(item, number, seats, state, held and not done)


def _share(share: progress.Share) -> dict[str, Any]:
    percent = 100 * share.done / max(1, share.given)
    return {
        "reviewer": share.reviewer,
        "done": share.done,
        "given": share.given,
        "median_ms": share.median_ms,
        "percent": f"{percent:.1f}",
    }


def _pair(
    pair: progress.Pair | judge_pairs.WithJudge, first: User, second: User | str
) -> dict[str, Any]:
    """Return a pair with its interval drawn from 0 to 1, in percent."""
    shown: dict[str, Any] = {
        "names": [str(one).split()[0].partition("@")[0] for one in (first, second)],
        "title": f"{first} and {second}",
        "shared": pair.shared, "same": pair.same,
        "kappa": pair.kappa,
    }  # fmt: skip
    if pair.kappa is None or pair.interval is None:
        return shown
    low, high = (min(1.0, max(0.0, end)) for end in pair.interval)
    tone = "pass" if pair.kappa >= 0.6 else "unsure" if pair.kappa < 0.45 else "neutral"
    return shown | {
        "low": f"{100 * low:.0f}",
        "width": f"{100 * (high - low):.0f}",
        "at": f"{100 * min(1.0, max(0.0, pair.kappa)):.0f}",
        "said": f"{pair.interval[0]:.2f} to {pair.interval[1]:.2f}",
        "tone": tone,
    }
