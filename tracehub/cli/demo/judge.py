"""What the demo's built-in judge said of ticket summaries: one rubric, measured on both halves.

People read the summaries that leave out a request, all at once from the list of traces; the judge
was run on what they read, and then on the newest summaries, whose rate is corrected for its errors.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.cli.demo.reviews import UNSEEN
from tracehub.cli.demo.story import LONGEST, Scene, moment
from tracehub.cli.demo.troubles import SUMMARY
from tracehub.core.judging import split_of
from tracehub.projects.models import Project, User
from tracehub.review import actions, judge_runs, judging
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, JudgeRun, JudgeTask, Review, Verdict

MODE, TROUBLE, MODEL = "omits-request", "omits", "gpt-4o-mini"
RUBRIC = (
    "The ticket ends with something that the customer still asks for or waits for, and the summary"
    " does not name it, or calls the case closed. A summary that names it in other words is good."
)
CAUGHT, ALARMS = 0.95, 0.04  # of the judge: fails that it finds, and passes it calls one
COST = Decimal("0.0009")  # of one trace, in US dollars
FILTER, NEWEST = f"name:{SUMMARY}", 300
READ_LATER = 600.0  # seconds from the end of a trace


@transaction.atomic
def write(project: Project, scenes: Sequence[Scene], by: User, *, now: float, days: int) -> int:
    """Store reviews, a rubric and its three finished runs, once; return how many reviews."""
    mode = FailureMode.objects.filter(project=project, slug=MODE, archived_at=None).first()
    if mode is None or JudgeRun.objects.filter(project=project).exists():
        return 0
    made = _read(project, scenes, by, now=now, days=days)
    rubric = judge_runs.save_rubric(mode, RUBRIC, by=by)
    read = set(reviews.counted(project.pk).values_list("trace_id", flat=True))
    people = judging.truth(reviews.standing(project.pk, read), MODE)
    newest = {
        UUID(hex=scene.trace_id): scene.has(TROUBLE)
        for scene in [one for one in scenes if one.app == SUMMARY][:NEWEST]
    }
    halves = {
        scope: {trace: bad for trace, bad in people.items() if split_of(trace.hex) == scope}
        for scope in (JudgeRun.Scope.DEV, JudgeRun.Scope.TEST)
    }
    for age, (scope, truth) in enumerate([(JudgeRun.Scope.FILTER, newest), *halves.items()], 1):
        at = timezone.now() - timedelta(hours=age)
        run = JudgeRun.objects.create(
            project=project, mode=mode, rubric=rubric.text, version=rubric.version, by=by,
            model=MODEL, scope=scope, q=FILTER if scope == JudgeRun.Scope.FILTER else "",
            cap=Decimal("1.00"), cost=COST * len(truth), state=JudgeRun.State.DONE,
            held_until=at, created_at=at,
        )  # fmt: skip
        JudgeTask.objects.bulk_create(
            JudgeTask(run=run, trace_id=trace, done_at=at, fails=_fails(trace.hex, truth[trace]))
            for trace in sorted(truth)
        )
    return made


def _read(project: Project, scenes: Sequence[Scene], by: User, *, now: float, days: int) -> int:
    """Let a person fail the summaries that nobody has read yet and that leave something out."""
    told = {UUID(hex=scene.trace_id): scene for scene in scenes[UNSEEN:] if scene.has(TROUBLE)}
    known = Review.objects.filter(project=project, trace_id__in=told)
    unread = sorted(set(told) - set(known.values_list("trace_id", flat=True)))
    made = actions.submit_reviews(project, unread, Verdict.FAIL, author=by, modes=[MODE])
    for review in made:
        scene = told[review.trace_id]
        if scene.trouble is not None:
            review.severity = scene.trouble.severity
            rng = random.Random(f"{scene.seed}/note")  # noqa: S311 a demo has no secrets
            review.note = rng.choice(scene.trouble.notes)
        at = min(now, moment(scene, now, days) + LONGEST + READ_LATER)
        review.created_at = datetime.fromtimestamp(at, UTC)
    Review.objects.bulk_update(made, ["severity", "note", "created_at"])
    return len(made)


def _fails(trace: str, bad: bool) -> bool:
    rng = random.Random(f"{trace}/rubric")  # noqa: S311 a demo has no secrets
    return rng.random() < (CAUGHT if bad else ALARMS)
