"""Budgets: setting them, what a month costs and will cost, and telling when that is too much.

Spending is read from the rollups, so late traces and new prices count at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import transaction

from tracehub.core import budget as core
from tracehub.core.budget import Forecast
from tracehub.core.query.tree import Pattern
from tracehub.core.series_filter import Condition
from tracehub.core.steps import DAY as DAY_SECONDS
from tracehub.core.steps import Window
from tracehub.metrics import querysets
from tracehub.metrics.models import Axis, Breach, Budget, Passed
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError, audit
from tracehub.projects.models import Project, User

MOST = 100  # budgets of a project
DAY = core.DAY
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class State:
    """Where a budget stands in this month."""

    budget: Budget
    spent: float
    forecast: Forecast

    @property
    def passed(self) -> Passed | None:
        """Say which limit is passed. A forecast passes when the whole month most likely will."""
        if self.spent >= self.budget.amount:
            return Passed.SPENT
        return Passed.FORECAST if self.forecast.middle > self.budget.amount else None

    @property
    def share(self) -> float:
        return self.spent / float(self.budget.amount)


@transaction.atomic
def set_budget(project: Project, axis: str, value: str, amount: Decimal, *, by: User) -> Budget:
    """Set what a month may cost, in place of an earlier budget for the same. Raises ActionError."""
    value = "" if axis == Axis.PROJECT else value.strip()
    if axis not in Axis.values:
        raise ActionError(f"axis must be model, prompt or empty. Got {axis!r}.", "axis")
    if axis and not value:
        raise ActionError(f"value must name a {axis}.", "value")
    if axis == Axis.PROMPT and "@" not in value:
        raise ActionError(
            f"value must name a prompt with its version, such as refund@v12. Got {value[:60]!r}.",
            "value",
        )
    known = Budget.objects.filter(project=project)
    if known.count() >= MOST and not known.filter(axis=axis, value=value).exists():
        raise ActionError(f"A project may have {MOST} budgets. Remove one first.")
    budget, _ = Budget.objects.update_or_create(
        project=project, axis=axis, value=value,
        defaults={"amount": amount, "created_by": by.email},
    )  # fmt: skip
    Breach.objects.filter(budget=budget, month=core.month(datetime.now(UTC))[0].date()).delete()
    audit("budget.set", by=by, project=project, object=str(budget), amount=str(amount))
    return budget


@transaction.atomic
def remove_budget(budget: Budget, *, by: User) -> None:
    """Forget a budget and what was told of it."""
    audit("budget.removed", by=by, project=budget.project, object=str(budget))
    budget.delete()


def state(budget: Budget, *, now: datetime) -> State:
    """Return what a budget's month costs so far and will cost. One read of some sixty day rows."""
    today = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start, end = core.month(now)
    costs = _by_day(budget, min(start, today - core.PAST_DAYS * DAY), today + DAY)
    spent = sum(cost for at, cost in costs.items() if at >= start)
    past = [today - n * DAY for n in range(core.PAST_DAYS, 0, -1)]
    first = min((at for at, cost in costs.items() if cost), default=today)
    days = [costs.get(at, 0.0) for at in past if at >= first]
    return State(budget, spent, core.forecast(spent, days, (end - now) / DAY))


def _by_day(budget: Budget, start: datetime, end: datetime) -> dict[datetime, float]:
    narrow = [Condition(budget.axis, (Pattern((budget.value,)),))] if budget.axis else []
    frame = Window(start, end, timedelta(days=1), DAY_SECONDS)
    found = querysets.read(budget.project, frame, counters=["own_cost"], narrow=narrow)
    return {at: float(sums["own_cost"]) for at, sums in found.get("", {}).items()}


def watch(*, now: datetime) -> int:
    """Note every budget that is passed or will be, once a month each; return how many are new."""
    new = 0
    for budget in Budget.objects.select_related("project"):
        found = state(budget, now=now)
        if found.passed is not None:
            new += _tell(found, found.passed, now)
    return new


@transaction.atomic
def _tell(found: State, passed: Passed, now: datetime) -> bool:
    budget = found.budget
    spent, expected = (
        Decimal(amount).quantize(_CENT) for amount in (found.spent, found.forecast.middle)
    )
    breach, new = Breach.objects.get_or_create(
        project=budget.project, budget=budget, month=core.month(now)[0].date(), kind=passed,
        defaults={"amount": budget.amount, "spent": spent, "forecast": expected, "at": now},
    )  # fmt: skip
    if new:
        body = {
            "budget": str(budget),
            "month": f"{breach.month:%Y-%m}",
            "passed": breach.kind,
            "amount": str(budget.amount),
            "spent": str(spent),
            "forecast": str(expected),
        }
        outbox.emit(budget.project_id, "budget.passed", body)
    return new
