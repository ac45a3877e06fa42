"""Files of cases into a draft: read and kept, looked at, added, taken back."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from tracehub.core import case_files
from tracehub.evals import actions
from tracehub.evals.models import CaseImport, EvalSet
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import User

MAX_BYTES = 16 * 1024 * 1024
MAX_LINES = 5_000  # cases of one file
KEPT = timedelta(days=1)  # what was never added
PROBLEMS_KEPT = 500


def read(eval_set: EvalSet, name: str, data: bytes, *, by: User) -> CaseImport:
    """Read a file and keep what it holds, masked, for the person to look at.

    What the same person left before is forgotten. Raises ActionError on a file without cases.
    """
    if len(data) > MAX_BYTES:
        raise ActionError(
            f"{name} has {len(data)} bytes, {MAX_BYTES // 2**20} MB at most. Split it.", "file"
        )
    try:
        found = case_files.read(data, most=MAX_LINES)
    except case_files.FileError as error:
        raise ActionError(f"{name} {error}", "file") from None
    contents = actions.masked_contents(eval_set, [case for _, case in found.found])
    lines = [line for line, _ in found.found]
    old = CaseImport.objects.filter(project=eval_set.project, added_at=None)
    with transaction.atomic():
        old.filter(by=by, eval_set=eval_set).delete()
        old.filter(created_at__lt=timezone.now() - KEPT).delete()
        return CaseImport.objects.create(
            project=eval_set.project,
            eval_set=eval_set,
            file=name[:200],
            contents=[list(pair) for pair in zip(lines, contents, strict=True)],
            problems=[[p.line, p.field, p.message] for p in found.problems[:PROBLEMS_KEPT]],
            about={
                "formats": found.formats,
                "untaken": found.untaken,
                "problems": len(found.problems),
            },
            by=by,
        )


@transaction.atomic
def add(kept: CaseImport, *, without: Iterable[int] = (), by: User) -> int:
    """Add what was read to the draft but the lines in `without`; return how many cases are new.

    Adding it again adds nothing. Raises ActionError.
    """
    kept = CaseImport.objects.select_for_update(of=("self",)).select_related(
        "eval_set__project"
    ).get(pk=kept.pk)  # fmt: skip
    if kept.added_at is not None:
        return 0
    left_out = set(without)
    contents = [content for line, content in kept.contents if line not in left_out]
    added = actions.add_cases(kept.eval_set, contents)
    kept.made = [case.pk for case, new in added if new]
    kept.contents, kept.added_at = [], timezone.now()
    kept.save(update_fields=["made", "contents", "added_at"])
    audit(
        "evalset.imported",
        by=by,
        project=kept.eval_set.project,
        object=kept.eval_set.slug,
        file=kept.file,
        cases=len(kept.made),
    )
    return len(kept.made)


def undo(kept: CaseImport) -> int:
    """Take the cases of an import out of the draft again; return how many were there."""
    return actions.remove_made(kept.eval_set, kept.made)
