"""How far automated judges agree with people, and what their verdicts say of all traces.

A judge is a name of feedback that came with a source that begins with "judge" or "llm", as in
`{"name": "grounded", "value": false, "source": "judge"}`. People's verdict is the one that counts;
"unsure" is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from tracehub.core import agreement
from tracehub.core.sampling import Way
from tracehub.core.stats import wilson_interval
from tracehub.core.trace import Json
from tracehub.projects.models import Project
from tracehub.review.models import QueueItem, Verdict
from tracehub.review.querysets import Standing, standing
from tracehub.traces.models import Feedback

BUILT_IN = "judge:rubric"  # source of the built-in judge, whose name is the slug of a mode
MOST = 5000  # verdicts of judges that are read, the newest
WORDS = {"fail": True, "failed": True, "bad": True, "pass": False, "passed": False, "good": False}
Said = dict[str, dict[UUID, bool]]
BY_JUDGES: tuple[Way, ...] = ("judge", "uncertain")  # ways of a queue
ENOUGH = 30  # of each class; below it rates are too uncertain to correct with


@dataclass(frozen=True, slots=True)
class Share:
    """Hits among a number, with Wilson's interval; no interval when there are none."""

    hits: int
    number: int

    @property
    def rate(self) -> float | None:
        return self.hits / self.number if self.number else None

    @property
    def interval(self) -> tuple[float, float] | None:
        return wilson_interval(self.hits, self.number) if self.number else None


@dataclass(frozen=True, slots=True)
class Judge:
    """One judge against people. `missed` are traces to read: it said otherwise than they did."""

    name: str
    caught: Share  # says fail, of those people fail: TPR
    cleared: Share  # says pass, of those people pass: TNR
    kappa: float | None
    judged: Share  # says fail, of all it judged
    missed: list[UUID]
    alarms: frozenset[UUID]  # those of them that it fails and people pass
    true_rate: float | None
    true_interval: tuple[float, float] | None
    refusal: str  # why there is no true rate


def judges(
    project: Project, *, traces: Iterable[UUID] | None = None, said: Said | None = None
) -> list[Judge]:
    """Return every judge of the project that judged a reviewed trace, by name.

    `traces` narrows the comparison with people; what a judge says of all traces stays all. `said`
    is of `said_by`, when it is read already. Traces that a queue chose by what judges said are left
    out of the comparison: among them a judge is as often wrong as the queue wished.
    """
    said = said_by(project) if said is None else said
    wanted = None if traces is None else set(traces)
    everything = {trace for found in said.values() for trace in found}
    asked = everything if wanted is None else everything & wanted
    asked -= set(chosen_by_judges(project, asked))
    held = standing(project.pk, asked)
    built_in = set(_verdicts(project).filter(source=BUILT_IN).values_list("name", flat=True))
    found = [
        compared(name, fails, truth(held, name if name in built_in else ""))
        for name, fails in sorted(said.items())
    ]
    return [judge for judge in found if judge.caught.number + judge.cleared.number]


def chosen_by_judges(project: Project, traces: Iterable[UUID]) -> Iterable[UUID]:
    """Return those of the traces that a queue chose by what judges say."""
    items = QueueItem.objects.filter(project=project, way__in=BY_JUDGES, trace_id__in=list(traces))
    return items.values_list("trace_id", flat=True)


def said_by(project: Project) -> Said:
    """Return by judge whether it says fail of each trace, in its newest verdict."""
    said: dict[str, dict[UUID, bool]] = {}
    for row in _verdicts(project)[:MOST].iterator():
        fails = says_fail(row.value, row.label)
        if fails is not None:
            said.setdefault(row.name, {}).setdefault(row.trace_id, fails)
    return said


def verdicts(project: Project) -> dict[UUID, tuple[str, bool]]:
    """Return the newest verdict of a judge on each trace: its name, and whether it says fail."""
    found: dict[UUID, tuple[str, bool]] = {}
    for row in _verdicts(project)[:MOST].iterator():
        fails = says_fail(row.value, row.label)
        if fails is not None:
            found.setdefault(row.trace_id, (row.name, fails))
    return found


