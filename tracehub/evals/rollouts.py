"""Rollouts: which version each cohort gets, what the gate says, and who moved it on or back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet

from tracehub.core import gating
from tracehub.core.gating import Reason
from tracehub.core.rollout import ROLLED_BACK, RUNNING, STAGES, Course, following
from tracehub.evals import run_querysets
from tracehub.evals.models import EvalSet, Rollout, RolloutStep, Run, RunResult
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError, Conflict, audit
from tracehub.projects.models import ApiKey, Project, User

Actor = User | ApiKey
LISTED = 20  # failing cases that a step names


def of_project(project: Project) -> QuerySet[Rollout]:
    """The rollouts of a project, newest first, with their set."""
    return Rollout.objects.filter(project=project).select_related("eval_set", "project")


def courses(project: Project) -> list[Course]:
    """Return where the newest rollout of each prompt is, in order of the prompts' names."""
    rows = Rollout.objects.filter(project=project).order_by("prompt", "-number").distinct("prompt")
    return [Course(row.prompt, row.candidate, row.control, row.stage) for row in rows]


def newest_run(rollout: Rollout) -> Run | None:
    """Return the newest run of the set whose candidate was this prompt version."""
    rows = run_querysets.of_set(rollout.eval_set).select_related("eval_set", "overridden_by")
    return rows.filter(prompt_version=rollout.candidate).first()


def run_reason(rollout: Rollout, run: Run | None) -> Reason:
    """Return what the gate of the set says of the candidate."""
    title = f"Gate of {rollout.eval_set.name}"
    if run is None:
        message = (
            f"No run of {rollout.eval_set.slug} has the prompt version {rollout.candidate} yet."
        )
        return Reason("run", None, message, title=title, short="no run yet")
    ok = {gating.PASSED: True, gating.FAILED: False}.get(run.verdict)
    message = f"Run {run.number}: {run.gate.get('headline', run.verdict)}."
    short = f"{run.passed} of {run.told}"
    return Reason("run", ok, message, run.passed, run.told, title=title, short=short)


def failing_cases(run: Run | None) -> list[str]:
    """Return the ids of the first cases that fail or gave an error in a run."""
    if run is None:
        return []
    rows = RunResult.objects.filter(
        project=run.project_id, run=run, status__in=("fail", "error")
    ).order_by("number")
    return [row.case_id for row in rows.only("number")[:LISTED]]


@transaction.atomic
def start(
    project: Project,
    eval_set: EvalSet,
    candidate: str,
    control: str,
    *,
    limit: float = 0.02,
    by: Actor | None = None,
) -> Rollout:
    """Begin with the internal stage. Raises ActionError on a bad pair, Conflict on a second one."""
    prompt, _, version = candidate.rpartition("@")
    if not prompt or not version or control.rpartition("@")[0] != prompt or control == candidate:
        raise ActionError(
            f"control must be another version of the same prompt. Got {candidate} and {control}.",
            "control",
        )
    Project.objects.select_for_update(no_key=True).get(pk=project.pk)
    running = Rollout.objects.filter(project=project, prompt=prompt, stage__in=RUNNING).first()
    if running is not None:
        raise Conflict(
            f"{running.candidate} is still in the stage {running.stage}. "
            "Finish it or roll it back first.",
            "candidate",
        )
    last = Rollout.objects.filter(project=project).aggregate(last=Max("number"))["last"] or 0
    made = Rollout.objects.create(
        project=project,
        number=last + 1,
        eval_set=eval_set,
        prompt=prompt,
        candidate=candidate,
        control=control,
        limit=limit,
        stage=STAGES[0],
    )
    _note(made, "", by=by)
    return made


