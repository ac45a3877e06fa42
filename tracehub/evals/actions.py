"""What changes eval sets: one verb, one transaction.

Rows that a fixed version sees are only closed, never edited. Every verb locks the
row of its set first, so that adding and fixing never cross.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.text import slugify

from tracehub.core import cases
from tracehub.core.exports import FORMATS, Tally
from tracehub.evals import querysets
from tracehub.evals.models import Case, EvalSet, EvalSetVersion
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.masking import masked
from tracehub.projects.models import ApiKey, Project, User
from tracehub.review.models import FailureMode
from tracehub.traces import store
from tracehub.traces.wake import wake_on_commit

Actor = User | ApiKey
MAX_CASES = 20_000  # open cases of one set: what a page, an export and a gate are tested with

_PLAIN = (  # fields of a case row that hold what the native form holds
    "kind",
    "title",
    "input",
    "context",
    "tool_calls",
    "prompt",
    "parameters",
    "expected_output",
    "recorded_output",
    "assertions",
    "failure_modes",
    "tags",
)
# Fields in which people and programs write what a case is about.
TYPED = (
    "title",
    "input",
    "context",
    "tool_calls",
    "expected_output",
    "recorded_output",
    "assertions",
    "tags",
)


def create_set(
    project: Project, name: str, *, slug: str = "", description: str = ""
) -> tuple[EvalSet, bool]:
    """Make a set and return it with whether it is new; the same name and slug again give the same.

    Without a slug it comes from the name. Raises ActionError on a bad name or slug, Conflict on a
    taken slug.
    """
    name = _name(name)
    slug = slug or slugify(name)[:60]
    if not slug or slugify(slug) != slug:
        raise ActionError(
            f"slug may hold lower-case letters, digits, - and _. Got {slug!r}. Send one.", "slug"
        )
    try:
        with transaction.atomic():
            made = EvalSet.objects.create(
                project=project, slug=slug, name=name, description=description.strip()
            )
    except IntegrityError:
        existing = EvalSet.objects.get(project=project, slug=slug)
        if (existing.name, existing.description) != (name, description.strip()):
            raise Conflict(f"slug {slug!r} is taken by {existing.name!r}.", "slug") from None
        return existing, False
    return made, True


@transaction.atomic
def change_set(
    eval_set: EvalSet, *, name: str | None = None, description: str | None = None
) -> EvalSet:
    """Rename or describe a set; the slug stays, since files and links name it."""
    if name is not None:
        eval_set.name = _name(name)
    if description is not None:
        eval_set.description = description.strip()
    eval_set.save(update_fields=["name", "description"])
    return eval_set


@transaction.atomic
def add_cases(eval_set: EvalSet, contents: Sequence[cases.Case]) -> list[tuple[Case, bool]]:
    """Add complete contents (`core.cases.read`) to the draft; return each with whether it is new.

    A content that the draft has already is not added again. All are added or none; however many,
    it takes the same number of statements. Raises ActionError on an unknown failure mode or a full
    set.
    """
    locked, draft = lock(eval_set)
    _check_modes(locked.project, contents)
    open_cases = querysets.in_version(locked, draft)
    room = MAX_CASES - open_cases.count()
    if len(contents) > room:
        raise ActionError(f"A set holds {MAX_CASES} cases at most. There is room for {room}.")
    alike: dict[_Key, list[tuple[Case, cases.Case]]] = defaultdict(list)
    for row in open_cases.filter(title__in={content["title"] for content in contents}):
        known = querysets.content(row, locked.project.slug)
        alike[_key(known)].append((row, known))
    added: list[tuple[Case, bool]] = []
    for content in contents:
        there = alike[_key(content)]
        known_row = next((row for row, known in there if cases.same(known, content)), None)
        if known_row is None:
            made = _row(locked, draft, content)
            there.append((made, content))
            locked.next_case += 1
        added.append((known_row or made, known_row is None))
    new = [row for row, is_new in added if is_new]
    Case.objects.bulk_create(new, batch_size=500)
    locked.save(update_fields=["next_case"])
    eval_set.next_case = locked.next_case
    _touch(locked.project, *(row.source_trace_id for row in new))
    return added


_Key = tuple[str, str, str | None]


def _key(content: cases.Case) -> _Key:
    return content["kind"], content["title"], content["source"]["trace_id"]


def add_case(eval_set: EvalSet, content: cases.Case) -> tuple[Case, bool]:
    """Add one complete content to the draft; return it with whether it is new."""
    return add_cases(eval_set, [content])[0]


def masked_contents(
    eval_set: EvalSet, contents: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return contents as the project's masking rules leave them, field by field."""
    names = [[name for name in TYPED if name in content] for content in contents]
    values = masked(
        eval_set.project_id,
        [[content[name] for name in of] for content, of in zip(contents, names, strict=True)],
    )
    return [
        {**content, **dict(zip(of, found, strict=True))}
        for content, of, found in zip(contents, names, values, strict=True)
    ]


@transaction.atomic
def update_case(eval_set: EvalSet, number: int, changes: Mapping[str, Any]) -> Case:
    """Change fields of a draft case (`core.cases.read_change`) and return its new revision.

    A revision that a fixed version sees is closed and a new one opened; one of the draft is edited.
    Raises ActionError when the draft has no such case.
    """
    locked, draft = lock(eval_set)
    row = _open(locked, number)
    _check_modes(locked.project, [changes])
    before = row.source_trace_id
    content = {
        **querysets.content(row, locked.project.slug),
        **masked_contents(locked, [changes])[0],
    }
    if row.added_in < draft:
        row.removed_in = draft
        row.save(update_fields=["removed_in"])
        row = Case(number=number, added_in=draft, created_at=row.created_at, **_of_set(locked))
    _fill(row, content)
    row.updated_at = timezone.now()
    row.save()
    _touch(locked.project, before, row.source_trace_id)
    return row


