"""The verdict panel of the trace page: what it shows, and the verdicts sent from it."""

from __future__ import annotations

import json
import re
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_POST

from tracehub.core import promotion
from tracehub.evals import actions as evals
from tracehub.evals import near, promoting, run_querysets
from tracehub.evals import querysets as eval_sets
from tracehub.evals.models import Case, CaseKind, EvalSet
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.review import actions, measuring
from tracehub.review import querysets as reviews
from tracehub.review.models import Review
from tracehub.traces.reading import LoadedTrace
from tracehub.web import (
    concealing,
    correction,
    links,
    marks,
    permissions,
    queue_place,
    run_view,
    shell,
    trace_talk,
)
from tracehub.web.forms.review import NEW_SET, ReviewForm
from tracehub.web.loading import trace_or_404

KEYS = {"fail": "f", "pass": "p", "unsure": "u"}
RECORDED_AT_MOST = 100_000  # characters of the output that the correction may start from
ANSWERED = 5  # results of runs that the panel lists
SKIP_REASONS = ("I cannot judge this", "Not my language", "The trace is broken")
FIELDS = {
    "failure_modes": "modes",
    "name": "new_mode",
    "slug": "new_mode",
    "severity": "severity",
    "eval_set": "eval_set",
}


def context(
    request: HttpRequest,
    loaded: LoadedTrace,
    page: dict[str, Any],
    form: ReviewForm | None = None,
) -> dict[str, Any]:
    """Return what the panel shows. `page` is the context around it; viewers get no form."""
    project = loaded.project
    trace_id = UUID(hex=loaded.summary.trace_id)
    user = request.user
    assert isinstance(user, User)  # noqa: S101 project_for let nobody else in
    place = page.get("place")
    fresh = place is not None and place.fresh
    given = [] if fresh else reviews.seen_by(user, project, trace_id)
    answers = run_querysets.of_trace(project, trace_id)
    shown: dict[str, Any] = {
        "reviews": given,
        "cases": [] if fresh else list(eval_sets.of_trace(project, trace_id)[:20]),
        "answered": [] if fresh else run_view.answered(answers[:ANSWERED]),
    }
    sealing = reviews.is_sealing(project, trace_id)
    shown |= trace_talk.context(request, project, trace_id, sealing=sealing)
    role = getattr(request, "role", None)
    if not permissions.allows(role, Role.REVIEWER):
        return shown | {"reviews": concealing.reviews(project, given)}
    sets = _sets(project)
    form = form or ReviewForm(project, initial=_initial(request, given, sets))
    return shown | {
        "form": form,
        "review_url": reverse("trace_review", args=[project.slug, loaded.summary.trace_id]),
        "modes": reviews.modes_with_use(project),
        "chosen_modes": form["modes"].value() or [],
        "eval_sets": sets,
        "kinds": CaseKind.choices,
        "verdict_choices": [(v, mark, KEYS[v]) for v, mark in marks.VERDICTS.items()],
        "recorded": _recorded(loaded),
        "sealing": sealing,
        "stays_sealed": sealing and reviews.stays_sealed(project, trace_id, user),
        "skip_reasons": SKIP_REASONS,
    }