@transaction.atomic
def advance(
    rollout: Rollout, reasons: Sequence[Reason], *, why: str = "", by: Actor | None = None
) -> Rollout:
    """Move to the next stage. When the gate does not hold, `why` must say why it goes on.

    Raises ActionError when there is no next stage, or no reason given where one is needed.
    """
    locked = _lock(rollout)
    wanted = following(locked.stage)
    if wanted is None:
        raise ActionError(f"{locked.candidate} is not on its way: its stage is {locked.stage}.")
    held = not all(reason.ok for reason in reasons)
    why = _reason(why) if held else " ".join(why.split())
    before, locked.stage = locked.stage, wanted
    locked.save(update_fields=["stage"])
    _note(locked, before, why=why, reasons=reasons, by=by)
    return locked


@transaction.atomic
def roll_back(
    rollout: Rollout, why: str, reasons: Sequence[Reason] = (), *, by: Actor | None = None
) -> Rollout:
    """Give everyone the control again; the note keeps why, and the cases that fail."""
    locked = _lock(rollout)
    if locked.stage == ROLLED_BACK:
        raise ActionError(f"{locked.candidate} is rolled back already.")
    before, locked.stage = locked.stage, ROLLED_BACK
    locked.save(update_fields=["stage"])
    _note(locked, before, why=_reason(why), reasons=reasons, by=by)
    return locked


@transaction.atomic
def undo(rollout: Rollout, *, by: Actor | None = None) -> Rollout:
    """Return to the stage before the newest step; the first step has none."""
    locked = _lock(rollout)
    last = locked.steps.last()
    if last is None or not last.before:
        raise ActionError("There is no step to take back.")
    before, locked.stage = locked.stage, last.before
    locked.save(update_fields=["stage"])
    _note(locked, before, why="Taken back", by=by)
    return locked


def _lock(rollout: Rollout) -> Rollout:
    """Lock a rollout; raises ActionError for one that a newer one of its prompt replaced."""
    rows = of_project(rollout.project).select_for_update(of=("self",))
    locked = rows.get(pk=rollout.pk)
    newer = rows.filter(prompt=locked.prompt, number__gt=locked.number).last()
    if newer is not None:
        raise ActionError(f"Rollout {newer.number} of {newer.candidate} came after this one.")
    return locked


def _reason(text: str) -> str:
    text = " ".join(text.split())
    if not 10 <= len(text) <= 2000:
        raise ActionError(
            f"reason must have 10 to 2000 characters, so that others understand it. "
            f"Got {len(text)}.",
            "reason",
        )
    return text


def _note(
    rollout: Rollout,
    before: str,
    *,
    why: str = "",
    reasons: Sequence[Reason] = (),
    by: Actor | None,
) -> None:
    run = newest_run(rollout)
    actor = by.prefix if isinstance(by, ApiKey) else by.email if by else "system"
    RolloutStep.objects.create(
        project=rollout.project,
        rollout=rollout,
        before=before,
        after=rollout.stage,
        by=actor,
        reason=why,
        gate=[kept(reason) for reason in reasons],
        run=run.number if run else None,
        failing=failing_cases(run) if rollout.stage == ROLLED_BACK else [],
    )
    told = {
        "rollout": rollout.number,
        "prompt": rollout.prompt,
        "candidate": rollout.candidate,
        "control": rollout.control,
        "before": before or None,
        "stage": rollout.stage,
        "by": actor,
        "reason": why or None,
    }
    outbox.emit(rollout.project_id, "rollout.moved", told)
    audit(
        "rollout.moved",
        by=by,
        project=rollout.project,
        object=f"{rollout.candidate} rollout {rollout.number}",
        before=before,
        after=rollout.stage,
        reason=why,
    )


def kept(reason: Reason) -> Mapping[str, Any]:
    """Return a reason as a step keeps it and pages show it."""
    return reason.as_json() | {
        "title": reason.title, "short": reason.short, "unsure": reason.unsure
    }  # fmt: skip


def as_json(rollout: Rollout) -> dict[str, Any]:
    """Return a rollout as the API gives it."""
    return {
        "id": rollout.number,
        "prompt": rollout.prompt,
        "candidate": rollout.candidate,
        "control": rollout.control,
        "stage": rollout.stage,
        "eval_set": rollout.eval_set.slug,
        "limit": rollout.limit,
    }
