"""The demo's blind queue: what three people say of the same answers, apart from each other.

The queue draws by a judge's doubts and by chance; two thirds of it are reviewed. Some failures have
a note and no mode yet, for the coding board.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from django.db import transaction

from tracehub.cli.demo.story import LONGEST, Scene, moment
from tracehub.cli.demo.troubles import CURT, FIRST_NOTES, GOOD_NOTES, UNSURE_NOTES
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, adjudication, coding, filling, progress, queueing, repeats
from tracehub.review import querysets as reviews
from tracehub.review.models import (
    FailureMode,
    Queue,
    QueueItem,
    Review,
    Seat,
    Severity,
    Timing,
    Verdict,
)
from tracehub.traces import reading

QUEUE, SLUG = "Support answers, blind", "support-answers-blind"
RULES: dict[str, Any] = {
    "q": "name:airline-support -cohort:canary", "draws": [{"way": "judge", "most": 40}],
    "size": 150, "overlap": 45, "repeats": 10, "blind": True,
}  # fmt: skip
READ = 3 / 4  # of the items
FLIPPED, DOUBTED = 0.1, 0.07  # of the reviews say the opposite of what is so, or cannot tell
WAVERED = 0.2  # of the silent repeats get another verdict than before
UNNAMED = 0.45  # of the failures have a note and no mode
DECIDED, GROUPED = 3, 2  # disagreements, and notes that were put into a mode
PACE = 95.0  # seconds between two reviews


def write(
    project: Project, scenes: Sequence[Scene], people: Sequence[User], *, now: float, days: int
) -> int:
    """Make the queue and review a part of it, once; return how many reviews are new.

    Who looks at the demo is one of its reviewers: some numbers a person sees only of themselves.
    """
    people = [*people, *User.objects.filter(is_superuser=True, is_active=True).order_by("pk")[:1]]
    queue = Queue.objects.filter(project=project, slug=SLUG).first()
    if queue is None:
        queue, _ = queueing.create_queue(project, QUEUE, slug=SLUG, reviewers=people, **RULES)
    by_id = {UUID(hex=scene.trace_id): scene for scene in scenes}
    items = sorted(queue.items.filter(trace_id__in=by_id), key=lambda item: item.trace_id.int % 997)
    read = items[: round(READ * len(items))]
    new = [one for item in read for one in _of_item(item, by_id[item.trace_id], people)]
    if new:
        _date(new, by_id, now, days)
        _close(read)
        _decide(queue, people[2])
        _group(queue, people[0])
        _measure(queue, new)
        _let_in_admins(queue)
    return len(new)


def _of_item(item: QueueItem, scene: Scene, people: Sequence[User]) -> Iterator[Review]:
    """Answer the turns of an item that wait for one of the people, and silent repeats between."""
    waiting = Seat.objects.filter(item=item, review=None, skipped_at=None, reviewer__in=people)
    for seat in waiting.select_related("reviewer"):
        person = seat.reviewer
        assert person is not None  # noqa: S101 one of the people
        mark = uuid5(item.trace_id, f"blind {person.email}")
        review, new = _say(item.queue, scene, person, mark)
        if new:
            yield review
            again = repeats.due(item.queue, person, now=review.created_at)
            if again is not None:
                yield from _again(again.first, person)


def _again(first: Review, person: User) -> Iterator[Review]:
    """Say of a trace that came back what was said before, or not quite."""
    rng = random.Random(f"{first.trace_id}/{person.email}/again")  # noqa: S311 no secret
    wavers = rng.random() < WAVERED
    verdict = Verdict.UNSURE.value if wavers else first.verdict
    review, _ = actions.submit_review(
        first.project, first.trace_id, verdict, author=person, took_ms=first.took_ms
    )
    yield review


def _say(queue: Queue, scene: Scene, person: User, mark: UUID) -> tuple[Review, bool]:
    """Submit what a person sees in a scene: mostly what is so."""
    rng = random.Random(f"{scene.seed}/{person.email}")  # noqa: S311 a demo has no secrets
    trouble = scene.trouble if scene.trouble and not scene.trouble.quiet else None
    drawn, fails = rng.random(), trouble is not None
    modes, severity, step = trouble.modes if trouble else ("wrong-tone",), Severity.MEDIUM.value, ""
    if drawn < FLIPPED:
        fails = not fails
    verdict, note = (Verdict.FAIL, "") if fails else (Verdict.PASS, rng.choice(GOOD_NOTES))
    if fails:
        notes = (FIRST_NOTES.get(trouble.key) or trouble.notes) if trouble else CURT
        note = rng.choice(notes)
        severity, step = (trouble.severity if trouble else severity), _step(queue, scene)
        if random.Random(f"{scene.seed}/mode").random() < UNNAMED:  # noqa: S311 no secret
            modes = ()
    if FLIPPED <= drawn < FLIPPED + DOUBTED:
        verdict, note, step = Verdict.UNSURE, rng.choice(UNSURE_NOTES), ""
    return actions.submit_review(
        queue.project, UUID(hex=scene.trace_id), verdict, author=person, note=note,
        modes=modes if verdict == Verdict.FAIL else (),
        severity=severity if verdict == Verdict.FAIL else "", failing_span=step,
        took_ms=round(1000 * rng.lognormvariate(3.4, 0.5)), submission=mark,
    )  # fmt: skip


def _step(queue: Queue, scene: Scene) -> str:
    """Return the step that wrote the answer: where it first goes wrong."""
    trace = reading.load(queue.project, UUID(hex=scene.trace_id))
    wrote = [s.span_id for s in trace.spans if s.name.startswith("compose-")] if trace else []
    return wrote[0] if wrote else ""


def _date(new: Sequence[Review], by_id: dict[UUID, Scene], now: float, days: int) -> None:
    """Spread reviews over the last hours, none of them before the end of its trace."""
    for place, review in enumerate(new):
        there = moment(by_id[review.trace_id], now, days) + LONGEST
        at = min(now, max(now - PACE * (len(new) - place), there))
        review.created_at = datetime.fromtimestamp(at, UTC)
    Review.objects.bulk_update(new, ["created_at"])


def _close(items: Sequence[QueueItem]) -> None:
    """Let items close with their last review."""
    ids = [item.pk for item in items]
    closed = list(QueueItem.objects.filter(pk__in=ids).exclude(closed_at=None))
    for item in closed:
        given = Seat.objects.filter(item=item).exclude(review=None)
        last = max(given.values_list("review__created_at", flat=True), default=item.closed_at)
        item.closed_at = item.first_closed_at = last
    QueueItem.objects.bulk_update(closed, ["closed_at", "first_closed_at"])


def _decide(queue: Queue, by: User) -> None:
    """Decide the oldest disagreements for the review that says more."""
    if queue.items.exclude(adjudication=None).exists():
        return
    to_decide, _ = progress.disagreements(queue)
    for item in to_decide[-DECIDED:]:
        says = max(progress.answers(item), key=lambda review: len(review.modes.all()))
        with transaction.atomic():
            held = QueueItem.objects.select_for_update().get(pk=item.pk)
            slugs = [mode.slug for mode in says.modes.all()]
            review = adjudication.decide(held, says.verdict, by=by, modes=slugs)
        review.created_at = (item.closed_at or review.created_at) + timedelta(minutes=5)
        review.save(update_fields=["created_at"])


def _group(queue: Queue, by: User) -> None:
    """Put the oldest loose notes on tone into their mode: a change that can still be undone."""
    mode = FailureMode.objects.filter(project=queue.project, slug="wrong-tone").first()
    loose = reviews.counted(queue.project_id).filter(modes=None, seats__item__queue=queue)
    notes = loose.filter(note__in=FIRST_NOTES["tone"]).order_by("pk")[:GROUPED]
    if mode is not None and notes:
        coding.assign(queue.project, [note.pk for note in notes], mode, by=by)


def _measure(queue: Queue, new: Sequence[Review]) -> None:
    """Tell how quick the page was at these reviews, in ms."""
    rng = random.Random(f"{queue.slug}/timings")  # noqa: S311 a demo has no secrets
    Timing.objects.bulk_create(
        Timing(
            queue=queue, review=review, open_ms=rng.randint(60, 140),
            first_key_ms=rng.randint(2000, 9000), save_ms=rng.randint(25, 80),
        )
        for review in new
    )  # fmt: skip


def _let_in_admins(queue: Queue) -> None:
    """Give who looks at the demo turns of their own."""
    admins = User.objects.filter(memberships__project=queue.project, memberships__role=Role.ADMIN)
    queue.reviewers.add(*admins)
    filling.rebalance(queue)
