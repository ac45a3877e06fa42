"""The eval set pages: all sets, one set in one version, one case; and what changes them."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django.views.decorators.vary import vary_on_headers

from tracehub.core import exports
from tracehub.evals import actions, promoting, querysets
from tracehub.evals.models import CaseKind, EvalSet
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, Role, User
from tracehub.review import querysets as reviews
from tracehub.review.models import FailureMode
from tracehub.traces import reading
from tracehub.web import case_view, links, permissions, runs, shell
from tracehub.web.forms.evals import FixForm, NewSetForm
from tracehub.web.trace_view.code import laid_out

PAGE = 100
DRAFT = "draft"
_CASE_ID = re.compile(r"c_([0-9]{4,9})")


@dataclass(slots=True, frozen=True)
class Shown:
    """The version of a set that a page is about. `fixed` says that it never changes."""

    eval_set: EvalSet
    number: int
    fixed: bool

    @property
    def param(self) -> str:
        return str(self.number) if self.fixed else DRAFT

    @property
    def label(self) -> str:
        return f"v{self.number}" if self.fixed else f"v{self.number} draft"


@require_http_methods(["GET", "HEAD", "POST"])
def set_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The sets of a project; a POST makes one and opens it."""
    making = request.method == "POST"
    project = permissions.project_for(request, slug, Role.REVIEWER if making else Role.VIEWER)
    form = NewSetForm(request.POST if making else None)
    if making and form.is_valid():
        data = form.cleaned_data
        try:
            made, _ = actions.create_set(project, data["name"], description=data["description"])
        except ActionError as error:
            form.add_error("name", str(error))
        else:
            return redirect("evals_set", slug=slug, set_slug=made.slug)
    context = {"sets": querysets.sets(project), "form": form}
    return render(request, "evals/list.html", context, status=422 if form.errors else 200)


