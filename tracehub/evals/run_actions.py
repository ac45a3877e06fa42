"""What makes and changes runs: storing results, the rules of the gate, and the override."""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from statistics import fmean, median
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from tracehub.core import gate_rules, gating
from tracehub.core import runs as core
from tracehub.core.assess.tries import ERROR, FAIL, PASS, SKIPPED, Try
from tracehub.core.outcomes import Outcomes
from tracehub.evals import announcing, querysets, run_querysets
from tracehub.evals.models import EvalSet, Run, RunResult
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.masking import masked
from tracehub.projects.models import ApiKey, Project, User

Actor = User | ApiKey
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
DECIDED_AGAIN = 20  # newest runs whose gate follows a change of the rules


@transaction.atomic
def add_run(
    eval_set: EvalSet, body: Mapping[str, Any], *, by: Actor | None = None
) -> tuple[Run, bool]:
    """Store the results of a candidate (`core.runs.RUN`); return the run with whether it is new.

    The same body as the newest run of the set had gives that run. Raises ActionError on a version
    that is not fixed or a bad time, ShapeError on a bad result.
    """
    project = Project.objects.select_for_update(no_key=True).get(pk=eval_set.project_id)
    digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
    newest = run_querysets.of_set(eval_set).select_related("eval_set").first()
    if newest is not None and newest.digest == digest:
        return newest, False
    version = body["version"]
    if not eval_set.versions.filter(number=version).exists():
        raise ActionError(f"version {version} of {eval_set.slug} is not fixed.", "version")
    known = _cases(eval_set, version)
    rules = run_querysets.rules(eval_set)
    tries = masked(project.pk, core.read(body["results"], known, pass_score=rules.pass_score))
    last = Run.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    run = _run(eval_set, body, tries)
    run.number, run.expected, run.digest = last + 1, len(known), digest
    run.created_by = by.prefix if isinstance(by, ApiKey) else by.email if by else "system"
    results = _results(run, tries, known)
    _count(run, results)
    run.save()
    gate = _decide(run, now={one.case_id: run_querysets.outcome_of(one) for one in results})
    for result in results:
        result.rank = gate.rank(result.case_id)
    RunResult.objects.bulk_create(results, batch_size=500)
    return run, True


def _cases(eval_set: EvalSet, version: int) -> dict[str, dict[str, Any]]:
    """Return of each case of a version what a result is held against."""
    names = ("number", "kind", "severity", "assertions", "expected_output")
    rows = querysets.in_version(eval_set, version).values(*names)
    return {f"c_{row['number']:04d}": row for row in rows}


def _run(eval_set: EvalSet, body: Mapping[str, Any], tries: Mapping[str, list[Try]]) -> Run:
    candidate = body["candidate"]
    costs = [Decimal(one["cost"]) for of_case in tries.values() for one in of_case if one["cost"]]
    return Run(
        project_id=eval_set.project_id,
        eval_set=eval_set,
        version=body["version"],
        name=_one_line(candidate["name"]) or "unnamed",
        is_baseline=bool(candidate.get("baseline")),
        tries=max(map(len, tries.values())),
        cost=sum(costs) if costs else None,
        started_at=_moment(body.get("started_at")),
        **{
            name: _one_line(candidate.get(name) or "")
            for name in ("prompt_version", "model", "commit", "branch")
        },
    )


def _one_line(text: str) -> str:
    """Return a name without control characters, which a page or a terminal would obey."""
    return " ".join(_CONTROL.sub(" ", text).split())


