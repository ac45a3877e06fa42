"""What people set of detectors: one verb, one transaction, one line in the audit log."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from tracehub.core.mask import BadPattern
from tracehub.core.query import FilterError
from tracehub.core.signals.custom import (
    FIELDS,
    SLUG,
    CustomRule,
    check_filter,
    check_pattern,
    slug_of,
)
from tracehub.core.signals.kinds import KINDS
from tracehub.core.trace import SEVERITIES, Severity
from tracehub.failures.models import CustomSignal, ScoreSetting, SignalSetting
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.models import Project, User

MOST_OWN = 30  # own signals of a project: each is one query for every batch of traces
MOST_SCORES = 100


def check_threshold(kind: str, text: str) -> float | None:
    """Return a threshold as typed; None for an empty text. Raises ActionError."""
    limit = KINDS[kind].threshold
    if limit is None or not text.strip():
        return None
    try:
        value = float(text.strip().replace(",", ""))
        wrong = limit.wrong(value)
    except (ValueError, OverflowError):
        wrong = limit.wrong(float("inf"))
    if wrong:
        raise ActionError(f"The threshold of {kind} {wrong}. Got {text.strip()[:40]!r}.", kind)
    return value


@transaction.atomic
def set_kind(
    project: Project, kind: str, *, on: bool, threshold: float | None, by: User
) -> SignalSetting:
    """Turn a kind on or off and set its threshold; None is the usual one."""
    limit = KINDS[kind].threshold
    if limit is not None and threshold == limit.usual:
        threshold = None
    row, _ = SignalSetting.objects.update_or_create(
        project=project, kind=kind, defaults={"on": on, "threshold": threshold}
    )
    audit("signal.set", by=by, project=project, object=kind, on=on, threshold=threshold)
    return row


@transaction.atomic
def set_score(
    project: Project, name: str, at_most: float | None, labels: Sequence[str], *, by: User
) -> ScoreSetting:
    """Say when a score of this name is negative. Raises ActionError."""
    name = " ".join(name.split())
    labels = [label for one in labels if (label := " ".join(one.split())[:100])][:50]
    if not name or len(name) > 200:
        raise ActionError("The name of the score may have 1 to 200 characters.", "name")
    if at_most is None and not labels:
        raise ActionError("Give a number, or labels, that count as negative.", "at_most")
    others = ScoreSetting.objects.filter(project=project).exclude(name=name)
    if others.count() >= MOST_SCORES:
        raise ActionError(f"A project has at most {MOST_SCORES} of these. Remove some first.")
    row, _ = ScoreSetting.objects.update_or_create(
        project=project, name=name, defaults={"at_most": at_most, "labels": labels}
    )
    said = ", ".join(labels)
    audit("score.set", by=by, project=project, object=name, at_most=at_most, labels=said)
    return row


@transaction.atomic
def remove_score(row: ScoreSetting, *, by: User) -> None:
    """Forget a limit: scores of this name are negative as usual."""
    audit("score.removed", by=by, project=row.project, object=row.name)
    row.delete()


def check_own(name: str, severity: str, q: str, field: str = "", pattern: str = "") -> CustomRule:
    """Return an own signal as the worker runs it. Raises ActionError naming the field."""
    name = " ".join(name.split())[:120]
    slug = slug_of(name)
    if not SLUG.fullmatch(slug):
        raise ActionError("The name needs a letter or digit, such as 'Promises a refund'.", "name")
    if severity not in SEVERITIES:
        said = f"The severity must be one of {', '.join(SEVERITIES)}. Got {severity[:20]!r}."
        raise ActionError(said, "severity")
    try:
        wanted = check_filter(q)
    except FilterError as error:
        fix = f" Did you mean {error.fix}?" if error.fix else ""
        raise ActionError(f"The filter: {error.message}{fix}", "q") from error
    if not wanted.parts and not pattern:
        raise ActionError("Give a filter, a pattern, or both: else it fires on all traces.", "q")
    if pattern:
        if field not in FIELDS:
            raise ActionError("Say where the pattern is looked for: input, output, error.", "field")
        try:
            check_pattern(pattern)
        except BadPattern as error:
            raise ActionError(f"The pattern {error}", "pattern") from None
    grave: Severity = severity
    return CustomRule(slug, name, grave, str(wanted), field if pattern else "", pattern)


@transaction.atomic
def add_own(project: Project, rule: CustomRule, *, by: User) -> CustomSignal:
    """Make an own signal. Raises ActionError, Conflict."""
    rows = CustomSignal.objects.select_for_update().filter(project=project)
    if len(rows) >= MOST_OWN:
        raise ActionError(f"A project has at most {MOST_OWN} own signals. Remove one first.")
    if any(row.slug == rule.slug for row in rows):
        raise Conflict(f"There is an own signal {rule.slug} already.", "name")
    audit("signal.added", by=by, project=project, object=rule.kind, q=rule.q, pattern=rule.pattern)
    return CustomSignal.objects.create(
        project=project, slug=rule.slug, name=rule.name, severity=rule.severity, q=rule.q,
        field=rule.field, pattern=rule.pattern, created_by=by.email,
    )  # fmt: skip


@transaction.atomic
def turn_own(row: CustomSignal, on: bool, *, by: User) -> None:
    """Turn an own signal on or off."""
    row.on = on
    row.save(update_fields=["on"])
    audit("signal.on" if on else "signal.off", by=by, project=row.project, object=row.slug)


@transaction.atomic
def remove_own(row: CustomSignal, *, by: User) -> None:
    """Remove an own signal; traces keep what it found until they are looked at again."""
    audit("signal.removed", by=by, project=row.project, object=row.slug, q=row.q)
    row.delete()
