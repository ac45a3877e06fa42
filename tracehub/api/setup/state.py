"""A project's set-up as it is. Nothing in it is a secret: addresses of webhooks are left out."""

from __future__ import annotations

from typing import Any

from tracehub.api.setup.plan import SHARES
from tracehub.core.trace_json import iso
from tracehub.failures import querysets as failures
from tracehub.failures.models import Contract
from tracehub.notify.models import Alert, Destination
from tracehub.projects.models import ApiKey, Membership, Project
from tracehub.review.models import FailureMode, Queue
from tracehub.review.queueing import RULES


def of(project: Project) -> dict[str, Any]:
    """Return it; the parts have the fields of a document for `plan.changes`, and a few more."""
    seats = Membership.objects.filter(project=project).select_related("user")
    keys = ApiKey.objects.filter(project=project, revoked_at=None).order_by("pk")
    modes = FailureMode.objects.filter(project=project, archived_at=None).order_by("position")
    return {
        "slug": project.slug,
        "name": project.name,
        "hides_content": project.hides_content,
        "members": [
            {"email": seat.user.email, "role": seat.role} for seat in seats.order_by("user__email")
        ],
        "keys": [_key(key) for key in keys],
        "failure_modes": [
            {"name": mode.name, "slug": mode.slug, "definition": mode.definition} for mode in modes
        ],
        "contracts": [contract(one) for one in failures.contracts(project)],
        "queues": [
            queue(one)
            for one in Queue.objects.filter(project=project)
            .prefetch_related("reviewers")
            .order_by("pk")
        ],
        **_alerts(project),
    }


def _key(key: ApiKey) -> dict[str, Any]:
    used = key.last_used_at
    return {
        "id": key.pk,
        "name": key.name,
        "scope": key.scope,
        "prefix": key.prefix,
        "last_used_at": iso(used) if used else None,
    }


def contract(row: Contract) -> dict[str, Any]:
    """Return a version of a contract in the form that publishing takes."""
    target = {"prompt": row.prompt or None, "span": row.span or None}
    return {
        "name": row.name,
        "applies_to": target,
        "schema": row.schema,
        "labels": row.labels or None,
        "nulls": row.nulls or None,
        "escalations": row.escalations or None,
        "note": row.note or None,
    }


def queue(row: Queue) -> dict[str, Any]:
    """Return the rules of a queue in the form that making one takes."""
    rules = {rule: getattr(row, rule) for rule in RULES}
    shares = {rule: rules[rule] / 100 for rule in SHARES}
    people = sorted(person.email for person in row.reviewers.all())
    return {"name": row.name, **rules, **shares, "reviewers": people}


def _alerts(project: Project) -> dict[str, Any]:
    places = list(Destination.objects.filter(project=project).order_by("pk"))
    names = {place.pk: place.name for place in places}
    rules = Alert.objects.filter(project=project).order_by("pk")
    return {
        "destinations": [
            {"name": one.name, "kind": one.kind, "host": one.host, "events": one.events}
            for one in places
        ],
        "alerts": [
            {
                "name": one.name,
                "kind": one.kind,
                **{key: value for key, value in one.rule.items() if value != ""},
                "to": [names[pk] for pk in one.to if pk in names],
                "quiet": one.quiet,
            }
            for one in rules
        ],
    }
