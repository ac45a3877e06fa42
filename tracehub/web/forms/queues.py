"""The rules of a review queue, and the decision on a disagreement, as forms."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from tracehub.core.sampling import MOST, STRATA, WAYS, Way, rules_of
from tracehub.projects.models import Project, Role, User
from tracehub.review.models import FailureMode, Queue, Severity, Verdict
from tracehub.review.queueing import MOST_ITEMS, MOST_REPEATS, RULES

CAPS = ("daily", "most")
WAYS_SAID: dict[Way, str] = {
    "stratified": "Spread evenly over each",
    "different": "Most different",
    "uncertain": "Uncertain to judges or people",
    "judge": "Judge says otherwise",
    "release": "Newest release",
}


class QueueForm(forms.Form):
    """Name, rules and reviewers of a queue. Empty numbers mean their defaults."""

    name = forms.CharField(max_length=120)
    q = forms.CharField(required=False, max_length=2000)
    size = forms.IntegerField(required=False, min_value=1, max_value=MOST_ITEMS)
    daily = forms.IntegerField(required=False, min_value=0, max_value=MOST_ITEMS)
    random_share = forms.IntegerField(required=False, min_value=0, max_value=100)
    overlap = forms.IntegerField(required=False, min_value=0, max_value=100)
    repeats = forms.IntegerField(required=False, min_value=0, max_value=MOST_REPEATS)
    stratified_by = forms.ChoiceField(required=False, choices=[(by, by) for by in STRATA])
    blind = forms.BooleanField(required=False)
    reviewers = forms.ModelMultipleChoiceField(User.objects.none(), required=False)

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reviewers"].queryset = people(project)  # type: ignore[attr-defined]  # of its subclass
        for way in WAYS:
            for cap in CAPS:
                self.fields[f"{way}_{cap}"] = forms.IntegerField(
                    required=False, min_value=0, max_value=MOST, label=f"{WAYS_SAID[way]}, {cap}"
                )

    def rules(self) -> dict[str, Any]:
        """Return the fields of Queue that the form sets."""
        data = self.cleaned_data
        defaults = {"size": 200, "daily": 0, "random_share": 0, "overlap": 0, "repeats": 0}
        found = {
            field: defaults[field] if data[field] is None else data[field]
            for field in RULES
            if field != "draws"
        }
        return found | {"draws": [rule for way in WAYS if (rule := self._draw(way))]}

    def _draw(self, way: Way) -> dict[str, Any] | None:
        """Return a rule as it is stored, None when it takes nothing."""
        caps = {cap: self.cleaned_data[f"{way}_{cap}"] or 0 for cap in CAPS}
        if not any(caps.values()):
            return None
        by = {"by": self.cleaned_data["stratified_by"] or "prompt"} if way == "stratified" else {}
        return {"way": way, **caps, **by}

    def draws(self) -> list[tuple[str, list[Any], bool]]:
        """Return the rows of the form: what a rule takes, its two fields, whether it has strata."""
        return [
            (WAYS_SAID[way], [self[f"{way}_{cap}"] for cap in CAPS], way == "stratified")
            for way in WAYS
        ]

    @property
    def has_draws(self) -> bool:
        return any(field.value() for _, fields, _ in self.draws() for field in fields)

    @classmethod
    def of(cls, queue: Queue) -> QueueForm:
        """Return the form as the queue stands."""
        initial = {field: getattr(queue, field) for field in ("name", *RULES)}
        for rule in rules_of(queue.draws):
            initial |= {f"{rule.way}_{cap}": getattr(rule, cap) for cap in CAPS}
            if rule.by:
                initial["stratified_by"] = rule.by
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
