"""Settings, Prices: a project's own prices, models nobody has a price of, and pricing anew."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from tracehub.core.cost import MAX_COST
from tracehub.core.steps import window
from tracehub.digest import repricing
from tracehub.digest.models import Repricing
from tracehub.metrics import querysets
from tracehub.projects import prices
from tracehub.projects.actions import ActionError
from tracehub.projects.models import ModelPrice, Project, Role
from tracehub.web import permissions
from tracehub.web.settings_pages import person
from tracehub.web.shell import toast

LOOKED_AT = timedelta(days=30)  # for models without a price
MOST_UNKNOWN = 20


def _other() -> forms.DecimalField:
    return forms.DecimalField(
        min_value=0, max_value=MAX_COST, max_digits=14, decimal_places=6, required=False
    )


class PriceForm(forms.Form):
    """A price in US dollars per million tokens."""

    model = forms.CharField(max_length=200, error_messages={"required": "Name the model."})
    valid_from = forms.DateField(error_messages={"required": "Say from which day it holds."})
    input = forms.DecimalField(min_value=0, max_value=MAX_COST, max_digits=14, decimal_places=6)
    output = forms.DecimalField(min_value=0, max_value=MAX_COST, max_digits=14, decimal_places=6)
    cached = _other()
    cache_write = _other()
    reasoning = _other()
    audio_input = _other()
    audio_output = _other()


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The prices of a project; all members may read them."""
    project = permissions.project_for(request, slug)
    model = request.GET.get("model", "")[:200]
    return render(request, "settings/prices.html", _context(project, typed={"model": model}))


def _context(project: Project, **more: Any) -> dict[str, Any]:
    job = Repricing.objects.filter(project=project).order_by("-pk").first()
    return {
        "prices": ModelPrice.objects.filter(project=project).order_by("model", "-valid_from"),
        "unknown": unknown(project),
        "job": job,
        "today": timezone.now().date().isoformat(),
        "typed": {},
        "problems": {},
        **more,
    }


def unknown(project: Project) -> list[tuple[str, int, int]]:
    """Return models that reported tokens and have no cost: name, calls, tokens; busiest first."""
    now = timezone.now()
    counters = ("calls", "own_input_tokens", "own_output_tokens", "own_cost")
    frame = window(now - LOOKED_AT, now, now=now)
    found = []
    for label, steps in querysets.read(project, frame, group="model", counters=counters).items():
        sums = querysets.added(steps.values())
        tokens = int(sums["own_input_tokens"]) + int(sums["own_output_tokens"])
        if label and tokens and not sums["own_cost"]:
            found.append((label, int(sums["calls"]), tokens))
    return sorted(found, key=lambda each: (-each[2], each[0]))[:MOST_UNKNOWN]


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Set a price, and price the calls since its day anew."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = PriceForm(request.POST)
    problems = {name: f"{name}: {' '.join(map(str, texts))}" for name, texts in form.errors.items()}
    if form.is_valid():
        given: dict[str, Any] = form.cleaned_data
        try:
            price = prices.set_price(project, by=person(request), **given)
        except ActionError as error:
            problems = {"all": str(error)}
        else:
            repricing.start(project, price.valid_from)
            toast(request, f"Price of {price.model} set. Stored calls are priced anew.")
            return _back(slug)
    shown = _context(project, typed=form.data, problems=problems)
    return render(request, "settings/prices.html", shown, status=422)


@require_POST
def remove(request: HttpRequest, slug: str, price_id: int) -> HttpResponse:
    """Forget a price, and price the calls that it covered anew."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    price = get_object_or_404(ModelPrice, project=project, pk=price_id)
    since, model = price.valid_from, price.model
    prices.remove_price(price, by=person(request))
    repricing.start(project, since)
    toast(request, f"Price of {model} removed. Stored calls are priced anew.")
    return _back(slug)


def _back(slug: str) -> HttpResponse:
    return HttpResponseRedirect(reverse("settings_prices", args=[slug]))
