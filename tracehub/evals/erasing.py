"""Erasure of a person's data: the one thing that changes fixed versions, and says that it did."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from tracehub.core.assess.tries import Try
from tracehub.core.exports import FORMATS, Tally
from tracehub.evals import querysets
from tracehub.evals.models import Case, EvalSet, EvalSetVersion, RunResult
from tracehub.projects.actions import audit
from tracehub.projects.models import ApiKey, Project, User

Actor = User | ApiKey


def of_traces(project: Project, traces: Iterable[UUID]) -> dict[EvalSet, set[int]]:
    """Return the cases, by set and number, that any revision of which came from these traces."""
    rows = Case.objects.filter(project=project, source_trace_id__in=list(traces))
    found: dict[EvalSet, set[int]] = {}
    for row in rows.select_related("eval_set").only("number", "eval_set"):
        found.setdefault(row.eval_set, set()).add(row.number)
    return found


@transaction.atomic
def erase(eval_set: EvalSet, numbers: Collection[int], *, by: Actor | None = None) -> int:
    """Empty these cases in every version, and what programs answered to them; return how many.

    Id and kind stay, so that runs and gates still add up. Each fixed version that had such a case
    keeps its old and its new content hash, and is shown as redacted. Erasing again changes nothing.
    """
    locked = (
        EvalSet.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=eval_set.pk, project=eval_set.project_id)
    )
    rows = Case.objects.filter(
        project=locked.project, eval_set=locked, number__in=numbers, redacted_at=None
    )
    revisions = list(rows.values_list("number", "added_in", "removed_in"))
    if not revisions:
        return 0
    rows.update(**_EMPTY, redacted_at=timezone.now())
    _erase_answers(locked, numbers)
    first = min(added for _, added, _ in revisions)
    last = max((removed or 2_000_000_000) for _, _, removed in revisions)
    for version in locked.versions.filter(number__gte=first, number__lt=last):
        _hash_anew(locked, version, by)
    return len({number for number, _, _ in revisions})


_EMPTY: dict[str, Any] = {
    "title": "", "input": {}, "context": [], "tool_calls": {}, "prompt": None, "model": "",
    "parameters": {}, "expected_output": None, "recorded_output": None, "assertions": [],
    "tags": [], "source_trace_id": None, "source_span_id": "", "source_failure": "",
    "reviewer": "",
}  # fmt: skip


def _erase_answers(eval_set: EvalSet, numbers: Collection[int]) -> None:
    results = RunResult.objects.filter(
        project=eval_set.project, run__eval_set=eval_set, number__in=numbers
    )
    for result in results.only("tries"):
        result.tries, result.trace_ids = [_emptied(one) for one in result.tries], []
        result.save(update_fields=["tries", "trace_ids"])


def _emptied(one: Try) -> Try:
    lines = [line | {"message": "", "got": ""} for line in one["assertions"]]
    return one | {
        "output": None, "tool_calls": [], "error": "", "trace_id": "", "assertions": lines
    }  # fmt: skip


def _hash_anew(eval_set: EvalSet, version: EvalSetVersion, by: Actor | None) -> None:
    """Keep both hashes of a version whose content changed; leave one alone that is the same."""
    digest = hashlib.sha256()
    bundle = querysets.bundle(eval_set, version.number)
    for _, pieces in FORMATS["native"].write(bundle, Tally()):
        for piece in pieces:
            digest.update(piece)
    old, new = version.content_hash, digest.hexdigest()
    if old == new:
        return
    cases = querysets.in_version(eval_set, version.number).exclude(redacted_at=None).count()
    at = timezone.now().isoformat()
    version.redactions = [*version.redactions, {"at": at, "old_hash": old, "new_hash": new}]
    version.content_hash = new
    version.save(update_fields=["content_hash", "redactions"])
    audit(
        "evalset.redacted",
        by=by,
        project=eval_set.project,
        object=f"{eval_set.slug}@{version.number}",
        cases=cases,
        old_hash=old,
        new_hash=new,
    )


def erase_traces(project: Project, traces: Iterable[UUID], *, by: Actor | None = None) -> int:
    """Erase every case that came from these traces, over all sets; return how many.

    An answer of a run goes with the trace that its program sent.
    """
    gone = {trace.hex: trace for trace in traces}
    answers = RunResult.objects.filter(project=project, trace_ids__overlap=list(gone.values()))
    for result in answers:
        result.tries = [_emptied(t) if t["trace_id"] in gone else t for t in result.tries]
        result.trace_ids = [one for one in result.trace_ids if one.hex not in gone]
        result.save(update_fields=["tries", "trace_ids"])
    found = of_traces(project, gone.values())
    return sum(erase(eval_set, numbers, by=by) for eval_set, numbers in found.items())
