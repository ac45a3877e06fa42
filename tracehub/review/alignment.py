"""How far a rubric agrees with people: tuned on one half of the traces, measured on the other."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from tracehub.review import judging
from tracehub.review.judging import Judge, Share
from tracehub.review.models import FailureMode, JudgeRun, JudgeTask, Rubric
from tracehub.review.querysets import standing

Scope = JudgeRun.Scope
TRUSTED = 0.8  # both lower bounds on the test half must reach it


@dataclass(frozen=True, slots=True)
class Alignment:
    """The judge against people on both halves; None where it has judged nothing.

    `looks` counts the runs on the test half with this rubric: each but the first makes the numbers
    of the half too good. `judged` is what it says of the traces of a filter, and `rate` what that
    means after correction, or `refusal` why there is none.
    """

    dev: Judge | None
    test: Judge | None
    looks: int
    judged: Share
    rate: float | None
    interval: tuple[float, float] | None
    refusal: str

    @property
    def trusted(self) -> bool:
        if self.test is None:
            return False
        ends = [share.interval for share in (self.test.caught, self.test.cleared)]
        return all(end is not None and end[0] >= TRUSTED for end in ends)


def alignment(mode: FailureMode, rubric: Rubric) -> Alignment:
    """Return how the rubric as it is now does. Five queries."""
    slug, project = mode.slug, mode.project_id
    said = {scope: _said(mode, rubric, scope) for scope in Scope}
    reviewed = standing(project, [*said[Scope.DEV], *said[Scope.TEST]])
    people = judging.truth(reviewed, slug)
    found = {
        scope: judging.compared(slug, said[scope], people) if said[scope] else None
        for scope in (Scope.DEV, Scope.TEST)
    }
    test, general = found[Scope.TEST], said[Scope.FILTER]
    judged = Share(sum(general.values()), len(general))
    nothing: tuple[None, None, str] = (None, None, "run it on the test half and on a filter first")
    rate, interval, refusal = (
        judging.corrected(judged, test.caught, test.cleared) if test and general else nothing
    )
    runs = JudgeRun.objects.filter(mode=mode, version=rubric.version, scope=Scope.TEST)
    return Alignment(found[Scope.DEV], test, runs.count(), judged, rate, interval, refusal)


def _said(mode: FailureMode, rubric: Rubric, scope: str) -> dict[UUID, bool]:
    """Return the newest verdict on each trace of a scope, under this version of the rubric."""
    rows = JudgeTask.objects.filter(
        run__mode=mode, run__version=rubric.version, run__scope=scope, fails__isnull=False
    )
    found = rows.order_by("pk").values_list("trace_id", "fails")
    return {trace: bool(fails) for trace, fails in found}
