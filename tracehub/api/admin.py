"""Calls about the project itself: its set-up as a whole, and taking keys and seats away."""

from __future__ import annotations

from typing import Any

from django.db import transaction

from tracehub.api.errors import ApiError, missing
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.api.setup import plan, state
from tracehub.core.trace_json import iso
from tracehub.core.whole import whole_number
from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Membership


def get_setup(asked: ApiRequest) -> Answer:
    """Answer what the project has now."""
    return Answer(state.of(asked.project))


def post_setup(asked: ApiRequest) -> Answer:
    """Bring the project to what the body names; all of it is done or nothing."""
    dry = asked.query.get("dry_run", "false")
    if dry not in {"true", "false"}:
        raise ApiError(400, f"dry_run must be true or false. Got {dry[:40]!r}.", "dry_run")
    with transaction.atomic():
        found = list(plan.changes(asked.project, asked.body))
        shown = plan.make(found, asked.key)
        if dry == "true":  # made all the same, since some refusals come with the making
            transaction.set_rollback(True)
            shown = {}
    listed = [
        change.as_json() | ({"key": shown[change.name]} if change.name in shown else {})
        for change in found
    ]
    return Answer({"changes": listed, "made": dry == "false"})


def revoke_key(asked: ApiRequest) -> Answer:
    """Turn a key off. A key may revoke itself."""
    rows = ApiKey.objects.filter(project=asked.project, revoked_at=None)
    key = rows.filter(pk=whole_number(asked.path["id"]) or 0).first()
    if key is None:
        raise missing("such key")
    actions.revoke_key(key, by=asked.key)
    return Answer(_key_json(key))


def remove_member(asked: ApiRequest) -> Answer:
    """Take a person's seat away."""
    email = asked.path["email"].replace("\0", "")
    seat = (
        Membership.objects.select_related("user")
        .filter(project=asked.project, user__email__iexact=email)
        .first()
    )
    if seat is None:
        raise missing("such member")
    actions.set_role(asked.project, seat.user, None, by=asked.key)
    return Answer({"email": seat.user.email, "role": None})


def _key_json(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.pk,
        "name": key.name,
        "scope": key.scope,
        "prefix": key.prefix,
        "revoked_at": iso(key.revoked_at) if key.revoked_at else None,
    }
