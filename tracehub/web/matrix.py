"""Where it breaks: the last good step against the first failing one, over the newest traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.core.query.tree import Filter, Pattern, Term
from tracehub.failures.querysets import prompt_order
from tracehub.projects.models import Project
from tracehub.traces import querysets
from tracehub.web import matrix_cells, matrix_pane, mode_pivot, permissions
from tracehub.web.matrix_reading import NEWEST, Located, Versions, located
from tracehub.web.trace_list.state import ListState

SECONDS = 5
VERSIONS = 4  # in the bar


class MatrixState(ListState):
    """What the URL says: a filter and a range, as of a list."""

    route: ClassVar[str] = "failures_matrix"


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The matrix, the traces of the chosen cell beside it, and the failure modes by version."""
    project = permissions.project_for(request, slug)
    state = MatrixState.of(project, request.GET, timezone.now())
    context: dict[str, Any] = {"state": state}
    if state.error is not None:
        context["notice"] = state.error.message
        return render(request, "failures/matrix.html", context, status=400)
    try:
        with querysets.bounded(SECONDS):
            found = located(state, state.wanted)
            named = _version(state.wanted)
            order = _order(project, found, named)
            versions = _versions(state, found, order, named)
            prompt = order[0].partition("@")[0] if order else ""
            context |= mode_pivot.context(state, request.GET.get("by", ""), prompt)
    except querysets.TooSlow:
        context["notice"] = f"This takes longer than {SECONDS} s. Choose a shorter range."
        return render(request, "failures/matrix.html", context)
    change = versions is not None and request.GET.get("show") == "change"
    shown = versions.new if versions and change else found.matrix()
    asked = (request.GET.get("after", ""), request.GET.get("at", ""))
    chosen = matrix_cells.chosen(shown, asked)
    cells = matrix_cells.draw(shown, versions, state, chosen, change=change)
    context |= cells | matrix_pane.context(project, state, found, shown, versions, chosen)
    context |= {
        "read": len(found.rows), "newest": NEWEST, "pinned": found.pinned, "change": change,
        "versions": versions, "prompt": prompt,
        "choices": _choices(found, state, order, named, change=change),
        "change_url": state.url(show="change"),
    }  # fmt: skip
    return render(request, "failures/matrix.html", context)


def _version(wanted: Filter) -> str:
    """Return the one prompt version that the filter asks for, as `refund@v12`, else nothing."""
    for part in wanted.parts:
        if isinstance(part, Term) and part.key == "prompt" and len(part.values) == 1:
            value = part.values[0]
            if isinstance(value, Pattern) and len(value.parts) == 1 and "@" in value.parts[0]:
                return value.parts[0]
    return ""


def _order(project: Project, found: Located, named: str) -> list[str]:
    """Return the versions of the prompt in question, first to last: the named or busiest one."""
    seen = Counter(prompt for row in found.rows.values() for prompt in row.prompts)
    name = named.partition("@")[0] or mode_pivot.prompt_to_compare(seen)
    order = [f"{name}@{version}" for version in prompt_order(project.pk, name)]
    return [label for label in order if named or label in seen]


def _versions(
    state: ListState, found: Located, order: Sequence[str], named: str
) -> Versions | None:
    """Return the version that is looked at and the one before, which is read when it is not there.

    Without a version in the filter these are the two newest of the prompt.
    """
    now = named or next(reversed(order), "")
    at = order.index(now) if now in order else 0
    if at == 0:
        return None
    before = order[at - 1]
    if not named:
        return Versions(before, now, found.matrix(before), found.matrix(now))
    other = Filter(Term("prompt", (Pattern((before,)),)))
    earlier = located(state, state.wanted.ignoring("prompt").plus(other))
    if not earlier.paths:
        return None
    return Versions(before, now, earlier.matrix(), found.matrix())


def _choices(
    found: Located, state: ListState, order: Sequence[str], named: str, *, change: bool
) -> list[tuple[str, str, bool]]:
    """Return word, address and whether it is current, of each view of the bar but the change."""
    shown = list(order[-VERSIONS:])
    if named and named not in shown:
        shown = [named, *shown[1:]]
    rest = state.wanted.ignoring("prompt")
    everything = ("All", state.filtered(rest), not named and not change)
    one_of = [
        (
            label.partition("@")[2],
            state.filtered(rest.plus(Filter(Term("prompt", (Pattern((label,)),))))),
            label == named and not change,
        )
        for label in shown
    ]
    return [everything, *one_of] if len(shown) > 1 or named else []
