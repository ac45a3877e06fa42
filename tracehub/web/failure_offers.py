"""What the filter field of the failures page offers: values of the groups, and of their traces."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from django.http import QueryDict
from django.utils.text import capfirst

from tracehub.core.query import Filter
from tracehub.core.query import groups as group_keys
from tracehub.core.query.tree import Pattern
from tracehub.failures.triage import querysets
from tracehub.projects.models import Membership, Project
from tracehub.web import marks
from tracehub.web.failure_list import FailureState
from tracehub.web.trace_list import suggest
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_list.suggest import Group, Offer

SHOWN = 8


def groups(state: FailureState, typed: str, now: datetime) -> list[Group]:
    """Return the groups for `typed`. Counts of a group's own values are of failures."""
    sign, text = ("-", typed[1:]) if typed.startswith("-") else ("", typed)
    name, colon, begun = text.partition(":")
    last = begun.rpartition(",")[2].strip('"')
    lead = f"{sign}{name}:{begun[: len(begun) - len(begun.rpartition(',')[2])]}"
    if colon and name == "assignee":
        return [Group("Members", _members(state.project, lead, last))]
    if colon and name in querysets.OFFERED:
        found = querysets.values_of(state.project, name, last, SHOWN)
        return [
            Group(
                f"{capfirst(suggest.MANY.get(name, f'{name}s'))} of failures",
                [_offer(lead, name, *one) for one in found],
            )
        ]
    own = [
        Offer(f"{sign}{key.name}:", False, hint=key.help)
        for key in group_keys.KEYS.values()
        if not colon and key.name.startswith(text.lower())
    ]
    return ([Group("Failures", own)] if own else []) + suggest.groups(_traces(state, now), typed)


def _offer(lead: str, key: str, value: str, count: int) -> Offer:
    icon = marks.signal(value).icon if key == "signal" else ""
    return Offer(f"{lead}{Pattern((value,))}", True, traces=count, icon=icon)


def _members(project: Project, lead: str, begun: str) -> list[Offer]:
    rows = Membership.objects.filter(project=project).select_related("user")
    emails = [row.user.email for row in rows.order_by("user__email")[:100]]
    known = [one for one in ["me", "none", *emails] if begun.lower() in one.lower()]
    plain = ("me", "none")
    return [
        Offer(f"{lead}{one if one in plain else Pattern((one,))}", True) for one in known[:SHOWN]
    ]


def _traces(state: FailureState, now: datetime) -> ListState:
    """Return the same range and filter as a list of traces, without what only failures have."""
    params = QueryDict(mutable=True)
    params["from"] = state.since
    within = ListState.of(state.project, params, now)
    if state.error is not None:
        return within
    _, of_traces = group_keys.split(state.wanted)
    return replace(within, text=str(of_traces), wanted=Filter.of(of_traces.parts))
