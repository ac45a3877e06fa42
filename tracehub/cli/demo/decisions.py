"""The demo's contract, and what its reviewers decided about the failures that it found."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from tracehub.cli.demo import words
from tracehub.failures import actions, querysets
from tracehub.failures.lifecycle import after_events
from tracehub.failures.models import Activity, Failure, Status
from tracehub.failures.store import Seen
from tracehub.projects.models import Project, User
from tracehub.traces.actions import save_prompt

CONTRACT = "refund-reply"
REASONS_FROM, METHODS_FROM = 2, 3  # versions that asked for more
CURRENCIES = ["EUR", "SEK", "NOK", "DKK", "GBP", "USD"]
SOLVED_DAYS, SEEN = 4, 50


def publish(project: Project) -> None:
    """Publish the refund agent's contract and the prompts' templates, unless they are there."""
    if querysets.versions_of(project, CONTRACT):
        return
    for name, line in words.AMOUNT_LINE.items():
        save_prompt(project, "refund", name, words.REFUND_PROMPT + line, author="Tor Olsen")
    for name, text in words.SUMMARY_PROMPT.items():
        save_prompt(project, "summary", name, text, author="Maja Berg")
    for version in range(1, METHODS_FROM + 1):
        actions.save_contract(project, CONTRACT, _schema(version), prompt="refund")


def _schema(version: int) -> dict[str, Any]:
    fields: dict[str, Any] = {"amount": {"type": "number", "minimum": 0}}
    fields["currency"] = {"enum": CURRENCIES}
    if version >= METHODS_FROM:
        fields["method"] = {"type": "string"}
        fields["passengers"] = {"type": "array", "items": {"type": "string"}, "minItems": 1}
    refund = {"type": ["object", "null"], "properties": fields, "required": list(fields)}
    required = ["refund", "reply", "reason"] if version >= REASONS_FROM else ["refund", "reply"]
    return {
        "type": "object",
        "properties": {
            "refund": refund,
            "reply": {"type": "string", "minLength": 1},
            "reason": {"type": "string"},
        },
        "required": required,
    }


def decide(project: Project) -> None:
    """Assign, resolve and ignore some failures, once, so that every status has one."""
    if Activity.objects.filter(failure__project=project).exists():
        return
    people = list(User.objects.filter(memberships__project=project).order_by("email"))
    helper = people[-1] if people else None
    amount = _busiest(project, kind="schema_error", title__startswith="refund.amount")
    if amount and helper:
        actions.assign(amount, helper, by=helper)
    if amount:  # the agent's own check found the same in the same outputs
        for same in Failure.objects.filter(project=project, span="refund-schema"):
            actions.merge(same, amount, by=helper)
    if (fares := _busiest(project, kind="tool_error")) and helper:
        actions.assign(fares, helper, by=helper)
    if currency := _busiest(project, title__startswith="refund.currency"):
        actions.resolve(currency, by=helper, where="refund@v11")
    if cut := _busiest(project, kind="truncated"):
        actions.ignore(cut, by=helper)
    if summary := _busiest(project, span="ticket-summary"):
        _solved_and_back(summary, helper)


def _busiest(project: Project, **of: str) -> Failure | None:
    rows = Failure.objects.filter(project=project, events__gt=0, **of)
    return rows.order_by("-events", "number").first()


@transaction.atomic
def _solved_and_back(failure: Failure, by: User | None) -> None:
    """Resolve a failure some days ago, and let what came since bring it back."""
    now = timezone.now()
    actions.resolve(failure, by=by)
    then = now - timedelta(days=SOLVED_DAYS)
    Failure.objects.filter(pk=failure.pk, status=Status.RESOLVED).update(resolved_at=then)
    failure.activities.update(at=then)
    traces = querysets.newest_traces(failure, then, now, SEEN)
    seen = [Seen(one.started_at, one.user_id, tuple(one.prompts), one.release) for one in traces]
    if seen:
        after_events({failure.pk: seen}, now)