@transaction.atomic
def remove_case(eval_set: EvalSet, number: int) -> Case:
    """Take a case out of the draft; fixed versions keep it, and `restore_case` brings it back."""
    locked, draft = lock(eval_set)
    row = _open(locked, number)
    row.removed_in = draft
    row.save(update_fields=["removed_in"])
    _touch(locked.project, row.source_trace_id)
    return row


@transaction.atomic
def remove_made(eval_set: EvalSet, made: Sequence[int]) -> int:
    """Take cases, by the ids of their rows, out of the draft (undo); return how many were there."""
    locked, draft = lock(eval_set)
    rows = Case.objects.filter(
        project=locked.project, eval_set=locked, pk__in=made, removed_in=None
    )
    traces = set(rows.values_list("source_trace_id", flat=True))
    removed = rows.update(removed_in=draft)
    _touch(locked.project, *traces)
    return removed


@transaction.atomic
def restore_case(eval_set: EvalSet, number: int) -> Case:
    """Bring the last revision of a removed case back into the draft, under its old id.

    A case that is there stays as it is. Raises ActionError when the set never had it.
    """
    locked, draft = lock(eval_set)
    rows = Case.objects.filter(project=locked.project, eval_set=locked, number=number)
    row = rows.order_by("-added_in").first()
    if row is None:
        raise ActionError(f"{locked.slug} has no case c_{number:04d}.")
    if row.removed_in is None:
        return row
    if row.removed_in < draft:  # a fixed version sees the gap: open a revision of its own
        row.pk, row.added_in = None, draft
        row._state.adding = True
    row.removed_in = None
    row.save()
    _touch(locked.project, row.source_trace_id)
    return row


@transaction.atomic
def fix(eval_set: EvalSet, *, note: str = "", by: Actor | None = None) -> EvalSetVersion:
    """Fix the draft as the next version and return it. Nothing is copied.

    Raises ActionError when the draft is empty, Conflict when it equals the newest version.
    """
    locked, draft = lock(eval_set)
    bundle = querysets.bundle(locked, draft)
    tally, digest = Tally(), hashlib.sha256()
    for _, pieces in FORMATS["native"].write(bundle, tally):
        for piece in pieces:
            digest.update(piece)
    if not tally.cases:
        raise ActionError(f"The draft of {locked.slug} has no cases. Add one first.")
    if draft > 1 and not querysets.draft_changes(locked):
        raise Conflict(f"The draft of {locked.slug} is the same as version {draft - 1}.")
    version = EvalSetVersion.objects.create(
        project=locked.project,
        eval_set=locked,
        number=draft,
        note=masked(locked.project_id, note.strip()),
        case_count=tally.cases,
        content_hash=digest.hexdigest(),
        fixed_by=by if isinstance(by, User) else None,
    )
    audit(
        "evalset.fixed",
        by=by,
        project=locked.project,
        object=f"{locked.slug}@{draft}",
        cases=tally.cases,
        content_hash=version.content_hash,
    )
    return version


def lock(eval_set: EvalSet) -> tuple[EvalSet, int]:
    """Lock the set for this transaction; return it fresh, with the number of its draft."""
    locked = (
        EvalSet.objects.select_for_update(of=("self",))
        .select_related("project")
        .get(pk=eval_set.pk, project=eval_set.project_id)
    )
    return locked, querysets.draft_number(locked)


def _open(eval_set: EvalSet, number: int) -> Case:
    row = Case.objects.filter(
        project=eval_set.project, eval_set=eval_set, number=number, removed_in=None
    ).first()
    if row is None:
        raise ActionError(f"The draft of {eval_set.slug} has no case c_{number:04d}.")
    return row


def _row(eval_set: EvalSet, draft: int, content: cases.Case) -> Case:
    row = Case(number=eval_set.next_case, added_in=draft, **_of_set(eval_set))
    _fill(row, content)
    return row


def _of_set(eval_set: EvalSet) -> dict[str, Any]:
    return {"project": eval_set.project, "eval_set": eval_set}


def _fill(row: Case, content: cases.Case) -> None:
    source = content["source"]
    for name in _PLAIN:
        setattr(row, name, content[name])
    row.model = content["model"] or ""
    row.severity = content["severity"] or ""
    row.reviewer = content["reviewer"] or ""
    row.source_trace_id = UUID(hex=source["trace_id"]) if source["trace_id"] else None
    row.source_span_id = source["span_id"] or ""
    row.source_failure = source["failure"] or ""


def _touch(project: Project, *traces: UUID | None) -> None:
    """Let the worker see which traces are promoted, so that `is:promoted` follows."""
    if known := {trace for trace in traces if trace}:
        store.mark_dirty(project.pk, known)
        wake_on_commit()


def _check_modes(project: Project, contents: Sequence[Mapping[str, Any]]) -> None:
    wanted = {slug for content in contents for slug in content.get("failure_modes", ())}
    if not wanted:
        return
    known = FailureMode.objects.filter(project=project, slug__in=wanted)
    if missing := wanted - set(known.values_list("slug", flat=True)):
        raise ActionError(
            f"failure_modes names {min(missing)!r}, which the project does not have.",
            "failure_modes",
        )


def _name(name: str) -> str:
    name = " ".join(name.split())
    if not 1 <= len(name) <= 120:
        raise ActionError(f"name must have 1 to 120 characters. Got {len(name)}.", "name")
    return name
