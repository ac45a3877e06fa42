"""What people do to traces from the list: verdicts, queues, promotion, and taking it back."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import Any
from uuid import UUID

from django.core import signing
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.digest.models import BulkJob
from tracehub.evals import actions as evals
from tracehub.evals import promoting
from tracehub.evals.models import Case, EvalSet
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.review import actions, picking, querysets
from tracehub.review.models import Queue, Verdict
from tracehub.traces import reading
from tracehub.traces.models import Trace
from tracehub.web import permissions, shell, trace_jobs
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.columns import Look
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
    made = actions.submit_reviews(project, [known], value, author=person(request))
    back = undo_url(request, project, reviews=[review.pk for review in made])
    shell.toast(request, f"Marked {Verdict(value).label.lower()}", icon=value, undo=back)
    if request.headers.get("HX-Request") != "true":
        return shell.back(request)
    trace = Trace.objects.in_project(project).filter(trace_id=known).first()
    params = request.GET.copy()
    state = ListState.of(project, params, timezone.now())
    standing = querysets.standing(project.pk, [known])
    shown = rows(state, [trace], standing, querysets.modes(project), {}) if trace else []
    look = Look.of(request.user)
    with timezone.override(look.zone(request)):
        told = {"rows": shown, "state": state, "look": look}
        return render(request, "traces/changed.html", told)


@require_POST
def bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Do what `verdict`, `mode`, `queue`, `set` or `new_set` says to the selected traces.

    With `all` it is done to everything that `q`, `from` and `to` find, as a job.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    everything = bool(request.POST.get("all"))
    chosen = [] if everything else selected(request, project)
    if not everything and not chosen:
        shell.toast(request, "No traces were selected", icon="none")
        return shell.back(request)
    try:
        kind, choice = _choice(request, project)
        if everything:
            state = ListState.of(project, request.POST, timezone.now())
            return trace_jobs.ask(request, state, kind, choice)
        if kind == BulkJob.Kind.REVIEW:
            _mark(request, project, chosen, choice)
        elif kind == BulkJob.Kind.QUEUE:
            _enqueue(request, project, chosen, choice["queue"])
        else:
            _promote(request, project, chosen, choice["set"])
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


def _choice(request: HttpRequest, project: Project) -> tuple[str, dict[str, str]]:
    """Return the kind of work and its choice; a new set is made. Raises ActionError."""
    post = request.POST
    if post.get("mode"):
        chosen = {"verdict": post.get("verdict") or Verdict.FAIL.value, "mode": post["mode"]}
        return BulkJob.Kind.REVIEW, chosen
    if post.get("verdict"):
        return BulkJob.Kind.REVIEW, {"verdict": post["verdict"]}
    if post.get("queue"):
        return BulkJob.Kind.QUEUE, {"queue": post["queue"]}
    if post.get("set"):
        return BulkJob.Kind.PROMOTE, {"set": post["set"]}
    made, _ = evals.create_set(project, post.get("new_set", ""))
    return BulkJob.Kind.PROMOTE, {"set": made.slug}


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
        actions.withdraw_all(project, done.get("reviews", []))
        picking.remove_items(project, done.get("items", []))
        for case in Case.objects.filter(
            project=project, pk__in=done.get("cases", []), removed_in=None
        ).select_related("eval_set"):
            evals.remove_case(case.eval_set, case.number)
    shell.toast(request, "Undone", icon="undo")
    return shell.back(request)


def selected(request: HttpRequest, project: Project) -> list[UUID]:
    """Return the traces of the project that a form names."""
    return _known(project, request.POST.getlist("trace")[:MAX_SELECTED])


def _known(project: Project, texts: Sequence[str]) -> list[UUID]:
    """Return those ids that are traces of this project, in their order."""
    ids = []
    for text in texts:
        try:
            ids.append(UUID(hex=text))
        except ValueError:
            continue  # not an id, so no trace of this project either
    found = reading.known(project, ids)
    return [trace for trace in dict.fromkeys(ids) if trace in found]


def _mark(
    request: HttpRequest, project: Project, traces: Sequence[UUID], choice: dict[str, str]
) -> None:
    """Submit one review for each trace, all or none. Raises ActionError."""
    value, modes = choice["verdict"], [choice["mode"]] if "mode" in choice else []
    made = actions.submit_reviews(project, traces, value, author=person(request), modes=modes)
    back = undo_url(request, project, reviews=[review.pk for review in made])
    shell.toast(request, f"{_traces(traces)} marked {value}", icon=value, undo=back)


def _enqueue(request: HttpRequest, project: Project, traces: Sequence[UUID], slug: str) -> None:
    """Add the traces to a queue. Raises ActionError."""
    queue = Queue.objects.filter(project=project, slug=slug).first()
    if queue is None:
        raise ActionError(f"There is no queue {slug!r} in this project.", "queue")
    made = picking.add_traces(queue, traces, by=person(request))
    there = len(traces) - len(made)
    text = f"{_traces(made)} added to {queue}" + (f", {there} there already" if there else "")
    page = reverse("review_queue", args=[project.slug, queue.slug])
    back = undo_url(request, project, items=made) if made else ""
    shell.toast(request, text, icon="review", undo=back, link=("Open", page))


def _promote(request: HttpRequest, project: Project, traces: Sequence[UUID], slug: str) -> None:
    """Add the traces to the draft of a set. Raises ActionError."""
    eval_set = EvalSet.objects.filter(project=project, slug=slug).first()
    if eval_set is None:
        raise ActionError(f"There is no eval set {slug!r} in this project.", "set")
    added = promoting.add_all(eval_set, [promoting.Promotion(trace) for trace in traces])
    new = [case.pk for case, is_new in added if is_new]
    there = len(added) - len(new)
    text = f"{len(new)} {'case' if len(new) == 1 else 'cases'} added to the draft of {eval_set}"
    if there:
        text += f", {there} {'was' if there == 1 else 'were'} there already"
    page = reverse("evals_set", args=[project.slug, eval_set.slug])
    back = undo_url(request, project, cases=new) if new else ""
    shell.toast(request, text, icon="evals", undo=back, link=("Open", page))


def undo_url(request: HttpRequest, project: Project, **made: Any) -> str:
    """Return where a POST takes back `reviews`, `items` of queues and `cases`, by their ids."""
    about = {"project": project.pk, "user": request.user.pk, **made}
    token = signing.dumps(about, salt=UNDO_SALT, compress=True)
    return reverse("traces_undo", args=[project.slug, token])


def _traces(chosen: Sized) -> str:
    return "1 trace" if len(chosen) == 1 else f"{len(chosen)} traces"
