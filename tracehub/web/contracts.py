"""The contracts pages: those in force, and an editor that tries a draft on past outputs first."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from tracehub.core.contracts import checking, inference
from tracehub.core.contracts.bounds import ContractError
from tracehub.core.contracts.layout import pretty
from tracehub.core.query import parse
from tracehub.core.query.tree import Pattern
from tracehub.core.trace import Json
from tracehub.digest import recheck
from tracehub.failures import actions, querysets
from tracehub.failures.models import Contract
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.traces import facets
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.web import contract_draft, contract_trial, links, permissions, shell
from tracehub.web.contract_draft import Draft
from tracehub.web.contract_trial import DAYS

INFERRED = 200
SECONDS = 1.0  # that counting the traces of a prompt or span may take


@require_GET
def contract_list(request: HttpRequest, slug: str) -> HttpResponse:
    """The contracts in force."""
    project = permissions.project_for(request, slug)
    name = request.GET.get("name", "").strip()
    if name and actions.NAME.fullmatch(name):
        found = {key: request.GET.get(key, "").strip()[:200] for key in ("prompt", "span")}
        path = reverse("contract", args=[slug, name])
        return redirect(links.with_query(path, {k: v for k, v in found.items() if v}))
    context = {"contracts": querysets.contracts(project), "wrong": bool(name)}
    return render(request, "contracts/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def contract_page(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """A contract with its editor; a POST tries the draft, mends it, or publishes it."""
    posting = request.method == "POST"
    project = permissions.project_for(request, slug, Role.ADMIN if posting else Role.VIEWER)
    if not actions.NAME.fullmatch(name):
        raise Http404("There is no such contract in this project.")
    versions = querysets.versions_of(project, name)
    newest = versions[0] if versions else None
    draft = (
        contract_draft.posted(request, name)
        if posting
        else _opened(request, project, name, versions)
    )
    act = request.POST.get("act", "") if posting else ""
    trial = None
    if act == "publish":
        if _publish(request, project, draft):
            return redirect(reverse("contract", args=[slug, name]))
    elif posting:
        use = act.removeprefix("use:") if act.startswith("use:") else ""
        trial = contract_trial.run(project, draft, newest, use)
    context = {
        "draft": draft,
        "versions": versions,
        "newest": newest,
        "next": newest.version + 1 if newest else 1,
        "in_force": contract_draft.texts_of(newest),
        "changed": contract_draft.changed_lines(draft, newest),
        "tabs": contract_draft.tabs(draft),
        "trial": trial,
        "used_by": _used_by(project, draft),
        "job": recheck.newest(project),
    }
    return render(request, "contracts/page.html", context, status=422 if draft.problem else 200)


def _opened(request: HttpRequest, project: Project, name: str, versions: list[Contract]) -> Draft:
    """Return the version that the URL names, else the newest, else a draft from past outputs."""
    wanted = request.GET.get("version", "")
    row = next((one for one in versions if str(one.version) == wanted), next(iter(versions), None))
    draft = contract_draft.of_version(row) if row is not None else Draft(name)
    if row is not None and "infer" not in request.GET:
        return draft
    if row is None:
        draft.prompt = request.GET.get("prompt", "")[:200]
        draft.span = request.GET.get("span", "")[:200]
    if draft.prompt or draft.span:
        draft.inferred = True
        found = contract_trial.outputs_of(project, draft, INFERRED, passing=True)
        values = [value for *_, output in found if (value := _value(output)) is not None]
        draft.schema = pretty(inference.infer(values)) if values else "{}"
    return draft


def _value(output: Json) -> Json:
    """Return what an output says as JSON, None for other text."""
    if isinstance(output, dict) and isinstance(output.get("messages"), list):
        output = checking.answer_text(output["messages"])
    if not isinstance(output, str):
        return output
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return None


def _used_by(project: Project, draft: Draft) -> list[tuple[str, str, int | None, bool]]:
    """Return kind, name and traces of 14 days of the prompt and span; whether it is an estimate."""
    now = timezone.now()
    within = facets.Range(project, now - timedelta(days=DAYS), now)
    found: list[tuple[str, str, int | None, bool]] = []
    for key, value in (("prompt", draft.prompt), ("span", draft.span)):
        if not value:
            continue
        try:
            with bounded(SECONDS):
                found.append(
                    (key, value, *facets.matching(within, parse(f"{key}:{Pattern((value,))}")))
                )
        except TooSlow:
            found.append((key, value, None, False))
    return found


def _under(draft: Draft) -> str:
    """Return the filter of the traces that a contract is about."""
    named = (("prompt", draft.prompt), ("span", draft.span))
    return " ".join(f"{key}:{Pattern((value,))}" for key, value in named if value)


def _publish(request: HttpRequest, project: Project, draft: Draft) -> bool:
    """Publish the draft; False with its problem noted when it cannot be used."""
    by = request.user if isinstance(request.user, User) else None
    try:
        content: dict[str, Any] = {field: draft.read(field) for field in contract_draft.FIELDS}
        made, new = actions.save_contract(
            project,
            draft.name,
            by=by,
            prompt=draft.prompt,
            span=draft.span,
            note=draft.note,
            **content,
        )
    except (ActionError, ContractError) as error:
        draft.refuse(error.field or "schema", str(error))
        return False
    text = f"{made} is in force" if new else f"{made} says this already"
    if new and request.POST.get("recheck"):
        job = recheck.start(project, f"Contract {made}", q=_under(draft), days=DAYS)
        many = "Its traces" if job.total is None else f"{job.total:,} traces"
        text += f". {many} of {DAYS} days are checked again"
    url = f"{reverse('traces', args=[project.slug])}?q={quote('signal:schema_error')}"
    shell.toast(request, text, icon="pass", link=("Schema errors", url))
    return True