def _moment(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ActionError(
            f"started_at must be a time with its zone such as 2026-11-24T09:40:00Z. Got {text!r}.",
            "started_at",
        )
    return moment


def _results(
    run: Run, tries: Mapping[str, list[Try]], known: Mapping[str, Mapping[str, Any]]
) -> list[RunResult]:
    made = []
    for case, of_case in sorted(tries.items()):
        about = known[case]
        outcome = core.outcome(about["kind"], about["severity"], of_case)
        made.append(
            RunResult(
                project_id=run.project_id,
                run=run,
                number=about["number"],
                kind=about["kind"],
                severity=about["severity"],
                status=outcome.status,
                flaky=outcome.flaky,
                cost=outcome.cost,
                latency_ms=outcome.latency_ms,
                tries=of_case,
                trace_ids=[UUID(hex=one["trace_id"]) for one in of_case if one["trace_id"]],
                told=outcome.tries,
                passes=outcome.passes,
            )
        )
    return made


def _count(run: Run, results: Sequence[RunResult]) -> None:
    run.told = sum(result.status != SKIPPED for result in results)
    run.passed = sum(result.status == PASS for result in results)
    run.errors = sum(result.status == ERROR for result in results)
    run.flaky = sum(result.flaky for result in results)
    costs = [result.cost for result in results if result.cost is not None]
    times = [result.latency_ms for result in results if result.latency_ms is not None]
    run.case_cost = fmean(costs) if costs else None
    run.latency_ms = median(times) if times else None


def _decide_again(run: Run) -> None:
    """Decide a run whose rules or override changed; its cases rank anew with another baseline."""
    before = run.gate["baseline"]
    gate = _decide(run)
    if run.gate["baseline"] == before:
        return
    by_rank: dict[int, list[int]] = defaultdict(list)
    for case in gate.after:
        by_rank[gate.rank(case)].append(int(case.removeprefix("c_")))
    for rank, numbers in by_rank.items():
        rows = RunResult.objects.filter(project=run.project_id, run=run, number__in=numbers)
        rows.exclude(rank=rank).update(rank=rank)


def _decide(run: Run, now: Outcomes | None = None) -> gating.Gate:
    """Keep the gate against the automatic baseline, and whether the run may be one itself."""
    baseline = run_querysets.automatic_baseline(run)
    gate = run_querysets.gate(run, baseline, now)
    alone = [reason for reason in gate.reasons if reason.ok is None]
    if run.verdict != gate.verdict:
        announcing.decided(run, gate)
    run.verdict = gate.verdict
    # The first run of a version has nothing to compare with; when no rule fails it may be the
    # baseline of those that follow.
    run.fit = gate.verdict == gating.PASSED or (
        gate.verdict == gating.UNDECIDED
        and baseline is None
        and all(reason.rule == "baseline" for reason in alone)
    )
    run.gate = stored(run, baseline, gate)
    run.save(update_fields=["verdict", "fit", "gate"])
    return gate


def stored(run: Run, baseline: Run | None, gate: gating.Gate) -> dict[str, Any]:
    """Return what pages show of a gate, without its cases, as it is kept with the run."""
    shown = gate.as_json(
        set=run.eval_set.slug,
        version=run.version,
        run=run.number,
        baseline=baseline.number if baseline else None,
    )
    del shown["cases"]
    shown["headline"] = gate.headline
    shown["failed"] = sum(status in {FAIL, ERROR} for status in gate.after.values())
    shown["results"] = len(gate.after)
    shown["repeats"] = asdict(gate.repeats) if gate.repeats else None
    for line, reason in zip(shown["reasons"], gate.reasons, strict=True):
        line |= {"title": reason.title, "short": reason.short, "unsure": reason.unsure}
    return shown


@transaction.atomic
def set_rules(eval_set: EvalSet, rules: gate_rules.Rules, *, by: Actor | None = None) -> None:
    """Change the gate rules of a set; its newest runs are decided again, oldest first."""
    before, eval_set.gate_rules = eval_set.gate_rules, rules.as_json()
    eval_set.save(update_fields=["gate_rules"])
    audit(
        "gate.rules",
        by=by,
        project=eval_set.project,
        object=eval_set.slug,
        before=before,
        after=eval_set.gate_rules,
    )
    newest = run_querysets.of_set(eval_set).select_related("eval_set", "overridden_by")
    for run in reversed(newest[:DECIDED_AGAIN]):
        _decide_again(run)


@transaction.atomic
def override(run: Run, reason: str, *, by: User) -> None:
    """Let a run pass for a reason, which the audit log keeps. Raises ActionError without one."""
    reason = " ".join(reason.split())
    if not 10 <= len(reason) <= 2000:
        raise ActionError(
            f"reason must have 10 to 2000 characters, so that others understand it. "
            f"Got {len(reason)}.",
            "reason",
        )
    if run.override_reason:
        raise ActionError(f"Run {run.number} is overridden already.", "reason")
    if run.verdict == gating.PASSED:
        raise ActionError(f"Run {run.number} passed: there is nothing to override.", "reason")
    before = run.verdict
    run.override_reason, run.overridden_by, run.overridden_at = reason, by, timezone.now()
    run.save(update_fields=["override_reason", "overridden_by", "overridden_at"])
    _decide_again(run)
    audit(
        "gate.overridden",
        by=by,
        project=run.eval_set.project,
        object=f"{run.eval_set.slug} run {run.number}",
        before=before,
        reason=reason,
    )


@transaction.atomic
def withdraw_override(run: Run, *, by: User) -> None:
    """Take an override back (undo); the audit log keeps both."""
    if not run.override_reason:
        return
    run.override_reason, run.overridden_by, run.overridden_at = "", None, None
    run.save(update_fields=["override_reason", "overridden_by", "overridden_at"])
    _decide_again(run)
    audit(
        "gate.override_withdrawn",
        by=by,
        project=run.eval_set.project,
        object=f"{run.eval_set.slug} run {run.number}",
    )
