"""The contracts pages: those in force, and an editor that tries a draft on past outputs first."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods

from tracehub.core.contracts import checking, dryrun
from tracehub.core.contracts.bounds import ContractError, check_draft
from tracehub.core.query.tree import quote as quoted
from tracehub.core.trace import Json
from tracehub.digest import recheck
from tracehub.failures import actions, querysets
from tracehub.failures.models import Contract
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.traces.models import Trace
from tracehub.web import links, permissions, shell, word_diff
from tracehub.web.trace_view.text import visible

TRIED = 1_000  # traces of a dry run
DAYS = 14
INFERRED = 200
SHOWN_PATHS = 12
_SPACE = re.compile(r"\s+")


@dataclass(slots=True)
class Draft:
    """What the editor holds. `problem` is (field, sentence) when it cannot be used."""

    name: str
    schema: str = ""
    labels: str = ""
    prompt: str = ""
    span: str = ""
    note: str = ""
    inferred: bool = False  # made from passing outputs just now
    problem: tuple[str, str] | None = None

    @property
    def lines(self) -> int:
        return min(40, max(12, self.schema.count("\n") + 2))


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
    """A contract with its editor; a POST tries the draft, or publishes it."""
    posting = request.method == "POST"
    project = permissions.project_for(request, slug, Role.ADMIN if posting else Role.VIEWER)
    if not actions.NAME.fullmatch(name):
        raise Http404("There is no such contract in this project.")
    versions = querysets.versions_of(project, name)
    draft = _posted(request, name) if posting else _opened(request, project, name, versions)
    context: dict[str, Any] = {"draft": draft, "versions": versions, "newest": versions[:1]}
    diff = _diff(draft, versions)
    context |= {"diff": diff, "changed": sum(row.kind == "ins" for row in diff)}
    context["job"] = recheck.newest(project)
    if posting and request.POST.get("act") == "publish":
        if _publish(request, project, draft):
            return redirect(reverse("contract", args=[slug, name]))
    elif posting:
        context |= _try(project, draft, versions)
    status = 422 if draft.problem else 200
    return render(request, "contracts/page.html", context, status=status)


def _posted(request: HttpRequest, name: str) -> Draft:
    def given(key: str) -> str:
        return request.POST.get(key, "").replace("\x00", "")

    def line(key: str) -> str:
        return _SPACE.sub(" ", given(key)).strip()[:200]

    return Draft(name, given("schema"), given("labels"), line("prompt"), line("span"), line("note"))


def _opened(request: HttpRequest, project: Project, name: str, versions: list[Contract]) -> Draft:
    """Return the version that the URL names, else the newest, else a draft from past outputs."""
    wanted = request.GET.get("version", "")
    row = next((one for one in versions if str(one.version) == wanted), next(iter(versions), None))
    if row is not None and "infer" not in request.GET:
        return Draft(name, _pretty(row.schema), _pretty(row.labels), row.prompt, row.span)
    prompt, span = request.GET.get("prompt", ""), request.GET.get("span", "")
    draft = Draft(name, "{}", "{}", prompt, span)
    if row is not None:
        draft = Draft(name, "{}", _pretty(row.labels), row.prompt, row.span)
    if draft.prompt or draft.span:
        draft.inferred = True
        outputs = [output for _, _, output in _outputs(project, draft, INFERRED, passing=True)]
        values = [value for output in outputs if (value := _value(output)) is not None]
        draft.schema = _pretty(dryrun.infer(values)) if values else "{}"
    return draft


def _diff(draft: Draft, versions: list[Contract]) -> list[word_diff.Row]:
    """Return how the text differs from the version in force, nothing when it does not."""
    if not versions:
        return []
    parts = (("schema", versions[0].schema), ("labels", versions[0].labels))
    rows: list[word_diff.Row] = []
    for field, in_force in parts:
        try:
            new = _pretty(_read(draft, field)).splitlines()
        except ContractError:
            new = getattr(draft, field).splitlines()
        found = word_diff.unified(_pretty(in_force).splitlines(), new)
        rows += found if any(row.kind in ("ins", "del") for row in found) else []
    return rows


def _pretty(value: Json) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


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


def _outputs(
    project: Project, draft: Draft, limit: int, *, passing: bool = False
) -> list[tuple[Trace, str, Json]]:
    now = timezone.now()
    traces = querysets.recent_traces(
        project,
        draft.prompt,
        draft.span,
        now - timedelta(days=DAYS),
        now + timedelta(days=1),
        limit,
    )
    if passing:
        traces = [trace for trace in traces if trace.finished and not trace.failing]
    return querysets.recent_outputs(project, traces, draft.prompt, draft.span)


def _read(draft: Draft, field: str) -> Json:
    """Return a field as JSON. Raises ContractError naming the field, line and column."""
    text = getattr(draft, field).strip()
    try:
        return json.loads(text or "{}")
    except json.JSONDecodeError as error:
        raise ContractError(
            f"{field} is no JSON at line {error.lineno}, column {error.colno}: {error.msg}.", field
        ) from error
    except RecursionError as error:
        raise ContractError(f"{field} nests too deep.", field) from error


def _try(project: Project, draft: Draft, versions: list[Contract]) -> dict[str, Any]:
    """Compare the draft with what is in force, on past outputs."""
    try:
        if not draft.prompt and not draft.span:
            raise ContractError("Name a prompt, a span, or both.", "applies_to")
        schema, labels = _read(draft, "schema"), _read(draft, "labels")
        check_draft(schema)
        label = f"{draft.name}/{versions[0].version + 1 if versions else 1}"
        new = checking.Contract(
            label, draft.prompt or None, draft.span or None, schema, checking.check_labels(labels)
        )
    except ContractError as error:
        draft.problem = (error.field, str(error))
        return {}
    old = versions[0] if versions else None
    before = (
        checking.Contract(str(old), old.prompt or None, old.span or None, old.schema, old.labels)
        if old
        else None
    )
    began = timezone.now()
    found = _outputs(project, draft, TRIED)
    outcome = dryrun.compare(before, new, (((trace, label), out) for trace, label, out in found))
    return {
        "outcome": outcome,
        "label": label,
        "paths": _paths(project, outcome),
        "bars": _bars(outcome),
        "took": (timezone.now() - began).total_seconds() * 1000,
    }


def _bars(outcome: dryrun.Outcome) -> list[tuple[str, str, str]]:
    """Return (class, x, width) of the bar of all outputs, in percent."""
    found, at = [], 0.0
    total = outcome.total or 1
    for kind in ("pass_both", "newly_pass", "newly_fail", "fail_both"):
        width = 100 * getattr(outcome, kind) / total
        found.append((kind.replace("_", "-"), f"{at:.2f}%", f"{width:.2f}%"))
        at += width
    return found


@dataclass(frozen=True, slots=True)
class ShownPath:
    """A place and rule with its part of the largest change, and what newly fails there."""

    path: dryrun.Path
    failing: str  # width of its bar, in percent
    passing: str
    examples: list[tuple[Trace, str, str, str]]  # trace, prompt version, URL, message


def _paths(project: Project, outcome: dryrun.Outcome) -> list[ShownPath]:
    most = max((path.newly_fail + path.newly_pass for path in outcome.paths), default=1)
    return [
        ShownPath(
            path,
            f"{100 * path.newly_fail / most:.1f}%",
            f"{100 * path.newly_pass / most:.1f}%",
            [
                (
                    trace,
                    visible(label),
                    reverse("trace", args=[project.slug, trace.hex]),
                    visible(message.replace("`", "")),
                )
                for (trace, label), message in path.examples
            ],
        )
        for path in outcome.paths[:SHOWN_PATHS]
    ]


def _under(draft: Draft) -> str:
    """Return the filter of the traces that a contract is about."""
    named = (("prompt", draft.prompt), ("span", draft.span))
    return " ".join(f"{key}:{quoted(value)}" for key, value in named if value)


def _publish(request: HttpRequest, project: Project, draft: Draft) -> bool:
    """Publish the draft; False with its problem noted when it cannot be used."""
    by = request.user if isinstance(request.user, User) else None
    try:
        made, new = actions.save_contract(
            project,
            draft.name,
            _read(draft, "schema"),
            by=by,
            prompt=draft.prompt,
            span=draft.span,
            labels=_read(draft, "labels"),
            note=draft.note,
        )
    except (ActionError, ContractError) as error:
        draft.problem = (error.field or "schema", str(error))
        return False
    text = f"{made} is in force" if new else f"{made} says this already"
    if new and request.POST.get("recheck"):
        job = recheck.start(project, f"Contract {made}", q=_under(draft), days=DAYS)
        many = "Its traces" if job.total is None else f"{job.total:,} traces"
        text += f". {many} of {DAYS} days are checked again"
    url = f"{reverse('traces', args=[project.slug])}?q={quote('signal:schema_error')}"
    shell.toast(request, text, icon="pass", link=("Schema errors", url))
    return True
