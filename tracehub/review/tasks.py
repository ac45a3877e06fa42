"""Celery's side of the queues. The message only wakes; rules and rows say what there is to do."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from tracehub.review import filling, judge_runs


@shared_task(name="tracehub.queues")  # type: ignore[untyped-decorator]  # celery ships no types
def top_up() -> None:
    """Fill the queues. Safe to run twice."""
    filling.top_up_all(now=timezone.now())


@shared_task(name="tracehub.judge")  # type: ignore[untyped-decorator]
def judge() -> None:
    """Go on with runs of the judge, beside the worker. Safe to run twice, and to be killed."""
    judge_runs.work_beside()
