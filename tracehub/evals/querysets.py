"""Reads of eval sets: their versions, the cases of one version, and the native form of a case."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import CharField, Count, F, Func, Max, Q, QuerySet
from django.db.models.functions import Coalesce

from tracehub.core import cases, gate_rules
from tracehub.core.exports import Bundle
from tracehub.evals.models import Case, EvalSet, EvalSetVersion
from tracehub.projects.models import Project

OPEN = Q(cases__removed_in=None)
READ_AT_ONCE = 500


def sets(project: Project) -> QuerySet[EvalSet]:
    """The sets of a project with `newest` (number of the last fixed version, 0 for none),
    `draft_cases`, and `last_changed` (when a case was last added or changed, or None).

    Draft cases are those that nothing closed yet: one grouped pass over the cases of the project.
    """
    return (
        EvalSet.objects.filter(project=project)
        .annotate(
            newest=Coalesce(Max("versions__number"), 0),
            draft_cases=Count("cases", filter=OPEN, distinct=True),
            last_changed=Max("cases__updated_at"),
        )
        .prefetch_related("versions__fixed_by")
    )


def newest_version(eval_set: EvalSet) -> int:
    """Return the number of the newest fixed version, 0 when there is none."""
    found = eval_set.versions.aggregate(newest=Max("number"))["newest"]
    return int(found or 0)


def draft_number(eval_set: EvalSet) -> int:
    """Return the number that the draft will have once it is fixed."""
    return newest_version(eval_set) + 1


def in_version(eval_set: EvalSet, version: int) -> QuerySet[Case]:
    """The cases of a version (or of the draft), in order of their ids."""
    return Case.objects.filter(
        Q(removed_in=None) | Q(removed_in__gt=version),
        project=eval_set.project_id,
        eval_set=eval_set,
        added_in__lte=version,
    ).order_by("number")


def asked_texts(eval_set: EvalSet, *, newest: int | None = None) -> dict[int, str]:
    """Return what each case of the draft asks, or each of the newest so many, by number.

    One pass over its open cases.
    """
    rows = in_version(eval_set, draft_number(eval_set)).values_list("number", "input")
    rows = rows.order_by("-number")[:newest] if newest else rows
    return {number: cases.asked({"input": given}) for number, given in rows}


def cases_per_mode(eval_set: EvalSet, version: int) -> dict[str, int]:
    """Return how many cases of a version each failure mode has, by slug; counted by Postgres."""
    modes = Func(F("failure_modes"), function="unnest", output_field=CharField())
    rows = in_version(eval_set, version).order_by().annotate(mode=modes).values("mode")
    return {row["mode"]: row["cases"] for row in rows.annotate(cases=Count("*"))}


@dataclass(frozen=True, slots=True)
class Changes:
    """What the draft does to the newest fixed version, in cases."""

    added: int
    changed: int
    removed: int

    def __bool__(self) -> bool:
        return bool(self.added or self.changed or self.removed)


def draft_changes(eval_set: EvalSet) -> Changes:
    """Return how the draft differs from the newest version: a query over the touched rows only."""
    draft = draft_number(eval_set)
    rows = Case.objects.filter(project=eval_set.project_id, eval_set=eval_set)
    came = set(rows.filter(added_in=draft, removed_in=None).values_list("number", flat=True))
    went = set(rows.filter(removed_in=draft, added_in__lt=draft).values_list("number", flat=True))
    return Changes(added=len(came - went), changed=len(came & went), removed=len(went - came))


def touched(eval_set: EvalSet, before: int, after: int) -> dict[int, tuple[int | None, int | None]]:
    """Return the row of each case in one version and in a later one, where they are two rows.

    By number, with None where a version has no such case; two queries over the touched rows only.
    """
    rows = Case.objects.filter(project=eval_set.project_id, eval_set=eval_set)
    went = rows.filter(added_in__lte=before, removed_in__gt=before, removed_in__lte=after)
    came = in_version(eval_set, after).filter(added_in__gt=before)
    old = dict(went.values_list("number", "pk"))
    new = dict(came.values_list("number", "pk"))
    return {number: (old.get(number), new.get(number)) for number in sorted({*old, *new})}


def removed_from_draft(eval_set: EvalSet) -> QuerySet[Case]:
    """Cases that the draft no longer has and that can be taken back: newest revision of each."""
    draft = draft_number(eval_set)
    here = Case.objects.filter(project=eval_set.project_id, eval_set=eval_set)
    kept = here.filter(removed_in=None).values("number")
    return (
        here.filter(removed_in=draft)
        .exclude(number__in=kept)
        .order_by("number", "-added_in")
        .distinct("number")
    )


def promoted(project_id: int, traces: Iterable[UUID]) -> set[UUID]:
    """Return which of these traces are the source of a case in a draft or a fixed version.

    One probe of the index on (project, source_trace_id). A case that was added and removed before
    its draft was fixed is in no version and does not count.
    """
    found = Case.objects.filter(
        Q(removed_in=None) | Q(removed_in__gt=F("added_in")),
        project=project_id,
        source_trace_id__in=list(traces),
    ).values_list("source_trace_id", flat=True)
    return {trace for trace in found if trace}


def of_trace(project: Project, trace_id: UUID) -> QuerySet[Case]:
    """The draft cases that were made from a trace, over all sets of the project."""
    return (
        Case.objects.filter(project=project, source_trace_id=trace_id, removed_in=None)
        .select_related("eval_set")
        .order_by("eval_set__name", "number")
    )


def content(case: Case, project_slug: str) -> cases.Case:
    """Return the content of a case row in the complete native form."""
    trace = case.source_trace_id.hex if case.source_trace_id else None
    return cases.complete(
        {
            "kind": case.kind,
            "title": case.title,
            "input": case.input,
            "context": case.context,
            "tool_calls": case.tool_calls,
            "prompt": case.prompt,
            "model": case.model,
            "parameters": case.parameters,
            "expected_output": case.expected_output,
            "recorded_output": case.recorded_output,
            "assertions": case.assertions,
            "failure_modes": case.failure_modes,
            "severity": case.severity,
            "tags": case.tags,
            "source": {
                "trace_id": trace,
                "span_id": case.source_span_id or None,
                "url": f"{settings.BASE_URL}/{project_slug}/traces/{trace}" if trace else None,
                "failure": case.source_failure or None,
            },
            "reviewer": case.reviewer,
        }
    )


def native(case: Case, eval_set: EvalSet, version: int) -> cases.Case:
    """Return a case as one line of the native export; `eval_set.project` should be loaded."""
    return cases.native(
        content(case, eval_set.project.slug),
        id=case.case_id,
        set=eval_set.slug,
        version=version,
        created_at=_time(case.created_at),
        updated_at=_time(case.updated_at),
    )


class VersionCases:
    """The cases of a version in native form, read from the database each time one asks."""

    def __init__(self, eval_set: EvalSet, version: int) -> None:
        self._set = eval_set
        self._version = version

    def __iter__(self) -> Iterator[cases.Case]:
        rows = in_version(self._set, self._version)
        last = 0
        # By number, not by server cursor: a cursor would need one transaction for all of it.
        while batch := list(rows.filter(number__gt=last)[:READ_AT_ONCE]):
            last = batch[-1].number
            for row in batch:
                yield native(row, self._set, self._version)


def bundle(eval_set: EvalSet, version: int) -> Bundle:
    """Return what the exporters take: the cases of a fixed version, or of the draft."""
    return Bundle(eval_set.slug, version, VersionCases(eval_set, version))


def set_json(eval_set: EvalSet) -> dict[str, Any]:
    """Return a set that came from `sets` as the API gives it."""
    annotated: Any = eval_set
    return {
        "slug": eval_set.slug,
        "name": eval_set.name,
        "description": eval_set.description,
        "created_at": _time(eval_set.created_at),
        "gate": gate_rules.read(eval_set.gate_rules).as_json(),
        "draft": {"version": annotated.newest + 1, "cases": annotated.draft_cases},
        "versions": [version_json(version) for version in eval_set.versions.all()],
    }


def version_json(version: EvalSetVersion) -> dict[str, Any]:
    """Return a fixed version as the API gives it."""
    return {
        "version": version.number,
        "cases": version.case_count,
        "note": version.note,
        "content_hash": version.content_hash,
        "fixed_at": _time(version.fixed_at),
        "fixed_by": version.fixed_by.email if version.fixed_by else None,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
