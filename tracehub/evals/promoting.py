"""Making cases of an eval set from traces and from contents that people and programs wrote."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from uuid import UUID

from django.db import transaction

from tracehub.core import cases, promotion
from tracehub.core.exports import Bundle
from tracehub.core.mask import PERSONAL, SECRETS, Masker
from tracehub.core.media import put_back
from tracehub.evals import actions, announcing, near, querysets
from tracehub.evals.models import Case, EvalSet
from tracehub.failures import reading as failures
from tracehub.projects.actions import ActionError, Conflict
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.traces.extent import Range
from tracehub.traces.media.reading import bodies
from tracehub.traces.reading import LoadedTrace
from tracehub.traces.threads import store as threads

BLIND = "The trace is in a blind queue: keep it when all reviews are in."
TURNS = 20  # of a session that a case takes along
TALK = timedelta(days=30)  # that they may lie back
_PERSONAL = Masker((*SECRETS, *PERSONAL.values()))


@dataclass(frozen=True, slots=True)
class Promotion:
    """A case to be made from a trace of the set's project."""

    trace_id: UUID
    kind: str | None = None
    span_id: str | None = None
    talk: bool = False  # with the earlier turns of its session


@transaction.atomic
def add_all(
    eval_set: EvalSet, additions: Sequence[cases.Case | Promotion]
) -> list[tuple[Case, bool]]:
    """Add contents, masked, and promotions in their order, all or none.

    Traces are loaded one at a time; what they hold was masked when it arrived.
    """
    locked, _ = actions.lock(eval_set)
    added: list[tuple[Case, bool]] = []
    for are_traces, some in groupby(additions, lambda one: isinstance(one, Promotion)):
        if are_traces:
            added += [_promote(locked, one) for one in some if isinstance(one, Promotion)]
        else:
            contents = [one for one in some if not isinstance(one, Promotion)]
            added += actions.add_cases(locked, actions.masked_contents(locked, contents))
    return added


def _promote(eval_set: EvalSet, item: Promotion) -> tuple[Case, bool]:
    trace = failures.load(eval_set.project, item.trace_id)
    if trace is None:
        raise ActionError(f"There is no trace {item.trace_id.hex} in this project.", "from_trace")
    earlier = earlier_turns(eval_set.project, trace) if item.talk else ()
    return promote_trace(eval_set, trace, kind=item.kind, span_id=item.span_id, earlier=earlier)


@transaction.atomic
def promote_trace(
    eval_set: EvalSet,
    trace: LoadedTrace,
    *,
    kind: str | None = None,
    span_id: str | None = None,
    earlier: Sequence[tuple[str, str]] = (),
) -> tuple[Case, bool]:
    """Make a draft case from a trace and its newest review; return it with whether it is new.

    `earlier` are turns before it, (asked, answered) each, as `earlier_turns` finds them.
    The same step of the same trace again gives the case that is there. Raises Conflict when the
    draft has it as another kind, ActionError when the trace has no such span, or is in a blind
    queue: a case would show everybody what was found.
    """
    if reviews.is_sealing(eval_set.project, UUID(hex=trace.summary.trace_id)):
        raise ActionError(BLIND, "from_trace")
    locked, draft = actions.lock(eval_set)
    content = proposed(locked.project, trace, kind=kind, span_id=span_id)
    content = promotion.with_talk(content, earlier)
    there = querysets.in_version(locked, draft).filter(
        source_trace_id=UUID(hex=trace.summary.trace_id),
        source_span_id=content["source"]["span_id"],
    )
    known = there.filter(kind=content["kind"]).first() or there.first()
    if known is None:
        return keep(locked, content)
    if kind and known.kind != kind:
        raise Conflict(
            f"{known.case_id} of {locked.slug} comes from the same step, as {known.kind}. "
            "Change or remove that case first.",
            "from_trace",
        )
    return known, False


def earlier_turns(project: Project, trace: LoadedTrace) -> list[tuple[str, str]]:
    """Return what was asked and answered in the turns of its session before a trace, oldest first.

    Of a long session the TURNS last ones. Each is loaded whole: texts of the search are cut.
    """
    if not trace.summary.session_id or trace.row is None:
        return []
    before = Range(project, trace.row.started_at - TALK, trace.row.started_at)
    rows = threads.turns_of(before, trace.summary.session_id).order_by("-started_at")[:TURNS]
    found = []
    for row in reversed(rows):
        turn = failures.load(project, row.trace_id)
        if turn is not None:
            content = proposed(project, turn)
            found.append((promotion.last_said(content), promotion.answer_of(content)))
    return found


