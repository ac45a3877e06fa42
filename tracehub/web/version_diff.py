"""The page that says what changed between two versions of a set, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from tracehub.core.whole import whole_number
from tracehub.evals import querysets
from tracehub.evals.models import Case
from tracehub.projects.models import Project
from tracehub.web import case_view, evals, permissions, run_view, word_diff

SHOWN = 50  # cases on one page
WHATS = (("changed", "Changed"), ("added", "New"), ("removed", "Removed"))
TONES = {"changed": "unsure", "added": "pass", "removed": "fail"}


@dataclass(frozen=True, slots=True)
class Change:
    """A case that one version has otherwise than another; `rows` say how, when both have it."""

    case: Case
    what: str
    line: str
    rows: list[word_diff.Row]

    @property
    def tone(self) -> str:
        return TONES[self.what]

    @property
    def word(self) -> str:
        return dict(WHATS)[self.what]


@require_GET
def page(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """What changed from the version `from` to the version `to`: by default, the last step."""
    project = permissions.project_for(request, slug)
    after = evals.shown_version(project, set_slug, request.GET.get("to", ""))
    named = request.GET.get("from") or (str(after.number - 1) if after.number > 1 else "")
    before = evals.shown_version(project, set_slug, named) if named else after
    if before.number > after.number:
        before, after = after, before
    touched = querysets.touched(after.eval_set, before.number, after.number)
    counts = {what: 0 for what, _ in WHATS}
    for old, new in touched.values():
        counts[_what(old, new)] += 1
    only = request.GET.get("only", "")
    only = only if only in counts else ""
    numbers = [n for n, (old, new) in touched.items() if not only or only == _what(old, new)]
    first = whole_number(request.GET.get("after")) or 0
    listed = [number for number in numbers if number > first]
    context: dict[str, Any] = {
        "set": after.eval_set,
        "before": before,
        "after": after,
        "versions": [*(str(v.number) for v in after.eval_set.versions.all()[:50]), evals.DRAFT],
        "counts": [(what, word, counts[what]) for what, word in WHATS],
        "total": len(touched),
        "only": only,
        "changes": _changes(project, {n: touched[n] for n in listed[:SHOWN]}),
        "more": listed[SHOWN - 1] if len(listed) > SHOWN else None,
    }
    return render(request, "evals/diff.html", context)


def _what(old: int | None, new: int | None) -> str:
    return "added" if old is None else "removed" if new is None else "changed"


def _changes(project: Project, touched: dict[int, tuple[int | None, int | None]]) -> list[Change]:
    ids = [pk for pair in touched.values() for pk in pair if pk is not None]
    rows = Case.objects.filter(project=project).in_bulk(ids)
    found = []
    for old, new in touched.values():
        was, now = rows.get(old or 0), rows.get(new or 0)
        case = now or was
        if case is None:
            continue
        texts = [_lines(project, one) for one in (was, now) if one is not None]
        diff = word_diff.unified(*texts) if len(texts) == 2 else []
        line = case_view.input_line(case.title, case.input)
        found.append(Change(case, _what(old, new), line, diff if _differ(diff) else []))
    return found


def _lines(project: Project, case: Case) -> list[str]:
    """A case as lines of JSON, without what is empty."""
    content = querysets.content(case, project.slug)
    return run_view.lines_of({name: value for name, value in content.items() if value})


def _differ(rows: list[word_diff.Row]) -> bool:
    return any(row.kind in {"del", "ins"} for row in rows)