@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def set_page(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """One set in one version, its cases by kind; or only the next rows of the table."""
    project = permissions.project_for(request, slug)
    shown = shown_version(project, set_slug, request.GET.get("version", ""))
    kind = request.GET.get("kind", "")
    kind = kind if kind in CaseKind.values else ""
    mode = request.GET.get("mode", "")
    context: dict[str, Any] = {"set": shown.eval_set, "shown": shown, "kind": kind, "mode": mode}
    context |= _rows(shown, kind, mode, request.GET.get("after", ""))
    panel: dict[str, Any] = runs.panel_of(shown.eval_set, shown.number) if shown.fixed else {}
    if panel:
        runs.add_pips(context["rows"], panel["recent"])
    if request.headers.get("HX-Request") == "true" and context["after"]:
        return render(request, "evals/rows.html", context)
    context |= _counts(shown, kind) | _coverage(project, shown) | _versions(shown) | panel
    return render(request, "evals/set.html", context)


@require_GET
def case_page(request: HttpRequest, slug: str, set_slug: str, case_id: str) -> HttpResponse:
    """One case of a version: input, context, calls, expected output, assertions."""
    project = permissions.project_for(request, slug)
    shown = shown_version(project, set_slug, request.GET.get("version", DRAFT))
    number = _case_number(case_id)
    case = querysets.in_version(shown.eval_set, shown.number).filter(number=number).first()
    if case is None:
        raise Http404("This version has no such case.")
    outputs = [
        (title, laid_out(value) if not isinstance(value, str) else None, value)
        for title, value in (
            ("Expected output", case.expected_output),
            ("Recorded output", case.recorded_output),
        )
    ]
    names = _mode_names(project, case.failure_modes)
    context = {
        "set": shown.eval_set,
        "shown": shown,
        "case": case,
        "source_here": bool(reading.known(project, filter(None, [case.source_trace_id]))),
        "title": case_view.input_line(case.title, case.input),
        "messages": case_view.messages(case.input),
        "variables": laid_out(case.input["variables"]) if case.input.get("variables") else None,
        "outputs": outputs,
        "assertions": [case_view.assertion_line(a) for a in case.assertions],
        "recorded_calls": [
            (call.get("name"), laid_out(call.get("arguments")), laid_out(call.get("result")))
            for call in (case.tool_calls.get("recorded") or [])[:PAGE]
        ],
        "history": runs.history_of(shown.eval_set, number),
        "modes": [names.get(slug, slug) for slug in case.failure_modes],
    }
    return render(request, "evals/case.html", context)


@require_POST
def fix(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """Fix the draft as the next version."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    eval_set = _set(project, set_slug)
    form = FixForm(request.POST)
    user = request.user if isinstance(request.user, User) else None
    try:
        note = form.cleaned_data["note"] if form.is_valid() else ""
        version = actions.fix(eval_set, note=note, by=user)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
        return redirect(_set_url(project, set_slug, DRAFT))
    shell.toast(request, f"Fixed as v{version.number}. It never changes now.", icon="lock")
    return redirect(_set_url(project, set_slug, str(version.number)))


@require_POST
def remove(request: HttpRequest, slug: str, set_slug: str, case_id: str) -> HttpResponse:
    """Take a case out of the draft; the toast brings it back."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    return _change(request, project, set_slug, case_id, bring_back=False)


@require_POST
def restore(request: HttpRequest, slug: str, set_slug: str, case_id: str) -> HttpResponse:
    """Bring a removed case back into the draft."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    return _change(request, project, set_slug, case_id, bring_back=True)


@require_GET
def export(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """The cases of a version as a file of the format asked for; drafts too, as their page says."""
    project = permissions.project_for(request, slug)
    shown = shown_version(project, set_slug, request.GET.get("version", ""))
    try:
        fmt = exports.find(request.GET.get("format", "native"))
        bundle = querysets.bundle(shown.eval_set, shown.number)
        masks = bool(request.GET.get("mask"))
        made = exports.download(fmt, promoting.masked_bundle(bundle) if masks else bundle)
    except exports.ExportError as error:
        shell.toast(request, str(error), icon="failures")
        return redirect(_set_url(project, set_slug, shown.param))
    user = request.user if isinstance(request.user, User) else None
    audit(
        "evalset.exported",
        by=user,
        project=project,
        object=f"{shown.eval_set.slug}@{shown.param}",
        format=fmt.name,
        masked=masks,
    )
    answer = HttpResponse(made.body, content_type=made.media_type)
    # The name is made of a slug and a number, so it needs no quoting.
    name = made.filename if shown.fixed else made.filename.replace(".", "-draft.", 1)
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _set(project: Project, set_slug: str) -> EvalSet:
    return get_object_or_404(
        EvalSet.objects.select_related("project"), project=project, slug=set_slug
    )


def shown_version(project: Project, set_slug: str, wanted: str) -> Shown:
    """Return the version asked for; the newest fixed one, else the draft, when none is named."""
    eval_set = _set(project, set_slug)
    newest = querysets.newest_version(eval_set)
    if wanted == DRAFT or (not wanted and not newest):
        return Shown(eval_set, newest + 1, fixed=False)
    number = int(wanted) if re.fullmatch("[0-9]{1,6}", wanted) else newest if not wanted else 0
    if not 1 <= number <= newest:
        raise Http404("The set has no such version.")
    return Shown(eval_set, number, fixed=True)


def _case_number(case_id: str) -> int:
    found = _CASE_ID.fullmatch(case_id)
    if found is None:
        raise Http404("A case id looks like c_0001.")
    return int(found[1])


def _set_url(project: Project, set_slug: str, version: str) -> str:
    path = reverse("evals_set", args=[project.slug, set_slug])
    return links.with_query(path, {"version": version})


def _change(
    request: HttpRequest, project: Project, set_slug: str, case_id: str, *, bring_back: bool
) -> HttpResponse:
    eval_set, number = _set(project, set_slug), _case_number(case_id)
    args = [project.slug, set_slug, case_id]
    try:
        if bring_back:
            actions.restore_case(eval_set, number)
            shell.toast(request, f"{case_id} is back in the draft")
        else:
            actions.remove_case(eval_set, number)
            undo = reverse("evals_restore", args=args)
            shell.toast(request, f"Removed {case_id} from the draft", undo=undo)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    return shell.back(request, _set_url(project, set_slug, DRAFT))


def _rows(shown: Shown, kind: str, mode: str, after: str) -> dict[str, Any]:
    """A page of cases of a kind and a failure mode, in order of their ids, after the one named."""
    start = int(after) if re.fullmatch("[0-9]{1,9}", after) else 0
    rows = querysets.in_version(shown.eval_set, shown.number).filter(number__gt=start)
    rows = rows.filter(kind=kind) if kind else rows
    rows = rows.filter(failure_modes__contains=[mode]) if mode else rows
    wide = ("context", "tool_calls", "recorded_output", "parameters")
    found: list[Any] = list(rows.defer(*wide)[: PAGE + 1])
    names = _mode_names(shown.eval_set.project, {m for c in found for m in c.failure_modes})
    for case in found:
        case.line = case_view.input_line(case.title, case.input)
        case.expects = case_view.expected_line(
            case.expected_output, case.assertions, format_only=case.kind == CaseKind.FORMAT
        )
        case.modes = [names.get(slug, slug) for slug in case.failure_modes]
        case.initials = case.reviewer[:2].upper()  # of an e-mail address, or of a key's prefix
    more = found[PAGE - 1].number if len(found) > PAGE else None
    return {"rows": found[:PAGE], "more": more, "after": start}


def _counts(shown: Shown, kind: str) -> dict[str, Any]:
    rows = querysets.in_version(shown.eval_set, shown.number)
    by_kind = dict(rows.order_by().values_list("kind").annotate(n=Count("*")))
    total = sum(by_kind.values())
    kinds = [(value, label, by_kind.get(value, 0)) for value, label in CaseKind.choices]
    return {"total": total, "listed": by_kind.get(kind, 0) if kind else total, "kinds": kinds}


def _coverage(project: Project, shown: Shown) -> dict[str, Any]:
    """Which failure modes the version has cases for, and which happen but have none."""
    cases = Counter(querysets.cases_per_mode(shown.eval_set, shown.number))
    modes: list[Any] = reviews.modes_with_use(project)
    most = max(cases.values(), default=1)
    covered = [
        {"name": m.name, "cases": cases[m.slug], "width": f"{cases[m.slug] / most * 100:.0f}%"}
        for m in modes
        if cases[m.slug]
    ]
    covered.sort(key=lambda m: -m["cases"])
    missing = sorted((m for m in modes if not cases[m.slug]), key=lambda m: -m.used)
    return {"covered": covered, "missing": missing, "mode_count": len(modes)}


def _versions(shown: Shown) -> dict[str, Any]:
    fixed = list(shown.eval_set.versions.select_related("fixed_by")[:50])
    current = next((v for v in fixed if v.number == shown.number), None) if shown.fixed else None
    changes = querysets.draft_changes(shown.eval_set)
    return {
        "versions": fixed,
        "current": current,
        "draft_number": (fixed[0].number if fixed else 0) + 1,
        "changes": changes,
        "formats": exports.FORMATS.values(),
        "removed": [] if shown.fixed else list(querysets.removed_from_draft(shown.eval_set)[:20]),
    }


def _mode_names(project: Project, slugs: Any) -> dict[str, str]:
    if not slugs:
        return {}
    modes = FailureMode.objects.filter(project=project, slug__in=list(slugs))
    return dict(modes.values_list("slug", "name"))
