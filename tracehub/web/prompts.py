"""The prompts pages: a record of what ran, version by version. Nothing is edited here."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.failures.models import Contract
from tracehub.failures.querysets import contracts
from tracehub.projects.models import Project
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import links, permissions, prompt_view
from tracehub.web.prompt_view import Version

SECONDS = 5.0  # that the numbers of one page may take


@require_GET
def prompt_list(request: HttpRequest, slug: str) -> HttpResponse:
    """Every prompt that was seen in a trace or sent by API."""
    project = permissions.project_for(request, slug)
    found = prompt_view.prompts(project, timezone.now())
    return render(request, "prompts/list.html", {"prompts": found})


@require_GET
def prompt_page(request: HttpRequest, slug: str, prompt: str) -> HttpResponse:
    """One prompt: a version beside the one before it, or beside the one that the URL names."""
    project = permissions.project_for(request, slug)
    now = timezone.now()
    versions = prompt_view.versions(project, prompt, now)
    if not versions:
        raise Http404("There is no such prompt in this project.")
    this, other = _chosen(versions, request.GET.get("version"), request.GET.get("against"))
    full = request.GET.get("view") == "full"
    context: dict[str, Any] = {
        "name": prompt,
        "this": this,
        "other": other,
        "full": full,
        "contracts": _contracts(project, prompt),
        "first": versions[0] is this,
        **prompt_view.urls(project, this, other),
    }
    _link(project, prompt, versions, this)
    context["versions"] = versions[::-1]
    context["views"] = _views(project, prompt, this, other)
    context["diff"] = prompt_view.diff(this.row, other.row if other else None, full=full)
    lines = context["diff"].get("lines", [])
    context["failures"] = prompt_view.first_seen(project, this.label, lines, now)
    context["runs"] = prompt_view.runs(project, this.label)
    try:
        with bounded(SECONDS):
            everyone = prompt_view.cohorts(project, f"{prompt}@*", now)
            prompt_view.served_now(versions, everyone, project, now)
            context["shares"] = prompt_view.shares(everyone, this)
            served = prompt_view.cohorts(project, this.label, now)
            context["stages"] = prompt_view.stages(served, context["shares"])
            if other is not None:
                context["compared"] = prompt_view.compared(project, this, other, now)
    except TooSlow:
        context["too_slow"] = True
    return render(request, "prompts/page.html", context)


def _chosen(
    versions: list[Version], wanted: str | None, against: str | None
) -> tuple[Version, Version | None]:
    """Return the version that the URL names, else the last; and the one to compare it with."""
    named = {version.row.version: version for version in versions}
    if wanted is not None and wanted not in named:
        raise Http404("There is no such version of this prompt.")
    this = named[wanted] if wanted is not None else versions[-1]
    at = versions.index(this)
    other = named.get(against or "", versions[at - 1] if at else None)
    return this, None if other is this else other


def _contracts(project: Project, name: str) -> list[Contract]:
    return [contract for contract in contracts(project) if contract.prompt == name]


def _link(project: Project, name: str, versions: list[Version], this: Version) -> None:
    base = reverse("prompt", args=[project.slug, name])
    for version in versions:
        version.url = links.with_query(base, {"version": version.row.version})
        version.current = version is this


def _views(
    project: Project, name: str, this: Version, other: Version | None
) -> list[tuple[str, str, bool]]:
    """Return word, URL and whether it is the full text."""
    base = reverse("prompt", args=[project.slug, name])
    keep = {"version": this.row.version} | ({"against": other.row.version} if other else {})
    return [
        ("Changes", links.with_query(base, keep), False),
        ("Full text", links.with_query(base, {**keep, "view": "full"}), True),
    ]
