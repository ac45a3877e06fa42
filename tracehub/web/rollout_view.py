"""What the rollout page shows: stages with live numbers, the gate between them, the history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from tracehub.core.gating import Reason
from tracehub.core.query.tree import Pattern
from tracehub.core.rollout import ROLLED_BACK, STAGES, Failing, following, stop_rule
from tracehub.core.series_filter import Condition
from tracehub.core.steps import Window, window
from tracehub.evals import rollouts
from tracehub.evals.models import Rollout, RolloutStep, Run
from tracehub.metrics import comparing, querysets
from tracehub.web import comparison, copy, run_view

SIZE = 20  # percent, of the difference that one wants to see
NOBODY: Failing = (0, 0)


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the strip; `counts` are candidate and control while it lasted."""

    name: str
    title: str
    now: bool
    since: datetime | None
    until: datetime | None
    candidate: Failing
    control: Failing

    @property
    def traces(self) -> int:
        return self.candidate[1]

    @property
    def rate(self) -> float | None:
        return self.candidate[0] / self.candidate[1] if self.candidate[1] else None

    @property
    def control_rate(self) -> float | None:
        return self.control[0] / self.control[1] if self.control[1] else None


@dataclass(frozen=True, slots=True)
class State:
    """A rollout as it is now. `reasons` are the gate to its next stage."""

    rollout: Rollout
    steps: list[RolloutStep]
    run: Run | None
    stages: list[Stage]
    reasons: list[Reason]

    @property
    def next(self) -> str | None:
        return following(self.rollout.stage)

    @property
    def holds(self) -> bool:
        return all(reason.ok for reason in self.reasons)

    @property
    def tone(self) -> str:
        """Of the gate to the next stage."""
        return tone_of(self.reasons)


def tone_of(reasons: Sequence[Reason]) -> str:
    """Return the tone of a gate: fail outweighs what cannot be told, and that what holds."""
    if any(reason.ok is False for reason in reasons):
        return "fail"
    return "pass" if all(reason.ok for reason in reasons) else "unsure"


def state(rollout: Rollout, now: datetime) -> State:
    """Read a rollout with its live numbers: a query of the rollups per stage that began."""
    steps = list(rollout.steps.all())
    run = rollouts.newest_run(rollout)
    stages = [_stage(rollout, steps, name, now) for name in STAGES]
    reasons = [rollouts.run_reason(rollout, run)]
    if rollout.stage == "canary":
        canary = stages[STAGES.index("canary")]
        reasons.append(stop_rule(canary.control, canary.candidate, rollout.limit))
    return State(rollout, steps, run, stages, reasons)


def _stage(rollout: Rollout, steps: Sequence[RolloutStep], name: str, now: datetime) -> Stage:
    since = next((step.at for step in steps if step.after == name), None)
    is_now = rollout.stage == name
    left = [step.at for step in steps if step.before == name]
    until = None if is_now or not left else left[-1]
    candidate = control = NOBODY
    if since is not None:
        candidate, control = _counts(rollout, frame_of(since, until or now, now))
    return Stage(name, name.capitalize(), is_now, since, until, candidate, control)


def frame_of(start: datetime, end: datetime, now: datetime) -> Window:
    """Return the steps of a stage, a minute at least; the newest year of one that lasted longer."""
    start = max(start, now - timedelta(days=365))
    return window(start, max(end, start + timedelta(minutes=1)), now=now)


def _counts(rollout: Rollout, frame: Window) -> tuple[Failing, Failing]:
    every = Condition("prompt", (Pattern((f"{rollout.prompt}@", "")),))
    found = querysets.read(
        rollout.project, frame, group="prompt", counters=("failing",), narrow=(every,)
    )
    sums = [
        querysets.added(found.get(label, {}).values())
        for label in (rollout.candidate, rollout.control)
    ]
    candidate, control = ((int(each["failing"]), int(each["requests"])) for each in sums)
    return candidate, control


def compared(rollout: Rollout, stage: Stage, now: datetime) -> dict[str, Any]:
    """Return both versions metric by metric while a stage lasted; nothing before it began."""
    if stage.since is None or not stage.candidate[1] or not stage.control[1]:
        return {}
    frame = frame_of(stage.since, stage.until or now, now)
    pair = (rollout.control, rollout.candidate)
    found = comparing.compare(rollout.project, frame, "prompt", pair, wanted=SIZE / 100)
    return {
        "rows": [comparison.drawn(row, SIZE) for row in found.rows],
        "together": found.together,
    }


def gate_of(shown: State, index: int) -> dict[str, str]:
    """Return tone and words of the disc after a stage: what let it pass, or what it waits for.

    A gate that has been passed shows what it said then.
    """
    name, following_name = STAGES[index], STAGES[index + 1]
    if shown.rollout.stage == name:
        tone, words = shown.tone, "; ".join(reason.message for reason in shown.reasons)
        return {"tone": tone, "words": f"Gate to {following_name}: {words}"}
    passed = next((s for s in reversed(shown.steps) if s.before == name
                   and s.after == following_name), None)  # fmt: skip
    if passed is None:
        return {"tone": "neutral", "words": f"Gate to {following_name}: not reached"}
    if passed.reason:
        return {"tone": "unsure", "words": f"{passed.by} went on: {passed.reason}"}
    return {"tone": "pass", "words": f"Gate to {following_name} passed"}


def held_by(shown: State) -> str:
    """Say what keeps the last stage from coming, in three or four words."""
    if shown.rollout.stage == ROLLED_BACK:
        return "Rolled back"
    blocking = next((reason for reason in shown.reasons if not reason.ok), None)
    if blocking is None:
        return "Not yet"
    return "Held by the stop rule" if blocking.rule == "stop" else "Held by the eval gate"


def panel(shown: State) -> run_view.Panel:
    """Return the gate to the next stage for the shared template of rules."""
    verdict = {"pass": "passed", "fail": "failed", "unsure": "undecided"}[shown.tone]
    where = (shown.next or "").upper()
    return run_view.panel(
        {
            "verdict": verdict,
            "headline": f"GATE TO {where} {verdict.upper()}",
            "reasons": [rollouts.kept(reason) for reason in shown.reasons],
        }
    )


def history(steps: Sequence[RolloutStep]) -> list[dict[str, Any]]:
    """Return the steps, newest first, in words."""
    return [{"step": step, "words": _words(step)} for step in reversed(steps)]


def _words(step: RolloutStep) -> str:
    if not step.before:
        return "Began with internal"
    if step.after == ROLLED_BACK:
        return f"Rolled back from {step.before}"
    if step.before == ROLLED_BACK or STAGES.index(step.after) < STAGES.index(step.before):
        return f"Back to {step.after}"
    return f"Moved to {step.after}"


def gap(stage: Stage) -> str:
    """Return how much more the candidate fails, in points; empty while it is not known."""
    if stage.rate is None or stage.control_rate is None:
        return ""
    return copy.points(stage.rate - stage.control_rate)
