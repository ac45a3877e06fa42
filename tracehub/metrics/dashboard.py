"""The model of a dashboard; `dashboards` has what is done with it."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class Dashboard(models.Model):
    """Charts in an order under a name, with their filter, range and grouping.

    `charts` are keys of the page's charts. `since` and `until` are as in the URL, so that "14d"
    stays the last 14 days. A deleted dashboard can come back until it is forgotten.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="dashboards")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="dashboards")
    name = models.CharField(max_length=60)
    charts = ArrayField(models.CharField(max_length=30))
    q = models.TextField(blank=True, max_length=4000)
    since = models.CharField(max_length=40, blank=True)
    until = models.CharField(max_length=40, blank=True)
    group = models.CharField(max_length=20, blank=True)
    compare = models.BooleanField(default=False)
    shared = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "dashboards"
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["project", "owner", "name"],
                condition=models.Q(deleted_at=None),
                name="dashboard_name_once",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def params(self) -> dict[str, str]:
        """The query string of its charts, without the dashboard itself."""
        given = {
            "q": self.q,
            "from": self.since,
            "to": self.until,
            "group": self.group,
            "compare": "previous" if self.compare else "",
            "charts": ",".join(self.charts),
        }
        return {name: value for name, value in given.items() if value}
