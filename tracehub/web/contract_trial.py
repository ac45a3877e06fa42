"""The dry run of a contract's draft: what would newly fail and pass, path by path."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from tracehub.core.contracts import dryrun, mends, telling
from tracehub.core.contracts.bounds import ContractError
from tracehub.core.contracts.checking import Contract
from tracehub.core.contracts.layout import pretty
from tracehub.core.diverse import most_different
from tracehub.failures import querysets
from tracehub.failures.models import Contract as Version
from tracehub.projects.models import Project
from tracehub.traces.models import Trace
from tracehub.web.contract_draft import Draft
from tracehub.web.failure_pane import features
from tracehub.web.trace_view.text import visible

TRIED = 1_000  # traces of a dry run
DAYS = 14
SHOWN_PATHS = 12
ELSEWHERE = ("json", "label", "null")  # rules that do not stand in the schema
MENDED = 6  # paths whose mend is tried out
SAMPLES, OF = 3, 60  # shown of the newest at a path, most different first


@dataclass(frozen=True, slots=True)
class Sample:
    """One output at a path: its trace, and the branch of it that breaks."""

    trace: Trace
    version: str
    url: str
    said: str
    runs: list[telling.Run]


@dataclass(frozen=True, slots=True)
class ShownPath:
    """A place and rule with its part of the largest change, and what would let it through."""

    path: dryrun.Path
    key: str
    rule: str
    note: str  # what stood there
    at: str  # the path of the rule in the schema, as JSON; empty elsewhere
    failing: str  # width of its bar, in percent
    passing: str
    mend: mends.Mend | None
    after: int | None  # outputs that newly fail at all once it is mended
    samples: list[Sample]


@dataclass(frozen=True, slots=True)
class Trial:
    """All that the pane beside the editor shows."""

    outcome: dryrun.Outcome
    label: str
    since: Any
    took: float  # milliseconds
    bars: list[tuple[str, str, str]]
    paths: list[ShownPath]


def outputs_of(
    project: Project, draft: Draft, limit: int, *, passing: bool = False
) -> list[tuple[Trace, str, Any]]:
    """Return (trace, prompt version, output) of the newest outputs that the draft is about."""
    now = timezone.now()
    begun, end = now - timedelta(days=DAYS), now + timedelta(days=1)
    traces = querysets.recent_traces(project, draft.prompt, draft.span, begun, end, limit)
    if passing:
        traces = [trace for trace in traces if trace.finished and not trace.failing]
    return querysets.recent_outputs(project, traces, draft.prompt, draft.span)


def run(project: Project, draft: Draft, newest: Version | None, use: str = "") -> Trial | None:
    """Compare the draft with the version in force on past outputs; None when it cannot be used.

    `use` is the key of a path whose mend goes into the draft first.
    """
    began = timezone.now()
    label = f"{draft.name}/{newest.version + 1 if newest else 1}"
    try:
        new = draft.compiled(label)
    except ContractError as error:
        draft.refuse(error.field, str(error))
        return None
    old = querysets.compiled(newest) if newest else None
    found = outputs_of(project, draft, TRIED)
    given = [dryrun.Given((trace, version), version, output) for trace, version, output in found]
    outcome = dryrun.compare(old, new, given)
    if use and (mend := _chosen(outcome, new, use)):
        setattr(draft, mend.field, pretty(mend.value))
        draft.tab = mend.field
        new = mend.applied(new)
        outcome = dryrun.compare(old, new, given)
    draft.lay_out()
    paths = _paths(project, outcome, old, new, given)
    since = min((trace.started_at for trace, *_ in found), default=None)
    took = (timezone.now() - began).total_seconds() * 1000
    return Trial(outcome, label, since, took, _bars(outcome), paths)


def _key(path: dryrun.Path) -> str:
    return f"{path.pointer} {path.rule}"


def _chosen(outcome: dryrun.Outcome, contract: Contract, key: str) -> mends.Mend | None:
    path = next((one for one in outcome.paths if _key(one) == key), None)
    return mends.of(path, contract) if path is not None else None


def _bars(outcome: dryrun.Outcome) -> list[tuple[str, str, str]]:
    """Return (class, x, width) of the bar of all outputs, in percent."""
    found, at = [], 0.0
    total = outcome.total or 1
    for kind in ("pass_both", "newly_pass", "newly_fail", "fail_both"):
        width = 100 * getattr(outcome, kind) / total
        found.append((kind.replace("_", "-"), f"{at:.2f}%", f"{width:.2f}%"))
        at += width
    return found


def _paths(
    project: Project,
    outcome: dryrun.Outcome,
    old: Contract | None,
    new: Contract,
    given: Sequence[dryrun.Given],
) -> list[ShownPath]:
    most = max((path.newly_fail + path.newly_pass for path in outcome.paths), default=1)
    shown = []
    for number, path in enumerate(outcome.paths[:SHOWN_PATHS]):
        mend = mends.of(path, new) if number < MENDED else None
        after = dryrun.compare(old, mend.applied(new), given).newly_fail if mend else None
        hits = path.failing or path.passing
        notes = (telling.values_of(hits), telling.versions_of(path.failing, given))
        ruled = new if path.failing else old or new
        first = hits[0].problem
        shown.append(
            ShownPath(
                path,
                _key(path),
                telling.rule_of(path, ruled),
                visible(", ".join(note for note in notes if note)),
                json.dumps(first.at) if path.failing and path.rule not in ELSEWHERE else "",
                f"{100 * path.newly_fail / most:.1f}%",
                f"{100 * path.newly_pass / most:.1f}%",
                mend,
                after,
                _samples(project, path, given),
            )
        )
    return shown


def _samples(project: Project, path: dryrun.Path, given: Sequence[dryrun.Given]) -> list[Sample]:
    """Return outputs that change at a path, the most different ones of the newest."""
    hits = (path.failing or path.passing)[:OF]
    order = most_different([features(given[hit.number].name[0]) for hit in hits], SAMPLES)
    also = path.shared[0] if path.shared else ""
    return [
        Sample(
            trace := given[hits[i].number].name[0],
            visible(given[hits[i].number].version),
            reverse("trace", args=[project.slug, trace.hex]),
            visible(hits[i].problem.message.replace("`", "")),
            [(visible(text), wrong) for text, wrong in telling.excerpt(hits[i], also)],
        )
        for i in order
    ]
