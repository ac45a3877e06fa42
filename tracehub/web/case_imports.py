"""Files of cases into the draft of a set: choose, look at what was read, add, undo."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from tracehub.core import cases
from tracehub.evals import importing, near, querysets
from tracehub.evals.models import CaseImport, CaseKind, EvalSet
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.web import case_view, links, permissions, shell

SHOWN = 100  # cases and problems listed
FORMATS = (
    "CSV, JSONL, Parquet, OpenAI JSONL, promptfoo tests, Inspect samples, DeepEval goldens, "
    "LangSmith, Langfuse, Braintrust, MLflow, Phoenix"
)


@dataclass(slots=True)
class Line:
    """A case as the preview lists it."""

    number: int
    kind: str
    title: str
    expects: str
    like: near.Like | None


@require_http_methods(["GET", "HEAD", "POST"])
def choose(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """Take a file, or text pasted, and go on to what was read in it."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    eval_set, user, wrong = _set(project, set_slug), request.user, ""
    if request.method == "POST" and isinstance(user, User):
        name, data = _sent(request)
        try:
            kept = importing.read(eval_set, name, data, by=user)
        except ActionError as error:
            wrong = str(error)
        else:
            return redirect("evals_import_preview", slug, set_slug, kept.pk)
    context = {
        "set": eval_set,
        "draft": querysets.draft_number(eval_set),
        "wrong": wrong,
        "formats": FORMATS,
        "most": importing.MAX_LINES,
        "megabytes": importing.MAX_BYTES // 2**20,
        "pasted": request.POST.get("pasted", ""),
    }
    return render(request, "evals/import.html", context, status=422 if wrong else 200)


@require_http_methods(["GET", "HEAD", "POST"])
def preview(request: HttpRequest, slug: str, set_slug: str, import_id: int) -> HttpResponse:
    """Show what was read, bad lines and near-duplicates; a POST adds the cases."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    kept, user = _import(project, set_slug, import_id), request.user
    if kept.added_at is not None:
        return redirect("evals_set", slug=slug, set_slug=set_slug)
    if request.method == "POST" and isinstance(user, User):
        return _add(request, kept, user)
    alike = near.alike(kept.eval_set, kept.contents)
    # What is like another comes first: that is what there is to decide.
    ordered = sorted(kept.contents, key=lambda pair: pair[0] not in alike)
    context = {
        "set": kept.eval_set,
        "draft": querysets.draft_number(kept.eval_set),
        "kept": kept,
        "total": len(kept.contents),
        "alike": len(alike),
        "lines": [_line(number, case, alike.get(number)) for number, case in ordered[:SHOWN]],
        "problems": [
            (line, field or "line", message) for line, field, message in kept.problems[:SHOWN]
        ],
        "formats": kept.about["formats"].items(),
        "untaken": kept.about["untaken"].items(),
        "shown": SHOWN,
    }
    return render(request, "evals/import_preview.html", context)


@require_POST
def undo(request: HttpRequest, slug: str, set_slug: str, import_id: int) -> HttpResponse:
    """Take the cases of an import out of the draft."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    removed = importing.undo(_import(project, set_slug, import_id))
    shell.toast(request, f"Took {_cases(removed)} out of the draft", icon="undo")
    return redirect(_draft(slug, set_slug))


def _add(request: HttpRequest, kept: CaseImport, user: User) -> HttpResponse:
    slug, set_slug = kept.project.slug, kept.eval_set.slug
    skip = near.alike(kept.eval_set, kept.contents) if request.POST.get("skip") else {}
    asked = len(kept.contents) - len(skip)
    try:
        new = importing.add(kept, without=skip, by=user)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return redirect("evals_import_preview", slug, set_slug, kept.pk)
    text = f"{_cases(new)} added to the draft of {kept.eval_set}"
    if asked > new:
        text += f", {asked - new} there already"
    back = reverse("evals_import_undo", args=[slug, set_slug, kept.pk]) if new else ""
    shell.toast(request, text, icon="evals", undo=back)
    return redirect(_draft(slug, set_slug))


def _sent(request: HttpRequest) -> tuple[str, bytes]:
    file = request.FILES.get("file")
    if file is not None and file.size:
        most = importing.MAX_BYTES + 1  # `importing.read` refuses what is over
        return str(file.name), file.read(most)
    return "pasted text", request.POST.get("pasted", "").encode()


def _line(number: int, case: cases.Case, like: near.Like | None) -> Line:
    return Line(
        number=number,
        kind=str(dict(CaseKind.choices)[case["kind"]]),
        title=case_view.input_line(case["title"], case["input"]),
        expects=case_view.expected_line(
            case["expected_output"], case["assertions"], format_only=case["kind"] == "format"
        ),
        like=like,
    )


def _cases(count: int) -> str:
    return f"{count} {'case' if count == 1 else 'cases'}"


def _draft(slug: str, set_slug: str) -> str:
    path = reverse("evals_set", args=[slug, set_slug])
    return links.with_query(path, {"version": "draft"})


def _set(project: Project, set_slug: str) -> EvalSet:
    return get_object_or_404(
        EvalSet.objects.select_related("project"), project=project, slug=set_slug
    )


def _import(project: Project, set_slug: str, import_id: int) -> CaseImport:
    rows: Any = CaseImport.objects.select_related("eval_set__project", "project")
    found: CaseImport = get_object_or_404(
        rows, project=project, eval_set__slug=set_slug, pk=import_id
    )
    return found
