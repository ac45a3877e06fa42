"""The page on which a trace becomes a case: what it will hold, what is masked, what it is like."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tracehub.core import cases, promotion
from tracehub.evals import actions, near, promoting, querysets
from tracehub.evals.models import CaseKind, EvalSet
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.review import querysets as reviews
from tracehub.web import case_view, permissions, shell, undoing
from tracehub.web.forms.evals import PromoteForm
from tracehub.web.loading import trace_or_404
from tracehub.web.trace_view.code import laid_out


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, slug: str, trace_id: str) -> HttpResponse:
    """Show the case that a trace would be; a POST with `do=add` adds it, else shows it changed."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    loaded = trace_or_404(project, trace_id)
    if reviews.is_sealing(project, UUID(hex=trace_id)):
        raise Http404("The trace is in a blind queue: keep it when all reviews are in.")
    sent = request.method == "POST"
    span_id = (request.POST if sent else request.GET).get("span") or None
    try:
        proposed = promoting.proposed(project, loaded, span_id=span_id)
    except ActionError as error:
        raise Http404(str(error)) from None
    sets = list(EvalSet.objects.filter(project=project)[:50])
    form = PromoteForm(sets, proposed, request.POST if sent else None, request.GET.dict())
    content, problem = proposed, ""
    if sent and form.is_valid():
        content = _changed(proposed, form)
        if request.POST.get("do") == "add":
            problem = _add(request, project, content, form)
            if not problem:
                return redirect("trace", slug=slug, trace_id=trace_id)
    return render(
        request,
        "evals/promote.html",
        _context(project, form, proposed, content, problem) | {"trace_id": trace_id},
        status=422 if problem or (sent and form.errors) else 200,
    )


def _changed(proposed: cases.Case, form: PromoteForm) -> cases.Case:
    """Return the case as the form wants it: its kind, the turns that are kept, another input."""
    data = form.cleaned_data
    content = {**proposed, "kind": data["kind"]}
    if data["turns"] and data["turns"] < promotion.turns(content):
        content = promotion.first_turns(content, data["turns"])
    elif data["asked"].strip():
        content = promotion.with_input(content, data["asked"])
    return promoting.without_personal(content)[0] if data["mask"] else content


def _add(request: HttpRequest, project: Project, content: cases.Case, form: PromoteForm) -> str:
    """Add the case and offer to take it back; return what stood against it."""
    data = form.cleaned_data
    try:
        if data["eval_set"]:
            eval_set = EvalSet.objects.get(project=project, slug=data["eval_set"])
        else:
            eval_set, _ = actions.create_set(project, data["new_set"])
        case, new = promoting.keep(eval_set, content)
    except ActionError as error:
        return str(error)
    made = {"cases": [case.pk]} if new else {}
    undo = undoing.url(request, project, **made) if new else ""
    text = f"Kept as {case.case_id} of {eval_set}" if new else f"{case.case_id} says the same"
    shell.toast(request, text, icon="evals", undo=undo, link=("Open", _case_url(case, eval_set)))
    return ""


def _case_url(case: Any, eval_set: EvalSet) -> str:
    args = [eval_set.project.slug, eval_set.slug, case.case_id]
    return f"{reverse('evals_case', args=args)}?version=draft"


def _context(
    project: Project, form: PromoteForm, proposed: cases.Case, content: cases.Case, problem: str
) -> dict[str, Any]:
    eval_set = next((s for s in form.sets if s.slug == form["eval_set"].value()), None)
    masked, hits = promoting.without_personal(content)
    shown = masked if form["mask"].value() else content
    alike = near.alike(eval_set, [(0, shown)]).get(0) if eval_set else None
    turns = promotion.turns(proposed)
    return {
        "form": form,
        "problem": problem,
        "content": content,
        "title": case_view.input_line(content["title"], content["input"]),
        "messages": case_view.messages(shown["input"]),
        "variables": laid_out(shown["input"]["variables"]) if shown["input"]["variables"] else None,
        "outputs": [
            (title, laid_out(value) if not isinstance(value, str) else None, value)
            for title, value in (
                ("Expected output", shown["expected_output"]),
                ("Recorded output", shown["recorded_output"]),
            )
        ],
        "assertions": [case_view.assertion_line(a) for a in content["assertions"]],
        "hits": sorted(hits.items()),
        "turn_choices": range(turns, 0, -1) if turns > 1 else (),
        "turns": turns,
        "kinds": CaseKind.choices,
        "like": alike,
        "chosen_set": eval_set,
        "draft": querysets.draft_number(eval_set) if eval_set else 1,
        "recorded_calls": len(content["tool_calls"]["recorded"]),
    }
