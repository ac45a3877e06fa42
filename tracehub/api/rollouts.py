"""Calls about rollouts: where each one is, and the flags for programs to follow."""

from __future__ import annotations

from tracehub.api import cursors
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.core.rollout import flags
from tracehub.evals import rollouts


def list_rollouts(asked: ApiRequest) -> Answer:
    """Answer the rollouts of the project, newest first."""
    rows = rollouts.of_project(asked.project)
    listing = {"project": asked.project.pk, "list": "rollouts"}
    limit = asked.whole("limit", 50)
    if cursor := asked.query.get("cursor"):
        rows = rows.filter(number__lt=cursors.decode(cursor, listing))
    found = list(rows[: limit + 1])
    following = cursors.encode(listing, found[limit - 1].number) if len(found) > limit else None
    return Answer({"items": [rollouts.as_json(row) for row in found[:limit]], "next": following})


def get_flags(asked: ApiRequest) -> Answer:
    """Answer which version each cohort gets, in the form that flagd reads over HTTP."""
    return Answer(flags(rollouts.courses(asked.project)))
