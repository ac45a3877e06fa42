"""What the demo's built-in judge said of reviewed traces: one rubric, measured on both halves."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

from django.db import transaction
from django.utils import timezone

from tracehub.core.judging import split_of
from tracehub.projects.models import Project, User
from tracehub.review import judge_runs, judging
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode, JudgeRun, JudgeTask

MODE, MODEL = "wrong-tone", "gpt-4o-mini"
RUBRIC = (
    "The customer is bereaved, stranded or upset, and the reply asks for papers or states rules"
    " before a word of sympathy, hurries them, or lectures. Short and polite alone is no failure."
)
CAUGHT, ALARMS = 0.9, 0.04  # of the judge: fails that it finds, and passes it calls one
COST = Decimal("0.0009")  # of one trace, in US dollars


@transaction.atomic
def write(project: Project, by: User) -> None:
    """Store a rubric and a finished run on each half of the reviewed traces, once."""
    mode = FailureMode.objects.filter(project=project, slug=MODE, archived_at=None).first()
    if mode is None or JudgeRun.objects.filter(project=project).exists():
        return
    rubric = judge_runs.save_rubric(mode, RUBRIC, by=by)
    read = set(reviews.counted(project.pk).values_list("trace_id", flat=True))
    people = judging.truth(reviews.standing(project.pk, read), MODE)
    for age, scope in ((2, JudgeRun.Scope.DEV), (1, JudgeRun.Scope.TEST)):
        half = [trace for trace in sorted(people) if split_of(trace.hex) == scope]
        at = timezone.now() - timedelta(hours=age)
        run = JudgeRun.objects.create(
            project=project, mode=mode, rubric=rubric.text, version=rubric.version, by=by,
            model=MODEL, scope=scope, cap=Decimal("1.00"), cost=COST * len(half),
            state=JudgeRun.State.DONE, held_until=at, created_at=at,
        )  # fmt: skip
        JudgeTask.objects.bulk_create(
            JudgeTask(run=run, trace_id=trace, done_at=at, fails=_fails(trace.hex, people[trace]))
            for trace in half
        )


def _fails(trace: str, bad: bool) -> bool:
    rng = random.Random(f"{trace}/rubric")  # noqa: S311 a demo has no secrets
    return rng.random() < (CAUGHT if bad else ALARMS)
