"""The pages of runs: one run case by case, its files, the override, and the rules of the gate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from tracehub.core.gate_files import junit
from tracehub.core.whole import whole_number
from tracehub.evals import actions, querysets, run_actions, run_querysets
from tracehub.evals.models import EvalSet, Run, RunResult
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project, Role, User
from tracehub.traces import reading
from tracehub.web import case_view, links, permissions, run_view, shell
from tracehub.web.forms.runs import RulesForm
from tracehub.web.run_cases import FAILED, ONLY, Cases, Compared, Kept, Place

CASE_HISTORY = 20  # runs that the page of a case lists
HISTORY = 5  # runs that a case's marks go back


@require_GET
def run_page(request: HttpRequest, slug: str, set_slug: str, number: int) -> HttpResponse:
    """One run: its gate, its cases with what failed first, and one case in full."""
    project = permissions.project_for(request, slug)
    run = _run(project, set_slug, number)
    baseline, cases, stored = _compared(run, request.GET.get("baseline", ""))
    only = request.GET.get("only", "")
    only = only if only in ONLY else ""
    after = cases.find(_number(request.GET.get("after", "")))
    shown, more = cases.page(only, after)
    follows = shown[-1].id if more else ""
    if request.headers.get("HX-Request") == "true" and after:
        rows = {"rows": _rows(run, shown, ""), "more": follows, "keep": _keep(request, only)}
        return render(request, "evals/run_rows.html", rows)
    chosen = cases.find(_number(request.GET.get("case", ""))) or next(iter(shown), None)
    if chosen and chosen not in shown and _is(chosen, only):
        shown = [*shown, chosen]
    context: dict[str, Any] = {
        "run": run,
        "set": run.eval_set,
        "baseline": baseline,
        "panel": run_view.panel(stored),
        "repeats": stored["repeats"],
        "only": only,
        "counts": cases.counts,
        "total": cases.total,
        "keep": _keep(request, only),
        "rows": _rows(run, shown, chosen.id if chosen else ""),
        "more": follows,
        "after": after.id if after else "",
        "baselines": list(
            run_querysets.of_version(run.eval_set, run.version).exclude(pk=run.pk)[:20]
        ),
        "was": baseline.passed if baseline else None,
        "took": _took(run),
        "command": run_view.command_again(run),
    }
    context |= _chosen(run, chosen, cases.beside(only, chosen)) if chosen else {}
    return render(request, "evals/run.html", context)


def _took(run: Run) -> float | None:
    """Return the milliseconds from the start of a run until it was stored, when it says its start.

    Results of another tool come without one.
    """
    took = (run.created_at - run.started_at).total_seconds() * 1000
    return took if took >= 1000 else None


def _compared(run: Run, wanted: str) -> tuple[Run | None, Cases, dict[str, Any]]:
    """Return the baseline, the cases against it, and the gate as pages show it.

    Against the baseline of the kept gate nothing is decided anew, however large the run is.
    """
    baseline = _named(run, wanted) if wanted else run_querysets.kept_baseline(run)
    if (baseline.number if baseline else None) == run.gate["baseline"]:
        return baseline, Kept(run), run.gate
    gate = run_querysets.gate(run, baseline)
    return baseline, Compared(gate), run_actions.stored(run, baseline, gate)


def _is(place: Place, only: str) -> bool:
    return not only or place.change == only or (only == "failed" and place.status in FAILED)


def _keep(request: HttpRequest, only: str) -> str:
    """Return the start of a query string that keeps filter and baseline in links to cases."""
    kept = {"only": only, "baseline": request.GET.get("baseline", "")}
    query = links.with_query("", {name: value for name, value in kept.items() if value})
    return f"{query}&" if query else "?"


def _rows(run: Run, shown: list[Place], chosen: str) -> list[dict[str, Any]]:
    numbers = [place.number for place in shown]
    cases = {
        case.case_id: case
        for case in querysets.in_version(run.eval_set, run.version)
        .filter(number__in=numbers)
        .only("number", "kind", "title", "input")
    }
    results = RunResult.objects.filter(project=run.project_id, run=run, number__in=numbers)
    tries = {result.case_id: result.tries for result in results}
    rows = []
    for place in shown:
        name = place.id
        case, tone_words = cases[name], run_view.badge(place.change, tries[name])
        rows.append(
            {
                "id": name,
                "line": case_view.input_line(case.title, case.input),
                "kind": case.get_kind_display(),
                "pips": run_view.pips_of_tries(one["status"] for one in tries[name]),
                "badge": tone_words if tone_words[1] else None,
                "current": name == chosen,
            }
        )
    return rows


def _chosen(run: Run, place: Place, beside: tuple[str, str]) -> dict[str, Any]:
    """Return the case shown in full, with the first try that did not pass."""
    number = place.number
    version = querysets.in_version(run.eval_set, run.version)
    case = version.filter(number=number).first()
    result = RunResult.objects.filter(project=run.project_id, run=run, number=number).first()
    if case is None or result is None:
        raise Http404("This run has no such case.")
    tries = result.tries
    index = _shown_try(tries)
    recent = list(run_querysets.of_version(run.eval_set, run.version)[:HISTORY])
    history = run_querysets.pips(recent, [number])[number]
    assertions = run_view.assertion_rows(case, tries)
    return {
        "case": case,
        "line": case_view.input_line(case.title, case.input),
        "asked": case_view.asked(case.input),
        "badge": run_view.badge(place.change, tries),
        "try": tries[index],
        "try_number": index + 1,
        "try_count": len(tries),
        "traces": _traces(run.eval_set.project, tries),
        "versus": run_view.versus(case.expected_output, tries[index]["output"]),
        "assertions": assertions,
        "failed": sum(row["tone"] == "fail" for row in assertions),
        "history": run_view.pips_of_runs(recent, history),
        "previous": beside[0],
        "next": beside[1],
    }


def _shown_try(tries: Sequence[Mapping[str, Any]]) -> int:
    """Return which try the page shows: the first that did not pass, else the first."""
    return next((n for n, one in enumerate(tries) if one["status"] != "pass"), 0)


def _traces(project: Project, tries: Sequence[Mapping[str, Any]]) -> list[tuple[int, str]]:
    """Return number and trace of each try whose trace has come."""
    sent = {n: one["trace_id"] for n, one in enumerate(tries, 1) if one["trace_id"]}
    come = reading.known(project, [UUID(hex=trace) for trace in sent.values()]) if sent else set()
    return [(n, trace) for n, trace in sent.items() if UUID(hex=trace) in come]


@require_GET
def junit_file(request: HttpRequest, slug: str, set_slug: str, number: int) -> HttpResponse:
    """The gate of a run as JUnit XML, against the automatic baseline or the one named."""
    project = permissions.project_for(request, slug)
    run = _run(project, set_slug, number)
    baseline = _baseline(run, request.GET.get("baseline", ""))
    gate, about = run_querysets.gate(run, baseline), run_querysets.about(run, baseline)
    text = junit(gate, about, run_querysets.case_lines(run, project.slug))
    answer = HttpResponse(text, content_type="application/xml")
    name = f"{run.eval_set.slug}-run-{run.number}.xml"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


@require_POST
def accept(
    request: HttpRequest, slug: str, set_slug: str, number: int, case_id: str
) -> HttpResponse:
    """Take the answer that the page shows of a case as its expected output, in the draft.

    The toast takes it back, unless the draft had changed the expected output since the run.
    """
    project = permissions.project_for(request, slug, Role.REVIEWER)
    run = _run(project, set_slug, number)
    result = RunResult.objects.filter(project=project, run=run, number=_number(case_id)).first()
    output = result.tries[_shown_try(result.tries)]["output"] if result else None
    if result is None or output is None:
        raise Http404("This run has no answer to such a case.")
    fixed = querysets.in_version(run.eval_set, run.version).get(number=result.number)
    draft = querysets.in_version(run.eval_set, querysets.draft_number(run.eval_set))
    before = draft.filter(number=result.number).first()
    same = before is not None and before.expected_output == fixed.expected_output
    undo = reverse("evals_accept_undo", args=[slug, set_slug, number, case_id]) if same else ""
    _expect(request, run, result.number, output, undo)
    return redirect("evals_run", slug=slug, set_slug=set_slug, number=number)


@require_POST
def accept_undo(
    request: HttpRequest, slug: str, set_slug: str, number: int, case_id: str
) -> HttpResponse:
    """Give a case of the draft the expected output that the version of the run has."""
    project = permissions.project_for(request, slug, Role.REVIEWER)
    run = _run(project, set_slug, number)
    fixed = querysets.in_version(run.eval_set, run.version).filter(number=_number(case_id)).first()
    if fixed is None:
        raise Http404("This run has no such case.")
    _expect(request, run, fixed.number, fixed.expected_output, "")
    return redirect("evals_run", slug=slug, set_slug=set_slug, number=number)


def _expect(request: HttpRequest, run: Run, number: int, output: Any, undo: str) -> None:
    try:
        row = actions.update_case(run.eval_set, number, {"expected_output": output})
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    else:
        shell.toast(request, f"{row.case_id} of the draft expects this now", undo=undo)


def _number(case_id: str) -> int:
    return whole_number(case_id.removeprefix("c_"), most=10**9) or 0


@require_POST
def override(request: HttpRequest, slug: str, set_slug: str, number: int) -> HttpResponse:
    """Let a run pass for a reason; the audit log keeps who and why."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    run, user = _run(project, set_slug, number), request.user
    if not isinstance(user, User):
        raise Http404
    try:
        run_actions.override(run, request.POST.get("reason", ""), by=user)
    except ActionError as error:
        shell.toast(request, str(error), icon="failures")
    else:
        undo = reverse("evals_override_undo", args=[slug, set_slug, number])
        shell.toast(request, f"Run {number} is overridden", undo=undo)
    return redirect("evals_run", slug=slug, set_slug=set_slug, number=number)


