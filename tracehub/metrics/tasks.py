"""Keeps the rollups: merging is the worker's job each second, forgetting that of the hour."""

from __future__ import annotations

from celery import shared_task

from tracehub.metrics import rollup


@shared_task(name="tracehub.fold")  # type: ignore[untyped-decorator]  # celery ships no types
def fold() -> None:
    """Merge the waiting deltas. Safe to run twice, and at once: one of them does nothing."""
    rollup.fold_all()


@shared_task(name="tracehub.prune_rollups")  # type: ignore[untyped-decorator]
def prune() -> None:
    """Delete the buckets that are past their time. Safe to run twice."""
    rollup.prune()
