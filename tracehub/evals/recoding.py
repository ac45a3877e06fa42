"""What a change of the taxonomy means for eval cases. Fixed versions stay as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction

from tracehub.evals.actions import update_case
from tracehub.evals.models import Case
from tracehub.projects.models import Project


@transaction.atomic
def merge_modes(project: Project, slug: str, into: str) -> dict[str, list[str]]:
    """Let the draft cases of a failure mode name another one.

    Returns what each named before, by the id of its row, for `restore_modes`.
    """
    rows = Case.objects.filter(project=project, removed_in=None, failure_modes__contains=[slug])
    changed = {}
    for row in rows.select_related("eval_set"):
        modes = [into if one == slug else one for one in row.failure_modes]
        once = list(dict.fromkeys(modes))
        now = update_case(row.eval_set, row.number, {"failure_modes": once})
        changed[str(now.pk)] = row.failure_modes
    return changed


@transaction.atomic
def restore_modes(project: Project, before: Mapping[str, Sequence[str]]) -> None:
    """Let cases name again what they named, where nothing else has changed them since."""
    rows = Case.objects.filter(project=project, pk__in=list(before), removed_in=None)
    for row in rows.select_related("eval_set"):
        update_case(row.eval_set, row.number, {"failure_modes": list(before[str(row.pk)])})
