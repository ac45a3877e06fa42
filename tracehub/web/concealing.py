"""Projects that hide content: what each page may show, and the reveals that the audit log notes.

`permissions.project_for` asks `guard` for every page. A page that is not named here shows content:
viewers do not get it, and that others did is noted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

from tracehub.core import concealment
from tracehub.core.concealment import HIDDEN
from tracehub.core.query import FilterError, parse
from tracehub.core.query.words import Fragment
from tracehub.projects.actions import audit
from tracehub.projects.models import Project, Role, User
from tracehub.review.models import Review
from tracehub.traces.reading import LoadedTrace

# Sections and pages that show names and numbers alone.
NUMBERS = frozenset({"settings", "metrics", "connect"})
# Pages that hide texts by themselves, with `shown` and `rows`.
CONCEALED = frozenset(
    {
        "traces", "traces_newer", "trace_suggestions", "trace", "trace_json", "trace_alike",
        "trace_corrected", "trace_place",
        "sessions", "session", "users", "user",
    }
)  # fmt: skip
# What is written here is seen by who writes it, or is no page at all.
UNSEEN = frozenset(
    {
        "trace_reveal", "trace_review", "trace_say", "review_withdraw", "traces_columns",
        "traces_job", "traces_jobs",
    }
)  # fmt: skip
REVEALED = "revealed"  # session key: what was revealed or noted, and when
LASTS_SECONDS = 3600
MOST = 200


def guard(request: HttpRequest, project: Project, role: str) -> None:
    """Let the person on, or raise PermissionDenied. Notes in the audit log what they will read."""
    if not project.hides_content:
        return
    if role == Role.VIEWER:
        _no_words(request)
    if _shows_none(request):
        return
    if role == Role.VIEWER:
        raise PermissionDenied("This project hides content. This page needs the role reviewer.")
    reveal(request, project, request.path.removeprefix(f"/{project.slug}/"))


def _shows_none(request: HttpRequest) -> bool:
    match = request.resolver_match
    name = match.url_name if match else ""
    section = request.path.split("/")[2:3]
    if name in CONCEALED or name in UNSEEN:
        return True
    return bool(section) and section[0] in NUMBERS and name != "settings_mask_new"


def _no_words(request: HttpRequest) -> None:
    """A search that finds a text tells that it is there."""
    for text in (*request.GET.getlist("q"), *request.GET.getlist("add")):
        try:
            wanted = parse(text)
        except FilterError:
            continue
        if concealment.asks_for_words(wanted):
            raise PermissionDenied("This project hides content. Searching it needs a reviewer.")


def reveal(request: HttpRequest, project: Project, what: str) -> None:
    """Note that the person reads `what` now; once an hour and session for the same thing."""
    noted = request.session.get(REVEALED, {})
    now, name = time.time(), f"{project.pk}:{what}"
    if now - noted.get(name, 0) < LASTS_SECONDS:
        return
    by = request.user if isinstance(request.user, User) else None
    audit("content.revealed", by=by, project=project, object=what[:254])
    recent = sorted(noted.items(), key=lambda pair: pair[1])[-MOST + 1 :]
    request.session[REVEALED] = dict(recent) | {name: now}


def is_concealed(request: HttpRequest, project: Project, trace_id: str) -> bool:
    """Tell whether the person sees this trace without its texts."""
    if not project.hides_content:
        return False
    if getattr(request, "role", None) == Role.VIEWER:
        return True
    noted = request.session.get(REVEALED, {})
    since = noted.get(f"{project.pk}:{_place(trace_id)}", 0)
    return bool(time.time() - since >= LASTS_SECONDS)


def reveal_trace(request: HttpRequest, project: Project, trace_id: str) -> None:
    """Show this trace with its texts from now on, for an hour."""
    reveal(request, project, _place(trace_id))


def _place(trace_id: str) -> str:
    return f"traces/{trace_id}"


def shown(request: HttpRequest, loaded: LoadedTrace) -> LoadedTrace:
    """Return the trace as this person may see it now."""
    if not is_concealed(request, loaded.project, loaded.summary.trace_id):
        return loaded
    made = replace(
        loaded,
        summary=replace(loaded.summary, metadata={}),
        spans=[concealment.conceal_span(span) for span in loaded.spans],
        feedback=[{**score, "comment": None} for score in loaded.feedback],
        violations=[],
    )
    # Found in what it says, and kept without that.
    made.__dict__["signals"] = [concealment.conceal_signal(s) for s in loaded.signals]
    return made


def rows(project: Project, listed: Sequence[Any]) -> list[Any]:
    """Return rows of the list of traces without previews, where the project hides content."""
    if not project.hides_content:
        return list(listed)
    for row in listed:
        row.trace.input_preview = HIDDEN
        row.trace.output_preview = HIDDEN
        for signal in row.trace.signals:
            signal["message"] = HIDDEN
    hidden = Fragment(HIDDEN, "", "")
    return [replace(row, said=hidden, answered=hidden) for row in listed]


def reviews(project: Project, given: Sequence[Review]) -> list[Review]:
    """Return reviews as a viewer sees them: the verdicts, and no words where content is hidden."""
    if project.hides_content:
        for review in given:
            review.note = HIDDEN if review.note else ""
            review.has_correction, review.corrected_output = False, None
    return list(given)
