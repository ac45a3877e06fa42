"""Settings: what is masked before a trace is stored, tried on stored traces first."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_POST

from tracehub.core.mask import Masker
from tracehub.digest.remasking import work as remasking
from tracehub.projects import masking
from tracehub.projects.actions import ActionError
from tracehub.projects.models import MaskRule, Project, Role
from tracehub.traces.models import Trace
from tracehub.traces.reading import LoadedTrace, load
from tracehub.web import permissions
from tracehub.web.forms.settings import MaskForm
from tracehub.web.settings_pages import back_to, context, person, refused
from tracehub.web.shell import toast

TRIED_TRACES = 200
TRIED_SECONDS = 3.0
SHOWN = 400  # characters of the example


@dataclass
class DryRun:
    """What a rule would have masked in the newest traces."""

    name: str
    traces: int = 0
    values: int = 0
    hit: int = 0  # traces with something to mask
    seconds: float = 0.0
    example: list[str] = field(default_factory=list)  # text, placeholder, text, ...
    example_trace: str = ""


@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Add a rule, or with `try` show what it would have masked."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    form = MaskForm(request.POST)
    if not form.is_valid():
        return refused(request, project, "masking", form)
    given = form.cleaned_data
    try:
        masking.check(given["kind"], given["pattern"], given["within"])
        if "try" in request.POST:
            found = dry_run(project, form.chosen())
            shown = context(request, project, dry_run=found, typed={"masking": form.data})
            return render(request, "settings/page.html", shown)
        rule = masking.add_rule(project, **given, by=person(request))
    except ActionError as error:
        return refused(request, project, "masking", form, str(error))
    toast(request, f"{rule.name} is masked from now on", icon="eyeoff")
    return back_to(project, "masking")


@require_POST
def turn(request: HttpRequest, slug: str, rule_id: int) -> HttpResponse:
    """Turn a rule on or off."""
    rule = _rule(request, slug, rule_id)
    masking.turn(rule, request.POST.get("on") == "1", by=person(request))
    toast(request, f"{rule.name} turned {'on' if rule.on else 'off'}", icon="eyeoff")
    return back_to(rule.project, "masking")


@require_POST
def remove(request: HttpRequest, slug: str, rule_id: int) -> HttpResponse:
    """Remove a rule."""
    rule = _rule(request, slug, rule_id)
    masking.remove(rule, by=person(request))
    toast(request, f"{rule.name} removed", icon="eyeoff")
    return back_to(rule.project, "masking")


@require_POST
def stored(request: HttpRequest, slug: str) -> HttpResponse:
    """Mask the traces that are stored already by the rules of now."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    remasking.start(project, by=person(request))
    toast(request, "Stored traces are being masked", icon="eyeoff")
    return back_to(project, "masking")


def _rule(request: HttpRequest, slug: str, rule_id: int) -> MaskRule:
    project = permissions.project_for(request, slug, Role.ADMIN)
    rules = MaskRule.objects.select_related("project")
    return get_object_or_404(rules, project=project, pk=rule_id)


def dry_run(project: Project, rule: masking.Chosen) -> DryRun:
    """Try one rule on the newest traces, for TRIED_SECONDS at most."""
    found = DryRun(rule.name)
    masker = masking.masker(project.pk, (rule,))
    began = time.monotonic()
    for row in Trace.objects.filter(project_id=project.pk).order_by("-started_at")[:TRIED_TRACES]:
        if time.monotonic() - began > TRIED_SECONDS:
            break
        trace = load(project, row.trace_id)
        if trace is None:
            continue
        counts: Counter[str] = Counter()
        for span in trace.spans:
            sent = span.attributes or [span.input, span.output, span.context]
            counts += masker.mask(sent).counts
        found.traces += 1
        found.values += counts[rule.name]
        found.hit += counts[rule.name] > 0
        if counts[rule.name] and not found.example:
            found.example_trace = row.hex
            found.example = _example(masker, rule.name, _texts(trace))
    found.seconds = time.monotonic() - began
    return found


def _example(masker: Masker, name: str, texts: list[str]) -> list[str]:
    for text in texts:
        counts: Counter[str] = Counter()
        masked = masker.text(text, counts)
        if counts[name]:
            at = max(0, masked.index(f"[masked:{name}]") - SHOWN // 2)
            return masked[at : at + SHOWN].split(f"[masked:{name}]")
    return []


def _texts(trace: LoadedTrace) -> list[str]:
    row = trace.row
    previews = [row.input_preview, row.output_preview] if row else []
    sent = [value for span in trace.spans for value in span.attributes.values()]
    return [text for text in [*previews, *sent] if isinstance(text, str)]
