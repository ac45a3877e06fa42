"""Who gets new failures: rules by prompt or span, the longest pattern first."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from tracehub.core.grouping.v1 import masked
from tracehub.failures.models import Activity, Failure, OwnerRule
from tracehub.projects import outbox
from tracehub.projects.models import Project


def rules(project: Project) -> list[OwnerRule]:
    """Return the rules of a project in the order in which they are tried."""
    rows = OwnerRule.objects.filter(project=project).select_related("owner")
    return sorted(rows, key=lambda rule: (-len(rule.pattern), rule.pk))


def assign(failures: Sequence[Failure]) -> None:
    """Give new failures without an assignee to the owner whom a rule names. Mails the owner."""
    free = [failure for failure in failures if failure.assignee_id is None]
    for project in {failure.project_id: failure.project for failure in free}.values():
        tried = rules(project)
        for failure in free:
            if failure.project_id == project.pk and (rule := _first(tried, failure)) is not None:
                _give(failure, rule)


def _first(tried: Sequence[OwnerRule], failure: Failure) -> OwnerRule | None:
    values = {"prompt": failure.since.rpartition("@")[0], "span": failure.span}
    return next((rule for rule in tried if _matches(rule.pattern, values[rule.key])), None)


def _matches(pattern: str, value: str) -> bool:
    """Tell whether a value fits; `*` is the only wildcard.

    >>> _matches("refund*", "refund-agent"), _matches("[r]*", "refund")
    (True, False)
    """
    literal = pattern.replace("[", "[[]").replace("?", "[?]")
    return bool(value) and fnmatchcase(value, literal)


def _give(failure: Failure, rule: OwnerRule) -> None:
    failure.assignee = rule.owner
    failure.save(update_fields=["assignee"])
    Activity.objects.create(
        failure=failure, actor="TraceHub", verb="assigned",
        detail=f"to {rule.owner.email} by the rule {rule}"[:400], before={"assignee_id": None},
    )  # fmt: skip
    told = {"key": failure.key, "title": masked(failure.title), "assignee": rule.owner.email,
            "by": f"the rule {rule}", "emails": [rule.owner.email]}  # fmt: skip
    outbox.emit(failure.project_id, "failure.assigned", told)
