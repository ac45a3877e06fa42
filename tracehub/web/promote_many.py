"""Promotion of the selected traces: near-duplicates are shown first, and left out or kept."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from tracehub.evals import promoting, querysets
from tracehub.evals.models import CaseKind, EvalSet
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project
from tracehub.review import querysets as reviews
from tracehub.web import case_view, shell, undoing

KEEP = "keep"  # value of `near` that adds near-duplicates without asking


def promote(
    request: HttpRequest, project: Project, traces: Sequence[UUID], slug: str
) -> HttpResponse:
    """Add the traces to the draft of a set, or ask about those that are nearly the same.

    The answer names what was `shown`, and what of that to `keep`. Raises ActionError.
    """
    found = EvalSet.objects.select_related("project").filter(project=project, slug=slug).first()
    if found is None:
        raise ActionError(f"There is no eval set {slug!r} in this project.", "set")
    blind = reviews.sealing(project, traces)
    traces = [trace for trace in traces if trace not in blind]
    post = request.POST
    decided = post.get("near") == KEEP or "shown" in post
    near = [] if decided else promoting.near_duplicates(found, traces)
    if near:
        return _ask(request, found, traces, near)
    left_out = set(post.getlist("shown")) - set(post.getlist("keep"))
    kept = [trace for trace in traces if trace.hex not in left_out]
    _add(request, found, kept, len(traces) - len(kept), len(blind))
    return shell.back(request)


def _ask(
    request: HttpRequest, eval_set: EvalSet, traces: Sequence[UUID], near: list[promoting.Near]
) -> HttpResponse:
    rows = [
        {
            "trace": one.trace_id.hex,
            "title": case_view.input_line(one.content["title"], one.content["input"]),
            "kind": CaseKind(one.content["kind"]).label,
            "like": one.like,
            "earlier": one.earlier.hex if one.earlier else "",
        }
        for one in near
    ]
    context = {
        "set": eval_set,
        "draft": querysets.draft_number(eval_set),
        "rows": rows,
        "traces": [trace.hex for trace in traces],
        "others": len(traces) - len(rows),
        "talk": request.POST.get("talk", ""),
        "next": shell.back(request, reverse("traces", args=[eval_set.project.slug])).url,
    }
    return render(request, "evals/promote_many.html", context)


def _add(
    request: HttpRequest, eval_set: EvalSet, traces: Sequence[UUID], left_out: int, blind: int
) -> None:
    talk = bool(request.POST.get("talk"))
    added = promoting.add_all(eval_set, [promoting.Promotion(one, talk=talk) for one in traces])
    new = [case.pk for case, is_new in added if is_new]
    there = len(added) - len(new)
    text = f"{len(new)} {'case' if len(new) == 1 else 'cases'} added to the draft of {eval_set}"
    if there:
        text += f", {there} {'was' if there == 1 else 'were'} there already"
    if left_out:
        text += f", {left_out} left out"
    if blind:
        text += f", {blind} in a blind queue left out"
    page = reverse("evals_set", args=[eval_set.project.slug, eval_set.slug])
    back = undoing.url(request, eval_set.project, cases=new) if new else ""
    shell.toast(request, text, icon="evals", undo=back, link=("Open", page))