@require_POST
def submit(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Take a verdict, promote the trace when asked, and go on to the next trace.

    What was wrong comes back as the panel, with 422; htmx swaps it, a plain form gets the page.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    loaded = trace_or_404(project, trace_id)
    form = ReviewForm(project, request.POST)
    if not form.is_valid() or not (done := _take(request, loaded, form)):
        return _refused(request, loaded, form)
    review, case = done
    said = f"Marked as {review.get_verdict_display().lower()}"
    if case is not None:
        said += f", kept as {case.case_id} of {case.eval_set.name}"
        if like := near.like(case):
            said += f", {like.percent}% the words of {like.of}"
    if review.sealed:
        said += ", sealed until all reviews are in"
    about = {"case": str(case.pk)} if case is not None else {}
    if request.POST.get("queue"):
        about["queue"] = request.POST["queue"]
    undo = links.with_query(reverse("review_withdraw", args=[slug, review.pk]), about)
    if request.headers.get("Accept") == "application/json":
        return JsonResponse({"said": said, "icon": review.verdict, "undo": undo})
    shell.toast(request, said, icon=review.verdict, undo=undo)
    return _go(request, _ours(request, "next", reverse("trace", args=[slug, trace_id])))


@require_POST
def withdraw(request: HttpRequest, slug: str, review_id: int) -> HttpResponse:
    """Take back an own review (admins: any), and the case that was made with it.

    Goes to its trace, to review it anew; with `stay` back to the page where it was asked.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    review = get_object_or_404(Review, project=project, pk=review_id)
    role = getattr(request, "role", None)
    if review.author_id != request.user.pk and not permissions.allows(role, Role.ADMIN):
        raise Http404("There is no such review of yours.")
    case_id = request.GET.get("case", "")
    with transaction.atomic():
        if review.withdrawn_at is None:
            actions.withdraw(review)
        case = Case.objects.filter(
            project=project,
            pk=int(case_id) if re.fullmatch("[0-9]{1,15}", case_id) else 0,
            source_trace_id=review.trace_id,
            removed_in=None,
        ).first()
        if case is not None:
            evals.remove_case(case.eval_set, case.number)
    shell.toast(request, "Taken back")
    page = reverse("trace", args=[slug, review.trace_id.hex])
    if request.GET.get("stay"):
        return shell.back(request, page)
    queue = request.GET.get("queue", "")
    return HttpResponseRedirect(links.with_query(page, {"queue": queue} if queue else {}))


def _take(
    request: HttpRequest, loaded: LoadedTrace, form: ReviewForm
) -> tuple[Review, Case | None] | None:
    """Do all that the form asks, or nothing: then the form says why."""
    try:
        with transaction.atomic():
            return _write(request, loaded, form)
    except ActionError as error:
        form.add_error(FIELDS.get(error.field or ""), str(error))  # None: of the form as a whole
        return None


def _write(
    request: HttpRequest, loaded: LoadedTrace, form: ReviewForm
) -> tuple[Review, Case | None]:
    project, data = loaded.project, form.cleaned_data
    trace_id = UUID(hex=loaded.summary.trace_id)
    if data["promote"] and reviews.is_sealing(project, trace_id):
        raise ActionError(promoting.BLIND, "")
    user = request.user
    assert isinstance(user, User)  # noqa: S101 project_for let nobody else in
    chosen = list(data["modes"])
    if data["new_mode"].strip():
        mode, _ = actions.create_mode(project, data["new_mode"], by=user)
        chosen.append(mode.slug)
    corrected, output = form.corrected_output()
    extra = {"corrected_output": output} if corrected else {}
    review, is_new = actions.submit_review(
        project,
        trace_id,
        data["verdict"],
        author=user,
        modes=chosen,
        severity=data["severity"],
        note=data["note"],
        submission=data["submission"],
        failing_span=data["failing_span"],
        took_ms=data["took_ms"],
        **extra,
    )
    if data["new_mode"].strip() and review.sealed:
        raise ActionError(
            "Others still review this trace, and a new mode would tell them what you saw. "
            "Write it as a note, and name it on the coding board when all reviews are in.",
            "name",
        )
    if is_new:
        measuring.note(review, request.POST.get("queue", ""), data["timing"])
    if not data["promote"]:
        return review, None
    if data["eval_set"] in ("", NEW_SET):
        chosen_set, _ = evals.create_set(project, data["new_set"])
    else:
        found = EvalSet.objects.filter(project=project, slug=data["eval_set"]).first()
        if found is None:
            raise ActionError("This project has no such eval set. Choose another.", "eval_set")
        chosen_set = found
    case, _ = promoting.promote_trace(chosen_set, loaded, kind=data["kind"])
    return review, case if is_new else None


def _refused(request: HttpRequest, loaded: LoadedTrace, form: ReviewForm) -> HttpResponse:
    loaded = concealing.shown(request, loaded)
    slug, trace_id = loaded.project.slug, loaded.summary.trace_id
    here = _ours(request, "here", reverse("trace", args=[slug, trace_id]))
    following = _ours(request, "next", "")
    page = {
        "trace": {"trace_id": trace_id},
        "here_url": here,
        "next_url": "" if following == here else following,
    }
    if request.headers.get("Accept") == "application/json":
        return JsonResponse(
            {"errors": [e for some in form.errors.values() for e in some]}, status=422
        )
    if (place := queue_place.place_of(request, loaded.project, UUID(hex=trace_id))) is not None:
        page |= queue_place.around(place)
    shown = page | context(request, loaded, page, form)
    if request.headers.get("HX-Request") == "true":
        return render(request, "trace/review.html", shown, status=422)
    return render(request, "trace/review_page.html", shown, status=422)


def _go(request: HttpRequest, url: str) -> HttpResponse:
    if request.headers.get("HX-Request") != "true":
        return HttpResponseRedirect(url)
    return HttpResponse(status=204, headers={"HX-Redirect": url})


def _ours(request: HttpRequest, field: str, otherwise: str) -> str:
    """Return a URL of the form if it stays on this host."""
    url = request.POST.get(field, "")
    safe = url_has_allowed_host_and_scheme(
        url, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return url if safe else otherwise


def _initial(request: HttpRequest, given: list[Review], sets: list[EvalSet]) -> dict[str, Any]:
    """Start from the person's own newest review, if there is one."""
    initial: dict[str, Any] = {
        "submission": ReviewForm.new_submission(),
        "kind": CaseKind.KNOWN_FAILURE,
        "eval_set": sets[0].slug if sets else NEW_SET,
    }
    mine = next((r for r in given if r.author_id == request.user.pk), None)
    if mine is None:
        return initial
    correction = mine.corrected_output if mine.has_correction else ""
    text = correction if isinstance(correction, str) else json.dumps(correction, indent=2)
    return initial | {
        "verdict": mine.verdict,
        "modes": [mode.slug for mode in mine.modes.all()],
        "severity": mine.severity,
        "note": mine.note,
        "corrected": text,
        "failing_span": mine.failing_span,
    }


def _sets(project: Project) -> list[EvalSet]:
    """The project's sets, the one changed last first, with the number of their draft."""
    found: list[Any] = list(eval_sets.sets(project).prefetch_related(None))
    for eval_set in found:
        eval_set.draft_number = eval_set.newest + 1
    found.sort(key=lambda s: s.last_changed or s.created_at, reverse=True)
    return found


def _recorded(loaded: LoadedTrace) -> str:
    """The output that a correction may start from, as text; empty if none or too long."""
    output = promotion.recorded_output(correction.corrected_span(loaded))
    if output is None:
        return ""
    text = output if isinstance(output, str) else json.dumps(output, indent=2, ensure_ascii=False)
    return text if len(text) <= RECORDED_AT_MOST else ""
