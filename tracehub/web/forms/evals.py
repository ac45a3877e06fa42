"""Forms of the eval set pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django import forms

from tracehub.core import cases, promotion
from tracehub.evals.models import CaseKind, EvalSet


class NewSetForm(forms.Form):
    """A new eval set; the slug comes from the name."""

    name = forms.CharField(
        max_length=120, error_messages={"required": "Give the set a name, such as Refund replies."}
    )
    description = forms.CharField(required=False, max_length=2000)


class FixForm(forms.Form):
    """Fixing the draft: a note says what this version is for."""

    note = forms.CharField(required=False, max_length=2000)


class PromoteForm(forms.Form):
    """What becomes of a trace as a case: set, kind, how many turns, another input, masking."""

    eval_set = forms.CharField(required=False, max_length=60)
    new_set = forms.CharField(required=False, max_length=120)
    kind = forms.ChoiceField(choices=CaseKind.choices)
    turns = forms.IntegerField(required=False, min_value=1)
    asked = forms.CharField(required=False, max_length=200_000, strip=False)
    mask = forms.BooleanField(required=False)

    def __init__(
        self, sets: Sequence[EvalSet], proposed: cases.Case, data: Any, asked: Mapping[str, str]
    ) -> None:
        """Start from what is proposed; `asked` may name another set and kind, as links do."""
        slugs = [one.slug for one in sets]
        first = asked.get("set") if asked.get("set") in slugs else next(iter(slugs), "")
        kind = asked.get("kind", "")
        super().__init__(
            data,
            initial={
                "eval_set": first,
                "kind": kind if kind in CaseKind.values else proposed["kind"],
                "turns": promotion.turns(proposed),
                "asked": promotion.last_said(proposed),
                "mask": True,
            },
        )
        self.sets = sets

    def clean_asked(self) -> str:
        return str(self.cleaned_data["asked"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        chosen = data.get("eval_set")
        if chosen and chosen not in {one.slug for one in self.sets}:
            self.add_error("eval_set", "This project has no such eval set. Choose another.")
        if not chosen and not str(data.get("new_set") or "").strip():
            self.add_error("new_set", "Choose an eval set, or name a new one.")
        return data