@dataclass(frozen=True, slots=True)
class Near:
    """A trace whose case would ask nearly the same as another, and that case or trace."""

    trace_id: UUID
    content: cases.Case
    like: near.Like
    earlier: UUID | None


def near_duplicates(eval_set: EvalSet, traces: Sequence[UUID]) -> list[Near]:
    """Return those of the traces whose cases are nearly the same as one of the draft or another.

    A trace with a step that the draft has already is none of them: it makes no new case. Traces
    are loaded one at a time, and of their contents only what is asked is kept.
    """
    draft = querysets.in_version(eval_set, querysets.draft_number(eval_set))
    steps = draft.filter(source_trace_id__in=traces)
    there = set(steps.values_list("source_trace_id", "source_span_id"))
    asked: dict[int, cases.Case] = {}
    for number, trace_id in enumerate(traces):
        trace = failures.load(eval_set.project, trace_id)
        if trace is None:
            continue
        content = proposed(eval_set.project, trace)
        if (trace_id, content["source"]["span_id"]) not in there:
            asked[number] = {name: content[name] for name in ("title", "kind", "input")}
    found = near.alike(eval_set, list(asked.items()))
    return [
        Near(traces[n], asked[n], like, None if like.case else traces[like.earlier])
        for n, like in found.items()
    ]


def proposed(
    project: Project, trace: LoadedTrace, *, kind: str | None = None, span_id: str | None = None
) -> cases.Case:
    """Return the case that a trace and its newest review make. Raises ActionError on the span."""
    trace_id = UUID(hex=trace.summary.trace_id)
    try:
        content = promotion.content(
            trace.summary,
            trace.spans,
            trace.signals,
            _judgement(project, trace_id),
            kind=kind,
            span_id=span_id,
        )
    except LookupError:
        raise ActionError(f"The trace has no span {span_id}.", "span_id") from None
    put_back(content, bodies(project.pk))  # a case outlives its trace, and the media of that
    content["source"]["failure"] = _failure_of(project, trace, content)
    return content


def keep(eval_set: EvalSet, content: cases.Case) -> tuple[Case, bool]:
    """Add a case that was made from a trace, and tell of it; return it with whether it is new."""
    made, new = actions.add_case(eval_set, content)
    if new:
        announcing.promoted(eval_set, made)
    return made, new


def without_personal(content: cases.Case) -> tuple[cases.Case, Counter[str]]:
    """Return a case with every kind of personal data masked, and how often each was found.

    More than the project's own rules, which struck when the trace came.
    """
    found = _PERSONAL.mask({name: content[name] for name in actions.TYPED})
    return {**content, **found.value}, found.counts


def masked_bundle(bundle: Bundle) -> Bundle:
    """Return a bundle whose cases are masked by `without_personal` as they are read."""
    return replace(bundle, cases=_Masked(bundle.cases))


class _Masked:
    def __init__(self, found: Iterable[cases.Case]) -> None:
        self._found = found

    def __iter__(self) -> Iterator[cases.Case]:
        return (without_personal(case)[0] for case in self._found)


def _failure_of(project: Project, trace: LoadedTrace, content: cases.Case) -> str | None:
    """Return the key of the group that the promoted step is in, None without one."""
    keys = failures.failure_keys(project, trace)
    span_id = content["source"]["span_id"]
    own = [key for s, key in zip(trace.signals, keys, strict=True) if s.span_id == span_id and key]
    return next(iter([*own, *filter(None, keys)]), None)


def _judgement(project: Project, trace_id: UUID) -> promotion.Judgement:
    found = reviews.of_trace(project, trace_id)
    if not found:
        return promotion.Judgement()
    newest = found[0]
    return promotion.Judgement(
        verdict=newest.verdict,
        note=newest.note,
        modes=tuple(mode.slug for mode in newest.modes.all()),
        severity=newest.severity or None,
        reviewer=newest.author.email if newest.author else newest.author_key or None,
        has_correction=newest.has_correction,
        corrected=newest.corrected_output,
    )
