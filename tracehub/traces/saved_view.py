"""The model of a saved view; `saved` has what is done with it."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class SavedView(models.Model):
    """A list of traces under a name: its filter, range and order, for its owner or the project.

    `since` and `until` are as in the URL, so that "24h" stays the last 24 hours. `traces` is what
    the worker counted at `counted_at`. A deleted view can come back until it is forgotten.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="saved_views")
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    q = models.TextField(blank=True, max_length=4000)
    since = models.CharField(max_length=40, blank=True)
    until = models.CharField(max_length=40, blank=True)
    sort = models.CharField(max_length=20, blank=True)
    shared = models.BooleanField(default=False)
    traces = models.BigIntegerField(null=True)
    counted_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "saved_views"
        ordering = ("name", "id")
        constraints = (
            models.UniqueConstraint(
                fields=["project", "owner", "name"],
                condition=models.Q(deleted_at=None),
                name="saved_view_name_once",
            ),
        )

    def __str__(self) -> str:
        return self.name

    @property
    def params(self) -> dict[str, str]:
        """The query string of the list, without the view itself."""
        given = {"q": self.q, "from": self.since, "to": self.until, "sort": self.sort}
        return {name: value for name, value in given.items() if value}
