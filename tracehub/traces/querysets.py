"""Reads of traces, as phrases that chain. Every one starts from a project and names its range."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from django.db import models

if TYPE_CHECKING:
    from tracehub.projects.models import Project
    from tracehub.traces.models import Trace


class TraceQuerySet(models.QuerySet["Trace"]):
    """Traces of one project, pruned to the partitions that can hold the range."""

    def in_project(self, project: Project) -> Self:
        return self.filter(project_id=project.pk)

    def in_range(self, start: datetime, end: datetime) -> Self:
        """Traces started in [start, end). Postgres skips the partitions before it.

        No stored start is more than a day after arrival, so `started_at >= start` implies
        `day >= start - 1 day`; a late trace may lie in any later partition.
        """
        return self.filter(
            started_at__gte=start,
            started_at__lt=end,
            day__gte=(start - timedelta(days=1)).date(),
        )

    def newest_first(self) -> Self:
        """In the order of the index on (project_id, started_at, trace_id)."""
        return self.order_by("-started_at", "-trace_id")
