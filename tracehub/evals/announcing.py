"""What happens to cases and runs, as events for those outside."""

from __future__ import annotations

from tracehub.core.gating import Gate
from tracehub.evals.models import Case, EvalSet, Run
from tracehub.projects import outbox


def promoted(eval_set: EvalSet, case: Case) -> None:
    """Note that a trace became a case, in the caller's transaction."""
    told = {
        "set": eval_set.slug,
        "case": case.case_id,
        "title": case.title,
        "kind": case.kind,
        "trace_id": case.source_trace_id.hex if case.source_trace_id else None,
        "failure": case.source_failure or None,
    }
    outbox.emit(eval_set.project_id, "case.promoted", told)


def decided(run: Run, gate: Gate) -> None:
    """Note that a run has another verdict than it had, in the caller's transaction."""
    told = {
        "set": run.eval_set.slug,
        "run": run.number,
        "version": run.version,
        "candidate": run.name,
        "prompt_version": run.prompt_version or None,
        "verdict": gate.verdict,
        "before": run.verdict or None,
        "headline": gate.headline,
    }
    outbox.emit(run.project_id, "gate.decided", told)