def doubts(project: Project) -> dict[UUID, tuple[float, str]]:
    """Return how unsure judges are of each trace, from 0 to 1, and why; without doubt, nothing.

    A degree is the more unsure the nearer it lies to one half; two judges may contradict.
    """
    found: dict[UUID, tuple[float, str]] = {}
    said: dict[UUID, dict[bool, str]] = {}
    for row in _verdicts(project)[:MOST].iterator():
        fails = says_fail(row.value, row.label)
        if fails is not None:
            said.setdefault(row.trace_id, {})[fails] = row.name
        elif isinstance(row.value, float) and 0 < row.value < 1:
            doubt = 1 - abs(2 * row.value - 1)
            if doubt > found.get(row.trace_id, (0.0, ""))[0]:
                found[row.trace_id] = (doubt, f"Judge {row.name} scores {row.value:.2f}")
    for trace, sides in said.items():
        if len(sides) == 2:
            found[trace] = (1.0, f"{sides[True]} says fail, {sides[False]} pass")
    return found


def says_fail(value: Json, label: str) -> bool | None:
    """Return whether a judge's score is a fail; None when it is no verdict but a degree.

    >>> [says_fail(False, ""), says_fail(1, ""), says_fail(0.4, ""), says_fail(None, "Fail")]
    [True, False, None, True]
    """
    for word in (label, value):
        if isinstance(word, str) and word.strip().lower() in WORDS:
            return WORDS[word.strip().lower()]
    if isinstance(value, bool | int | float) and value in (0, 1):
        return value == 0
    return None


def _verdicts(project: Project) -> QuerySet[Feedback]:
    by_judge = Q(source__istartswith="judge") | Q(source__istartswith="llm")
    return Feedback.objects.filter(by_judge, project=project).order_by("-id")


def truth(held: Mapping[UUID, Standing], mode: str = "") -> dict[UUID, bool]:
    """Return whether people say fail; with `mode`, a slug, whether they name that mode."""
    return {
        trace: one.verdict == Verdict.FAIL and (not mode or mode in one.modes)
        for trace, one in held.items()
        if one.verdict != Verdict.UNSURE
    }


def compared(name: str, fails: dict[UUID, bool], people: dict[UUID, bool]) -> Judge:
    both = [(trace, fails[trace], people[trace]) for trace in fails if trace in people]
    of_bad = [judge for _, judge, person in both if person]
    of_good = [judge for _, judge, person in both if not person]
    caught = Share(sum(of_bad), len(of_bad))
    cleared = Share(len(of_good) - sum(of_good), len(of_good))
    judged = Share(sum(fails.values()), len(fails))
    rate, interval, refusal = corrected(judged, caught, cleared)
    kappa = None
    if len(both) >= agreement.FEWEST_SHARED:
        kappa = agreement.cohen_kappa([j for _, j, _ in both], [p for _, _, p in both])
    missed = [trace for trace, judge, person in both if judge != person]
    alarms = frozenset(trace for trace in missed if fails[trace])
    return Judge(name, caught, cleared, kappa, judged, missed, alarms, rate, interval, refusal)


def corrected(
    judged: Share, caught: Share, cleared: Share
) -> tuple[float | None, tuple[float, float] | None, str]:
    """Return the failing rate of all traces behind the judge's, or why there is none."""
    fewest = min(caught.number, cleared.number)
    if fewest < ENOUGH or caught.rate is None or cleared.rate is None or judged.rate is None:
        return None, None, f"too few: {ENOUGH} failing and {ENOUGH} passing are needed"
    try:
        rate = agreement.true_rate(judged.rate, caught.rate, cleared.rate)
        interval = agreement.true_rate_interval(
            (judged.hits, judged.number),
            (caught.hits, caught.number),
            (cleared.hits, cleared.number),
            draws=2000,
        )
    except ValueError as error:
        return None, None, str(error)
    return rate, interval, ""
