"""What people do to traces from the list: verdicts, promotion, export, and taking it back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import orjson
from asgiref.sync import sync_to_async
from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.evals import actions as evals
from tracehub.evals.models import Case, EvalSet
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, querysets
from tracehub.review.models import Review, Verdict
from tracehub.traces import reading
from tracehub.traces.models import Arrival, Trace
from tracehub.web import permissions, shell
from tracehub.web.trace_list.rows import rows
from tracehub.web.trace_list.state import ListState

MAX_SELECTED = 200
UNDO_SALT = "tracehub.web.trace_bulk"
UNDO_SECONDS = 86_400


@require_POST
def verdict(request: HttpRequest, slug: str) -> HttpResponse:
    """Take `act=fail:TRACE` of one row; answer with the row and a toast, or go back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    value, _, trace_id = request.POST.get("act", "").partition(":")
    (known,) = _known(project, [trace_id]) or (None,)
    if known is None:
        raise Http404(f"There is no trace {trace_id[:40]!r} in this project.")
    if value not in Verdict.values:
        return HttpResponse(f"act must begin with a verdict. Got {value[:20]!r}.", status=400)
    made = _review(request, project, [known], value, [])
    _say(request, project, f"Marked {Verdict(value).label.lower()}", value, made)
    if request.headers.get("HX-Request") != "true":
        return shell.back(request)
    trace = Trace.objects.in_project(project).filter(trace_id=known).first()
    params = request.GET.copy()
    state = ListState.of(project, params, timezone.now())
    standing = querysets.standing(project.pk, [known])
    shown = rows(state, [trace], standing, querysets.modes(project), {}) if trace else []
    return render(request, "traces/changed.html", {"rows": shown, "state": state})


@require_POST
def bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Mark or promote the selected traces: `verdict`, `mode`, `set` or `new_set` says how."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    chosen = _selected(request, project)
    if not chosen:
        shell.toast(request, "No traces were selected", icon="none")
        return shell.back(request)
    post = request.POST
    try:
        if post.get("verdict") or post.get("mode"):
            value = post.get("verdict") or Verdict.FAIL
            slugs = [post["mode"]] if post.get("mode") else []
            made = _review(request, project, chosen, value, slugs)
            _say(request, project, f"{_traces(chosen)} marked {value}", value, made)
        elif post.get("set") or post.get("new_set", "").strip():
            _promote(request, project, chosen)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


@require_POST
def export(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """Send the selected traces as JSON lines, one whole trace on each."""
    project = permissions.project_for(request, slug)
    chosen = _selected(request, project)
    audit("traces.exported", by=_person(request), project=project, count=len(chosen))
    answer = StreamingHttpResponse(_lines(project, chosen), content_type="application/jsonl")
    answer["Content-Disposition"] = f'attachment; filename="traces-{project.slug}.jsonl"'
    return answer


@require_POST
def undo(request: HttpRequest, slug: str, token: str) -> HttpResponse:
    """Take back what one of the views above did, as its signed token says."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    try:
        done = signing.loads(token, salt=UNDO_SALT, max_age=UNDO_SECONDS)
    except signing.BadSignature:
        raise Http404("This can no longer be undone.") from None
    if done["project"] != project.pk or done["user"] != request.user.pk:
        raise Http404("This can no longer be undone.")
    with transaction.atomic():
        for review in Review.objects.filter(
            project=project, pk__in=done.get("reviews", []), withdrawn_at=None
        ):
            actions.withdraw(review)
        for case in Case.objects.filter(
            project=project, pk__in=done.get("cases", []), removed_in=None
        ).select_related("eval_set"):
            evals.remove_case(case.eval_set, case.number)
    shell.toast(request, "Undone", icon="undo")
    return shell.back(request)


def _selected(request: HttpRequest, project: Project) -> list[UUID]:
    return _known(project, request.POST.getlist("trace")[:MAX_SELECTED])


def _known(project: Project, texts: Sequence[str]) -> list[UUID]:
    """Return those ids that are traces of this project, in their order."""
    ids = []
    for text in texts:
        try:
            ids.append(UUID(hex=text))
        except ValueError:
            continue  # not an id, so no trace of this project either
    found = set(
        Arrival.objects.filter(project_id=project.pk, trace_id__in=ids).values_list(
            "trace_id", flat=True
        )
    )
    return [trace for trace in dict.fromkeys(ids) if trace in found]


@transaction.atomic
def _review(
    request: HttpRequest, project: Project, traces: Sequence[UUID], value: str, modes: list[str]
) -> list[int]:
    """Submit one review for each trace, all or none, and return their ids."""
    author = _person(request)
    return [
        actions.submit_review(project, trace, value, author=author, modes=modes)[0].pk
        for trace in traces
    ]


def _promote(request: HttpRequest, project: Project, traces: Sequence[UUID]) -> None:
    """Add the traces to the draft of the set that was named. Raises ActionError."""
    name = request.POST.get("new_set", "").strip()
    chosen = request.POST.get("set", "")
    eval_set = EvalSet.objects.filter(project=project, slug=chosen).first() if chosen else None
    if chosen and eval_set is None:
        raise ActionError(f"There is no eval set {chosen!r} in this project.", "set")
    with transaction.atomic():
        if eval_set is None:
            eval_set, _ = evals.create_set(project, name)
        added = evals.add_all(eval_set, [evals.Promotion(trace) for trace in traces])
    new = [case.pk for case, is_new in added if is_new]
    there = len(added) - len(new)
    text = f"{len(new)} {'case' if len(new) == 1 else 'cases'} added to the draft of {eval_set}"
    if there:
        text += f", {there} {'was' if there == 1 else 'were'} there already"
    page = reverse("evals_set", args=[project.slug, eval_set.slug])
    undo_url = _undo_url(request, project, cases=new) if new else ""
    shell.toast(request, text, icon="evals", undo=undo_url, link=("Open", page))


def _say(request: HttpRequest, project: Project, text: str, icon: str, made: list[int]) -> None:
    shell.toast(request, text, icon=icon, undo=_undo_url(request, project, reviews=made))


def _undo_url(request: HttpRequest, project: Project, **made: Any) -> str:
    about = {"project": project.pk, "user": request.user.pk, **made}
    token = signing.dumps(about, salt=UNDO_SALT, compress=True)
    return reverse("traces_undo", args=[project.slug, token])


async def _lines(project: Project, traces: Sequence[UUID]) -> AsyncIterator[bytes]:
    """Yield a line for each trace, one in memory at a time."""
    for trace in traces:
        loaded = await sync_to_async(reading.load)(project, trace)
        if loaded is not None:
            yield orjson.dumps(loaded.as_json()) + b"\n"


def _person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise permissions.SignInNeeded
    return request.user


def _traces(chosen: Sequence[UUID]) -> str:
    return "1 trace" if len(chosen) == 1 else f"{len(chosen)} traces"
