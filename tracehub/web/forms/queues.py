"""The rules of a review queue, and the decision on a disagreement, as forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from tracehub.projects.models import Project, Role, User
from tracehub.review.models import FailureMode, Queue, Severity, Verdict
from tracehub.review.queueing import MOST_ITEMS, RULES


class QueueForm(forms.Form):
    """Name, rules and reviewers of a queue. Empty numbers mean their defaults."""

    name = forms.CharField(max_length=120)
    q = forms.CharField(required=False, max_length=2000)
    size = forms.IntegerField(required=False, min_value=1, max_value=MOST_ITEMS)
    daily = forms.IntegerField(required=False, min_value=0, max_value=MOST_ITEMS)
    random_share = forms.IntegerField(required=False, min_value=0, max_value=100)
    overlap = forms.IntegerField(required=False, min_value=0, max_value=100)
    blind = forms.BooleanField(required=False)
    reviewers = forms.ModelMultipleChoiceField(User.objects.none(), required=False)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reviewers"].queryset = people(project)  # type: ignore[attr-defined]  # of its subclass

    def rules(self) -> dict[str, Any]:
        """Return the fields of Queue that the form sets."""
        data = self.cleaned_data
        defaults = {"size": 200, "daily": 0, "random_share": 0, "overlap": 0}
        return {field: defaults[field] if data[field] is None else data[field] for field in RULES}

    @classmethod
    def of(cls, queue: Queue) -> QueueForm:
        """Return the form as the queue stands."""
        initial = {field: getattr(queue, field) for field in ("name", *RULES)}
        chosen = list(queue.reviewers.values_list("pk", flat=True))
        return cls(queue.project, initial=initial | {"reviewers": chosen})


class DecisionForm(forms.Form):
    """The verdict that becomes the label where reviewers differ."""

    verdict = forms.ChoiceField(choices=Verdict.choices)
    modes = forms.MultipleChoiceField(required=False)
    severity = forms.ChoiceField(required=False, choices=[("", "None"), *Severity.choices])
    note = forms.CharField(required=False, max_length=10_000)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        modes = FailureMode.objects.filter(project=project, archived_at=None)
        choices = [(mode.slug, mode.name) for mode in modes]
        self.fields["modes"].choices = choices  # type: ignore[attr-defined]  # of its subclass


def people(project: Project) -> QuerySet[User]:
    """Return who may review in a project."""
    members = User.objects.filter(
        memberships__project=project, memberships__role__in=[Role.REVIEWER, Role.ADMIN]
    )
    return members.order_by("name", "email").distinct()