@require_POST
def override_undo(request: HttpRequest, slug: str, set_slug: str, number: int) -> HttpResponse:
    """Take an override back."""
    project = permissions.project_for(request, slug, Role.ADMIN)
    run, user = _run(project, set_slug, number), request.user
    if isinstance(user, User):
        run_actions.withdraw_override(run, by=user)
        shell.toast(request, f"The override of run {number} is withdrawn")
    return redirect("evals_run", slug=slug, set_slug=set_slug, number=number)


@require_http_methods(["GET", "HEAD", "POST"])
def rules_page(request: HttpRequest, slug: str, set_slug: str) -> HttpResponse:
    """The rules of a set's gate; a POST changes them."""
    changing = request.method == "POST"
    project = permissions.project_for(request, slug, Role.REVIEWER if changing else Role.VIEWER)
    eval_set = EvalSet.objects.filter(project=project, slug=set_slug).first()
    if eval_set is None:
        raise Http404("The project has no such set.")
    rules = run_querysets.rules(eval_set)
    form = RulesForm(request.POST) if changing else RulesForm.of(rules)
    if changing and form.is_valid():
        user = request.user if isinstance(request.user, User) else None
        run_actions.set_rules(eval_set, form.rules(pass_score=rules.pass_score), by=user)
        shell.toast(request, "The gate rules are changed, and its newest runs decided again")
        return redirect("evals_set", slug=slug, set_slug=set_slug)
    status = 422 if form.errors else 200
    return render(request, "evals/rules.html", {"set": eval_set, "form": form}, status=status)


