"""The judge of a failure mode: its rubric, how far it agrees with people, and its runs."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.cost import price
from tracehub.core.trace import Tokens
from tracehub.projects import judge_endpoint
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Role
from tracehub.projects.prices import overrides
from tracehub.review import alignment, judge_runs
from tracehub.review import querysets as reviews
from tracehub.review.judging import Judge
from tracehub.review.models import FailureMode, JudgeRun, Rubric, Verdict
from tracehub.web import permissions, shell
from tracehub.web.forms.judge import RubricForm, RunForm
from tracehub.web.queues import person

SHOWN = 10
MISSED = 20
DEFAULT_MOST = 200


@require_GET
def page(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """The rubric, both halves against people, the corrected rate, and the last runs."""
    return _page(request, _mode(request, slug, mode_slug, Role.REVIEWER))


@require_POST
def rubric(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Keep what the judge looks for."""
    mode = _mode(request, slug, mode_slug, Role.ADMIN)
    form = RubricForm(request.POST)
    if not form.is_valid():
        return _page(request, mode, rubric_form=form)
    kept = judge_runs.save_rubric(mode, form.cleaned_data["text"], by=person(request))
    shell.toast(request, f"Rubric {kept.version} kept")
    return redirect("review_judge", slug=slug, mode_slug=mode_slug)


@require_POST
def run(request: HttpRequest, slug: str, mode_slug: str) -> HttpResponse:
    """Start a run."""
    mode = _mode(request, slug, mode_slug, Role.ADMIN)
    form = RunForm(request.POST)
    if form.is_valid():
        data = form.cleaned_data
        try:
            judge_runs.start(
                mode, data["scope"], by=person(request), cap=data["cap"], q=data["q"],
                most=data["most"] or DEFAULT_MOST, share=data["share"] or 100,
            )  # fmt: skip
            shell.toast(request, "The judge is at work")
            return redirect("review_judge", slug=slug, mode_slug=mode_slug)
        except ActionError as error:
            form.add_error(error.field if error.field in form.fields else None, str(error))
    return _page(request, mode, run_form=form)


@require_POST
def stop(request: HttpRequest, slug: str, mode_slug: str, run_id: int) -> HttpResponse:
    """Ask no more."""
    mode = _mode(request, slug, mode_slug, Role.ADMIN)
    judge_runs.stop(get_object_or_404(JudgeRun, mode=mode, pk=run_id), by=person(request))
    shell.toast(request, "Stopped. What was answered stays.")
    return redirect("review_judge", slug=slug, mode_slug=mode_slug)


def _page(
    request: HttpRequest,
    mode: FailureMode,
    *,
    rubric_form: RubricForm | None = None,
    run_form: RunForm | None = None,
) -> HttpResponse:
    kept = Rubric.objects.filter(mode=mode).first()
    endpoint = judge_endpoint.configured()
    runs = JudgeRun.objects.filter(mode=mode).select_related("by").annotate(
        size=Count("tasks"),
        done=Count("tasks", filter=~Q(tasks__done_at=None)),
        failing=Count("tasks", filter=Q(tasks__fails=True)),
        silent=Count("tasks", filter=~Q(tasks__error="")),
        why=Max("tasks__error"),
    )  # fmt: skip
    found = alignment.alignment(mode, kept) if kept else None
    context: dict[str, Any] = {
        "mode": mode,
        "missed": _missed(mode, found.dev) if found and found.dev else [],
        "halves": [("Dev", _half(found.dev)), ("Test", _half(found.test))] if found else [],
        "rubric": kept,
        "endpoint": endpoint,
        "priced": endpoint is not None and _priced(mode.project_id, endpoint.model),
        "found": found,
        "runs": list(runs.order_by("-pk")[:SHOWN]),
        "rubric_form": rubric_form or RubricForm(initial={"text": kept.text if kept else ""}),
        "run_form": run_form or RunForm(initial={"scope": JudgeRun.Scope.DEV, "cap": "1.00"}),
    }
    wrong = any(form is not None and form.errors for form in (rubric_form, run_form))
    return render(request, "review/judge.html", context, status=422 if wrong else 200)


def _missed(mode: FailureMode, judge: Judge) -> list[dict[str, Any]]:
    """Return the first traces to read: what the judge and what people say of them."""
    shown = judge.missed[:MISSED]
    titles = reviews.titles(mode.project, shown)
    said = {True: Verdict.FAIL.value, False: Verdict.PASS.value}
    return [
        {
            "trace": trace, "title": titles.get(trace, ""),
            "judge": said[trace in judge.alarms], "people": said[trace not in judge.alarms],
        }
        for trace in shown
    ]  # fmt: skip


def _half(judge: Judge | None) -> dict[str, Any] | None:
    return {"judge": judge, "shares": [judge.caught, judge.cleared]} if judge else None


def _priced(project_id: int, model: str) -> bool:
    known = price(model, None, Tokens(1, 1), timezone.now(), overrides(project_id))
    return known is not None


def _mode(request: HttpRequest, slug: str, mode_slug: str, role: str) -> FailureMode:
    project = permissions.project_for(request, slug, role)
    rows = FailureMode.objects.select_related("project")
    return get_object_or_404(rows, project=project, slug=mode_slug)
