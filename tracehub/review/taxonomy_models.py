"""What the coding board keeps: published versions of the failure modes, and notes put off."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from tracehub.projects.models import Project, User


class Taxonomy(models.Model):
    """A published version of the failure modes: what was agreed on then.

    `modes` holds slug, name, definition, bad, good and version of each. `recoding` is the last
    change that it contains; later ones belong to the next draft.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="taxonomies")
    number = models.PositiveIntegerField()
    modes = models.JSONField(default=list)
    recoding = models.BigIntegerField(default=0)
    by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-number",)
        constraints = (
            models.UniqueConstraint(fields=["project", "number"], name="taxonomy_number_once"),
        )

    def __str__(self) -> str:
        return f"taxonomy v{self.number} of {self.project_id}"


class LaterNote(models.Model):
    """A note that was put off on the coding board, till it is taken up again."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    review = models.OneToOneField("Review", on_delete=models.CASCADE, related_name="later")
    at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"review {self.review_id}, later"
