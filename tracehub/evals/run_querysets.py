"""Reads of runs: outcomes, the baseline that fits, the gate, and what files and pages show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Q, QuerySet

from tracehub.core import gate_rules, gating
from tracehub.core import runs as core
from tracehub.core.gate_files import About, CaseLine
from tracehub.core.gating import Gate
from tracehub.core.outcomes import Outcome, Outcomes
from tracehub.core.trace_json import iso, money
from tracehub.evals import querysets
from tracehub.evals.models import EvalSet, Run, RunResult
from tracehub.projects.models import Project


def of_project(project: Project) -> QuerySet[Run]:
    """The runs of a project, newest first, with their set and who overrode them."""
    return Run.objects.filter(project=project).select_related("eval_set", "overridden_by")


def of_set(eval_set: EvalSet) -> QuerySet[Run]:
    """The runs of a set over all its versions, newest first."""
    return Run.objects.filter(project=eval_set.project_id, eval_set=eval_set)


def of_version(eval_set: EvalSet, version: int) -> QuerySet[Run]:
    """The runs of one version, newest first: one range of the index `run_by_version`."""
    return of_set(eval_set).filter(version=version)


def rules(eval_set: EvalSet) -> gate_rules.Rules:
    """Return the gate rules of a set."""
    return gate_rules.read(eval_set.gate_rules)


def automatic_baseline(run: Run) -> Run | None:
    """Return the newest earlier run of the same version that may serve as a baseline.

    That is one whose candidate says so or that ran on the default branch of the project, and that
    no rule failed.
    """
    branch = Project.objects.values_list("default_branch", flat=True).get(pk=run.project_id)
    earlier = of_version(run.eval_set, run.version).filter(number__lt=run.number, fit=True)
    return earlier.filter(Q(is_baseline=True) | Q(branch=branch)).order_by("-number").first()


def outcomes(run: Run) -> dict[str, Outcome]:
    """Return what each case came to, by its id; 10 000 cases take some 30 ms."""
    rows = RunResult.objects.filter(project=run.project_id, run=run).values_list(
        "number", "kind", "status", "flaky", "severity", "cost", "latency_ms", "told", "passes"
    )
    return {
        f"c_{number:04d}": Outcome(kind, status, flaky, severity, cost, latency_ms, told, passes)
        for number, kind, status, flaky, severity, cost, latency_ms, told, passes in rows
    }


def outcome_of(result: RunResult) -> Outcome:
    """Return what a case came to, as `outcomes` does."""
    return Outcome(
        result.kind, result.status, result.flaky, result.severity, result.cost, result.latency_ms,
        result.told, result.passes,
    )  # fmt: skip


def gate(run: Run, baseline: Run | None, now: Outcomes | None = None) -> Gate:
    """Return the gate of a run by the rules that its set has now; `now` are its outcomes."""
    found = gating.decide(
        outcomes(run) if now is None else now,
        outcomes(baseline) if baseline else None,
        expected=run.expected,
        rules=rules(run.eval_set),
    )
    if not run.override_reason:
        return found
    by = run.overridden_by.email if run.overridden_by else "a person who left"
    return gating.overridden(found, by, run.override_reason)


def kept_baseline(run: Run) -> Run | None:
    """Return the baseline that the kept gate of a run was decided against."""
    number = run.gate.get("baseline")
    return of_set(run.eval_set).filter(number=number).first() if number else None


def listed(
    run: Run, ranks: Sequence[int] = (), statuses: Sequence[str] = ()
) -> QuerySet[RunResult]:
    """The results of a run as its page lists them, or those of some ranks or statuses.

    One range of the index `run_result_by_rank`, however many cases the run has.
    """
    rows = RunResult.objects.filter(project=run.project_id, run=run).order_by("rank", "number")
    rows = rows.filter(rank__in=ranks) if ranks else rows
    return rows.filter(status__in=statuses) if statuses else rows


def after(rows: QuerySet[RunResult], rank: int, number: int) -> QuerySet[RunResult]:
    """Those of the listed results that come after a place."""
    return rows.filter(Q(rank=rank, number__gt=number) | Q(rank__gt=rank))


def before(rows: QuerySet[RunResult], rank: int, number: int) -> QuerySet[RunResult]:
    """Those of the listed results that come before a place, the nearest first."""
    found = rows.filter(Q(rank=rank, number__lt=number) | Q(rank__lt=rank))
    return found.order_by("-rank", "-number")


def about(run: Run, baseline: Run | None) -> About:
    """Return what the files of a gate say about the run."""
    return About(run.eval_set.slug, run.version, run.number, baseline.number if baseline else None)


def of_trace(project: Project, trace_id: UUID) -> QuerySet[RunResult]:
    """What runs say of a trace that the program sent while it answered, the newest run first."""
    rows = RunResult.objects.filter(project=project, trace_ids__contains=[trace_id])
    return rows.select_related("run__eval_set").defer("tries").order_by("-run__number", "number")


def case_lines(run: Run, project_slug: str) -> list[CaseLine]:
    """Return every case of a run as the files of a gate show it."""
    known = {
        number: (title, trace)
        for number, title, trace in querysets.in_version(run.eval_set, run.version).values_list(
            "number", "title", "source_trace_id"
        )
    }
    return [_line(result, known, project_slug) for result in _results(run)]


def _results(run: Run) -> Iterator[RunResult]:
    rows = RunResult.objects.filter(project=run.project_id, run=run).order_by("number")
    yield from rows.iterator(chunk_size=querysets.READ_AT_ONCE)


def _line(result: RunResult, known: dict[int, Any], project_slug: str) -> CaseLine:
    title, source = known.get(result.number, ("", None))
    trace = source or next(iter(result.trace_ids), None)  # what it came from, else what was sent
    return CaseLine(
        id=result.case_id,
        title=title,
        kind=result.kind,
        status=result.status,
        trace_url=f"{settings.BASE_URL}/{project_slug}/traces/{trace.hex}" if trace else "",
        seconds=(result.latency_ms or 0.0) / 1000,
        detail=core.problem(result.tries),
    )


def pips(runs: Iterable[Run], numbers: Iterable[int]) -> dict[int, dict[int, RunResult]]:
    """Return the results of these cases in these runs: case number -> run id -> result."""
    found: dict[int, dict[int, RunResult]] = defaultdict(dict)
    rows = RunResult.objects.filter(run__in=list(runs), number__in=list(numbers))
    for row in rows.filter(project=F("run__project")).defer("tries"):
        found[row.number][row.run_id] = row
    return found


def run_json(run: Run) -> dict[str, Any]:
    """Return a run as the API gives it, without its results."""
    return {
        "id": run.number,
        "set": run.eval_set.slug,
        "version": run.version,
        "candidate": {
            "name": run.name,
            "prompt_version": run.prompt_version or None,
            "model": run.model or None,
            "commit": run.commit or None,
            "branch": run.branch or None,
            "baseline": run.is_baseline,
        },
        "verdict": run.verdict,
        "cases": run.expected,
        "told": run.told,
        "passed": run.passed,
        "errors": run.errors,
        "flaky": run.flaky,
        "tries": run.tries,
        "cost": money(run.cost),
        "override": {
            "reason": run.override_reason,
            "by": run.overridden_by.email if run.overridden_by else None,
            "at": iso(run.overridden_at),
        }
        if run.override_reason and run.overridden_at
        else None,
        "started_at": iso(run.started_at),
        "created_at": iso(run.created_at),
        "created_by": run.created_by,
    }


def results_json(run: Run) -> list[dict[str, Any]]:
    """Return the results of a run as the API gives them."""
    return [
        {
            "case": result.case_id,
            "status": result.status,
            "flaky": result.flaky,
            "cost": result.cost,
            "latency_ms": result.latency_ms,
            "tries": result.tries,
        }
        for result in _results(run)
    ]
