"""Keeps the rollups: the worker merges every five seconds, and forgets every hour."""

from __future__ import annotations

from datetime import UTC, datetime

from celery import shared_task

from tracehub.metrics import budgets, dashboards, rollup


@shared_task(name="tracehub.fold")  # type: ignore[untyped-decorator]  # celery ships no types
def fold() -> None:
    """Merge the waiting deltas. Safe to run twice, and at once: one of them does nothing."""
    rollup.fold_all()


@shared_task(name="tracehub.budgets")  # type: ignore[untyped-decorator]
def watch_budgets() -> None:
    """Tell of budgets that are passed, or will be. Safe to run twice: each is told once a month."""
    budgets.watch(now=datetime.now(UTC))


@shared_task(name="tracehub.prune_rollups")  # type: ignore[untyped-decorator]
def prune() -> None:
    """Delete the buckets and dashboards that are past their time. Safe to run twice."""
    rollup.prune()
    dashboards.forget(now=datetime.now(UTC))
