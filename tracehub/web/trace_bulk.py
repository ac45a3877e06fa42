"""What people do to traces from the list: verdicts, queues, promotion."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from tracehub.digest.models import BulkJob
from tracehub.evals import actions as evals
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, picking, querysets
from tracehub.review.models import Queue, Review, Verdict
from tracehub.traces import reading
from tracehub.web import matrix_reading, permissions, promote_many, shell, trace_jobs, undoing
from tracehub.web.settings_pages import person
from tracehub.web.trace_list.columns import Look
from tracehub.web.trace_list.rows import rows
from tracehub.web.trace_list.state import ListState

MAX_SELECTED = 200
PIN = "pin"


@require_POST
def verdict(request: HttpRequest, slug: str) -> HttpResponse:
    """Take `act=fail:TRACE` of one row; answer with the row and a toast, or go back.

    `pin:TRACE` fails it too, and pins the step where it first went wrong.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    value, _, trace_id = request.POST.get("act", "").partition(":")
    (known,) = _known(project, [trace_id]) or (None,)
    if known is None:
        raise Http404(f"There is no trace {trace_id[:40]!r} in this project.")
    if value not in (*Verdict.values, PIN):
        return HttpResponse(f"act must begin with a verdict. Got {value[:20]!r}.", status=400)
    if value == PIN:
        made, said, icon = [_pin(project, known, person(request))], "Pinned: it fails here", PIN
    else:
        made = actions.submit_reviews(project, [known], value, author=person(request))
        said, icon = f"Marked {Verdict(value).label.lower()}", value
    back = undoing.url(request, project, reviews=[review.pk for review in made])
    shell.toast(request, said, icon=icon, undo=back)
    if request.headers.get("HX-Request") != "true":
        return shell.back(request)
    trace = reading.rows_of(project, [known]).first()
    params = request.GET.copy()
    state = ListState.of(project, params, timezone.now())
    standing = querysets.standing(project.pk, [known])
    shown = rows(state, [trace], standing, querysets.modes(project), {}) if trace else []
    look = Look.of(request.user)
    with timezone.override(look.zone(request)):
        told = {"rows": shown, "state": state, "look": look}
        return render(request, "traces/changed.html", told)


def _pin(project: Project, trace_id: UUID, by: User) -> Review:
    row = reading.rows_of(project, [trace_id]).first()
    step = matrix_reading.first_failing(project, row) if row else ""
    review, _ = actions.submit_review(project, trace_id, Verdict.FAIL, author=by, failing_span=step)
    return review


@require_POST
def bulk(request: HttpRequest, slug: str) -> HttpResponse:
    """Do what `verdict`, `mode`, `queue`, `set`, `new_set` or `delete` says to selected traces.

    With `all` it is done to everything that `q`, `from` and `to` find, as a job.
    """
    needed = Role.ADMIN if "delete" in request.POST else Role.REVIEWER
    project = permissions.project_for(request, slug, needed)
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
        if kind == BulkJob.Kind.DELETE:
            return trace_jobs.delete(request, project, chosen)
        if kind == BulkJob.Kind.REVIEW:
            _mark(request, project, chosen, choice)
        elif kind == BulkJob.Kind.QUEUE:
            _enqueue(request, project, chosen, choice["queue"])
        else:
            return promote_many.promote(request, project, chosen, choice["set"])
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request)


def _choice(request: HttpRequest, project: Project) -> tuple[str, dict[str, str]]:
    """Return the kind of work and its choice; a new set is made. Raises ActionError."""
    post = request.POST
    if "delete" in post:
        return BulkJob.Kind.DELETE, {}
    if post.get("mode"):
        chosen = {"verdict": post.get("verdict") or Verdict.FAIL.value, "mode": post["mode"]}
        return BulkJob.Kind.REVIEW, chosen
    if post.get("verdict"):
        return BulkJob.Kind.REVIEW, {"verdict": post["verdict"]}
    if post.get("queue"):
        return BulkJob.Kind.QUEUE, {"queue": post["queue"]}
    near = {"near": promote_many.KEEP} if post.get("near") == promote_many.KEEP else {}
    if post.get("set"):
        return BulkJob.Kind.PROMOTE, {"set": post["set"], **near}
    return BulkJob.Kind.PROMOTE, {"set": new_set(request, project), **near}


def new_set(request: HttpRequest, project: Project) -> str:
    """Make the eval set that a form names; return its slug. Raises ActionError."""
    made, _ = evals.create_set(project, request.POST.get("new_set", ""))
    return made.slug


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
    back = undoing.url(request, project, reviews=[review.pk for review in made])
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
    back = undoing.url(request, project, items=made) if made else ""
    shell.toast(request, text, icon="review", undo=back, link=("Open", page))


def _traces(chosen: Sized) -> str:
    return "1 trace" if len(chosen) == 1 else f"{len(chosen)} traces"
