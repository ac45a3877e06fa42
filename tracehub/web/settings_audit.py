"""Settings: the audit log of a project, to read and to keep. Only admins see it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_GET

from tracehub.core.exports.csv_table import safe_cell
from tracehub.core.whole import whole_number
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry, Project, Role
from tracehub.web import permissions
from tracehub.web.settings_pages import person

PAGE = 100
MOST_LINES = 50_000  # of one file; an older part comes with ?before=
HEAD = ("id", "at", "actor", "address", "action", "object", "detail")


@require_GET
def page(request: HttpRequest, slug: str) -> HttpResponse:
    """The newest entries; `before` is the id that older ones come before."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    found = list(_entries(project, request.GET.get("before", ""))[: PAGE + 1])
    older = found[PAGE - 1].pk if len(found) > PAGE else None
    shown = [(entry, list(_told(entry.detail))) for entry in found[:PAGE]]
    return render(request, "settings/audit.html", {"entries": shown, "older": older})


@require_GET
def export(request: HttpRequest, slug: str) -> HttpResponse:
    """The log as CSV, newest first; the export itself becomes an entry."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    name = f"audit-{project.slug}-{timezone.now():%Y-%m-%d}.csv"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = csv.writer(answer)
    writer.writerow(HEAD)
    count = 0
    for entry in _entries(project, request.GET.get("before", ""))[:MOST_LINES]:
        detail = json.dumps(entry.detail, ensure_ascii=False)
        line = (entry.pk, entry.at.isoformat(), entry.actor, entry.address or "", entry.action,
                entry.object, detail)  # fmt: skip
        writer.writerow([safe_cell(value) for value in line])
        count += 1
    actions.audit("audit.exported", by=person(request), project=project, count=count)
    return answer


@require_GET
def export_lines(request: HttpRequest, slug: str) -> HttpResponse:
    """The log as JSON lines with exact values, newest first; the export becomes an entry too."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    found = _entries(project, request.GET.get("before", ""))[:MOST_LINES].values(*HEAD)
    lines = [json.dumps(entry, ensure_ascii=False, default=_plain) for entry in found]
    answer = HttpResponse("".join(f"{line}\n" for line in lines), content_type="application/jsonl")
    name = f"audit-{project.slug}-{timezone.now():%Y-%m-%d}.jsonl"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    actions.audit("audit.exported", by=person(request), project=project, count=len(lines))
    return answer


def _plain(value: datetime) -> str:
    return value.isoformat()


def _entries(project: Project, before: str) -> Any:
    entries = AuditEntry.objects.filter(project=project).order_by("-id")
    number = whole_number(before)
    return entries.filter(pk__lt=number) if number else entries


def _told(detail: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Name and value of each fact of an entry, short."""
    facts: Iterable[tuple[str, Any]] = detail.items()
    for name, value in facts:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield name, text[:200]