def panel_of(eval_set: EvalSet, version: int) -> dict[str, Any]:
    """Return what the page of a set shows of the newest run of a version; nothing without one.

    The gate comes as it is kept with the run, so that a large set costs no comparison here.
    """
    recent = list(run_querysets.of_version(eval_set, version)[:HISTORY])
    if not recent:
        return {}
    run = recent[0]
    number = run.gate.get("baseline")
    baseline = run_querysets.of_set(eval_set).filter(number=number).first() if number else None
    return {
        "recent": recent,
        "oldest": recent[-1],
        "run": run,
        "baseline": baseline,
        "panel": run_view.panel(run.gate),
        "comparison": run_view.comparison(run, baseline, run.gate),
    }


def history_of(eval_set: EvalSet, number: int) -> list[tuple[Run, str, str]]:
    """Return what the newest runs of a set, over all its versions, said of a case."""
    recent = list(run_querysets.of_set(eval_set)[:CASE_HISTORY])
    return run_view.history(recent, run_querysets.pips(recent, [number])[number])


def add_pips(rows: list[Any], recent: list[Run]) -> None:
    """Give each case of a table its marks over the recent runs."""
    found = run_querysets.pips(recent, [case.number for case in rows])
    for case in rows:
        results = found.get(case.number, {})
        case.pips = run_view.pips_of_runs(recent, results)
        now = results.get(recent[0].pk)
        before = next((results[r.pk] for r in recent[1:] if r.pk in results), None)
        case.regressed = (
            now is not None and before is not None and now.status == "fail"
            and before.status == "pass"
        )  # fmt: skip


def _run(project: Project, set_slug: str, number: int) -> Run:
    rows = run_querysets.of_project(project).select_related("eval_set__project", "overridden_by")
    found = rows.filter(number=number, eval_set__slug=set_slug).first()
    if found is None:
        raise Http404("The set has no such run.")
    return found


def _baseline(run: Run, wanted: str) -> Run | None:
    return _named(run, wanted) if wanted else run_querysets.automatic_baseline(run)


def _named(run: Run, wanted: str) -> Run:
    number = whole_number(wanted, most=10**9) or 0
    found = run_querysets.of_set(run.eval_set).filter(number=number).first()
    if found is None:
        raise Http404("The set has no such run.")
    return found
