"""Settings, Budgets: what a month may cost, what it costs so far, and what it will cost."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.budget import LEAST_DAYS, PAST_DAYS, month
from tracehub.metrics import budgets, querysets
from tracehub.metrics.budgets import State
from tracehub.metrics.models import Axis, Breach, Budget, Passed
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role
from tracehub.web import copy, permissions
from tracehub.web.settings_pages import person
from tracehub.web.shell import toast

_TONES = {Passed.SPENT: "fail", Passed.FORECAST: "unsure", None: "pass"}
_WORDS = {Passed.SPENT: "Passed", Passed.FORECAST: "Will be passed", None: "Within"}
_ICONS = {Passed.SPENT: "fail", Passed.FORECAST: "clock", None: "pass"}


class BudgetForm(forms.Form):
    """A budget of a calendar month in US dollars."""

    axis = forms.ChoiceField(choices=Axis.choices, required=False)
    value = forms.CharField(max_length=200, required=False)
    amount = forms.DecimalField(
        min_value=1,
        max_digits=14,
        decimal_places=2,
        error_messages={"required": "Say how many dollars a month may cost."},
    )


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The budgets of a project; all members may read them."""
    project = permissions.project_for(request, slug)
    return render(request, "settings/budgets.html", _context(project))


def _context(project: Project, **more: Any) -> dict[str, Any]:
    now = timezone.now()
    rows = Budget.objects.filter(project=project).select_related("project")
    return {
        "budgets": [_row(budgets.state(budget, now=now)) for budget in rows],
        "breaches": Breach.objects.filter(project=project).select_related("budget")[:12],
        "month": month(now)[0],
        "axes": Axis.choices,
        "prompts": querysets.newest_versions(project, most=50),
        "past_days": PAST_DAYS,
        "least_days": LEAST_DAYS,
        "typed": {},
        "problems": {},
        **more,
    }


def _row(state: State) -> dict[str, Any]:
    interval = state.forecast.interval
    return {
        "budget": state.budget,
        "amount": copy.money(state.budget.amount, whole=True),
        "spent": copy.money(state.spent, whole=True),
        "share": copy.rate(state.share),
        "width": f"{min(1.0, state.share) * 100:.1f}",
        "forecast": copy.money(state.forecast.middle, whole=True),
        "interval": interval and [copy.money(end, whole=True) for end in interval],
        "tone": _TONES[state.passed],
        "word": _WORDS[state.passed],
        "icon": _ICONS[state.passed],
    }


def told(project: Project, now: datetime) -> list[Breach]:
    """Return what was told of this month's budgets, the worst of each."""
    rows = Breach.objects.filter(project=project, month=month(now)[0].date())
    worst = {each.budget_id: each for each in rows.select_related("budget").order_by("at")}
    return list(worst.values())


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Set a budget, in place of an earlier one for the same."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = BudgetForm(request.POST)
    problems = {name: f"{name}: {' '.join(map(str, texts))}" for name, texts in form.errors.items()}
    if form.is_valid():
        try:
            budget = budgets.set_budget(project, **form.cleaned_data, by=person(request))
        except ActionError as error:
            problems = {"all": str(error)}
        else:
            toast(request, f"Budget set: {budget}, {copy.money(budget.amount, whole=True)} a month")
            return _back(slug)
    shown = _context(project, typed=form.data, problems=problems)
    return render(request, "settings/budgets.html", shown, status=422)


@require_POST
def remove(request: HttpRequest, slug: str, budget_id: int) -> HttpResponse:
    """Forget a budget."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    budget = get_object_or_404(Budget, project=project, pk=budget_id)
    budgets.remove_budget(budget, by=person(request))
    toast(request, f"Budget removed: {budget}")
    return _back(slug)


def _back(slug: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("settings_budgets", args=[slug]))
