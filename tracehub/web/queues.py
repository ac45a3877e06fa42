"""Review queues: the list, the page of one with its rules, and the way through it."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.whole import whole_number
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.review import filling, judging, measuring, progress, queueing, repeats
from tracehub.review import querysets as reviews
from tracehub.review.models import Queue, QueueItem, Repeat, Review, Rubric, Seat
from tracehub.web import permissions, queue_view, shell
from tracehub.web.forms.queues import QueueForm
from tracehub.web.links import with_query

LABELS = ("trace_id", "verdict", "failure_modes", "severity", "note", "reviewer", "at", "decides")


@require_http_methods(["GET", "POST"])
def queue_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The queues of the project, and the form for a new one."""
    role = Role.REVIEWER if request.method == "POST" else Role.VIEWER
    project = permissions.project_for(request, slug, role)
    form = QueueForm(project, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            queue, _ = queueing.create_queue(
                project,
                form.cleaned_data["name"],
                reviewers=form.cleaned_data["reviewers"],
                by=person(request),
                **form.rules(),
            )
            return redirect("review_queue", slug=slug, queue_slug=queue.slug)
        except ActionError as error:
            form.add_error(error.field if error.field in form.fields else "name", str(error))
    rows = reviews.standing_queues(project).prefetch_related("reviewers")
    status = 422 if form.errors else 200
    context = {
        "rows": rows, "form": form, "judges": judging.judges(project),
        "rubrics": Rubric.objects.filter(project=project).select_related("mode"),
    }  # fmt: skip
    return render(request, "review/list.html", context, status=status)


@require_GET
def queue_page(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """One queue: how it stands, what comes next, who has how many, how far they agree."""
    queue = queue_of(request, slug, queue_slug)
    who = request.GET.get("who", "")
    context = queue_view.context(queue, person(request), who, now=timezone.now())
    return render(request, "review/queue.html", context)


@require_http_methods(["GET", "POST"])
def rules(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """The form to change a queue's rules."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    form = QueueForm(queue.project, request.POST) if request.POST else QueueForm.of(queue)
    if request.method == "POST" and form.is_valid():
        try:
            queueing.edit_queue(
                queue,
                form.cleaned_data["name"],
                reviewers=form.cleaned_data["reviewers"],
                by=person(request),
                **form.rules(),
            )
            shell.toast(request, "Rules kept")
            return redirect("review_queue", slug=slug, queue_slug=queue_slug)
        except ActionError as error:
            form.add_error(error.field if error.field in form.fields else "name", str(error))
    status = 422 if form.errors else 200
    return render(request, "review/rules.html", {"queue": queue, "form": form}, status=status)


@require_GET
def next_trace(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Go to the person's next trace of the queue and hold it, else to the queue's page.

    `after` is the trace they come from; `not` lists traces to leave out, because their verdicts
    are still on the way here.
    """
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    avoid = _ids(request.GET.get("not", "").split(","))
    before = _ids([request.GET.get("after", "")])
    place = QueueItem.objects.filter(queue=queue, trace_id__in=before).first()
    following = queueing.next_trace(
        queue,
        person(request),
        now=timezone.now(),
        after=place.pk if place else 0,
        avoid=[*avoid, *before],
    )
    if following is None:
        shown = reverse("review_queue", args=[slug, queue_slug])
        return HttpResponseRedirect(with_query(shown, {"done": "1"}))
    page = reverse("trace", args=[slug, following.hex])
    return HttpResponseRedirect(with_query(page, {"queue": queue_slug}))


@require_POST
def skip(request: HttpRequest, slug: str, queue_slug: str, trace_id: str) -> HttpResponse:
    """Pass a trace on to somebody else and go to the next."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    traces = _ids([trace_id])
    turns = queueing.open_turns(queue, person(request), now=timezone.now())
    seat = turns.filter(item__trace_id__in=traces).first()
    if seat is None:
        for repeat in Repeat.objects.filter(
            queue=queue, reviewer=person(request), trace_id__in=traces, review=None
        ):
            repeats.drop(repeat)
            shell.toast(request, "Skipped", icon="right")
    else:
        queueing.skip(seat, person(request), request.POST.get("reason", ""))
        undo = reverse("review_unskip", args=[slug, queue_slug, seat.pk])
        shell.toast(request, "Skipped", icon="right", undo=undo)
    following = reverse("review_next", args=[slug, queue_slug])
    return HttpResponseRedirect(with_query(following, {"after": trace_id}))


@require_POST
def unskip(request: HttpRequest, slug: str, queue_slug: str, seat_id: int) -> HttpResponse:
    """Take a skip of one's own back, and go to its trace."""
    queue = queue_of(request, slug, queue_slug, Role.REVIEWER)
    seat = get_object_or_404(
        Seat.objects.select_related("item").exclude(skipped_at=None),
        item__queue=queue,
        pk=seat_id,
        reviewer=person(request),
    )
    queueing.unskip(seat)
    page = reverse("trace", args=[slug, seat.item.trace_id.hex])
    return HttpResponseRedirect(with_query(page, {"queue": queue_slug}))


@require_POST
def change(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Do what the buttons of the page say: pause, resume, fill, deal anew, or close an item."""
    act = request.POST.get("act", "")
    role = Role.ADMIN if act in ("close", "measure", "unmeasure") else Role.REVIEWER
    queue = queue_of(request, slug, queue_slug, role)
    by = person(request)
    if act in ("pause", "resume"):
        queueing.pause(queue, paused=act == "pause", by=by)
        shell.toast(request, "Paused: nothing is handed out" if act == "pause" else "Goes on")
    elif act in ("measure", "unmeasure"):
        measuring.turn(queue.project, on=act == "measure", by=by)
        shell.toast(request, "Measures how quick reviewing is" if act == "measure" else "Stopped")
    elif act == "fill":
        shell.toast(request, f"{filling.top_up(queue, now=timezone.now())} traces added")
    elif act == "deal":
        shell.toast(request, f"{filling.rebalance(queue, by=by)} turns changed hands")
    elif act == "close":
        item = get_object_or_404(queue.items, pk=whole_number(request.POST.get("item")) or 0)
        queueing.close_item(item, by=by)
        shell.toast(request, "Closed")
    else:
        return HttpResponse(f"act is not known. Got {act[:20]!r}.", status=400)
    return redirect("review_queue", slug=slug, queue_slug=queue_slug)


@require_GET
def labels(request: HttpRequest, slug: str, queue_slug: str) -> HttpResponse:
    """Send the reviews of closed items as CSV."""
    queue = queue_of(request, slug, queue_slug)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="labels-{queue.slug}.csv"'
    writer = csv.writer(answer)
    writer.writerow(LABELS)
    for item in reversed(progress.closed_items(queue)):
        given = progress.answers(item)
        for review in [*given, *([item.adjudication] if item.adjudication else [])]:
            writer.writerow([safe_cell(text) for text in _label(review)])
    return answer


@login_required
@require_POST
def set_quick(request: HttpRequest) -> HttpResponse:
    """Keep whether the person reviews queues quickly: single keys submit."""
    user = person(request)
    user.preferences["quick_review"] = request.POST.get("quick") == "on"
    user.save(update_fields=["preferences"])
    return HttpResponse(status=204)


def queue_of(request: HttpRequest, slug: str, queue_slug: str, role: str = Role.VIEWER) -> Queue:
    """Return a queue of the project, which the person may see with this role, else 404 or 403."""
    project: Project = permissions.project_for(request, slug, role)
    return get_object_or_404(
        Queue.objects.select_related("project"), project=project, slug=queue_slug
    )


def person(request: HttpRequest) -> User:
    if not isinstance(request.user, User):
        raise permissions.SignInNeeded
    return request.user


def _label(review: Review) -> list[str]:
    return [
        review.trace_id.hex,
        review.verdict,
        ",".join(mode.slug for mode in review.modes.all()),
        review.severity,
        review.note,
        review.author.email if review.author else review.author_key,
        review.created_at.isoformat(),
        "yes" if review.adjudicates else "",
    ]


def _ids(texts: Sequence[str]) -> list[UUID]:
    if len(texts) > 50:
        raise Http404("At most 50 traces can be left out.")
    return [UUID(hex=text) for text in texts if re.fullmatch("[0-9a-f]{32}", text)]
