"""The form that begins a rollout."""

from __future__ import annotations

from typing import Any

from django import forms
from django.db.models import QuerySet

from tracehub.evals.models import EvalSet


class StartForm(forms.Form):
    """A candidate and the version it is held against, the set that guards it, and the stop rule."""

    limit = forms.FloatField(min_value=0, max_value=100, initial=2)

    def __init__(
        self, *args: Any, versions: list[str], sets: QuerySet[EvalSet], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = [(version, version) for version in versions]
        self.fields = {
            "candidate": forms.ChoiceField(choices=choices),
            "control": forms.ChoiceField(choices=choices),
            "eval_set": forms.ModelChoiceField(queryset=sets, to_field_name="slug"),
            **self.fields,
        }

    def start(self) -> dict[str, Any]:
        """Return the arguments of `rollouts.start` that a valid form holds."""
        names = ("candidate", "control", "eval_set")
        data: dict[str, Any] = self.cleaned_data
        return {**{name: data[name] for name in names}, "limit": data["limit"] / 100}
