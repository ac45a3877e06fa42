"""Forms of runs: the rules of a gate, and its override."""

from __future__ import annotations

from typing import Any

from django import forms

from tracehub.core.cases import KINDS
from tracehub.core.gate_rules import Rules
from tracehub.core.gating import NAMES


def _percent() -> forms.FloatField:
    return forms.FloatField(min_value=0, max_value=100, required=False)


def _ratio() -> forms.FloatField:
    return forms.FloatField(min_value=0.01, max_value=100, required=False)


class RulesForm(forms.Form):
    """What a set asks of a run. An empty floor or ratio turns that rule off."""

    block = forms.BooleanField(required=False)
    drop = forms.BooleanField(required=False)
    floor_known_failure = _percent()
    floor_success = _percent()
    floor_risky_edge = _percent()
    floor_format = _percent()
    cost = _ratio()
    latency = _ratio()
    minimum = forms.IntegerField(min_value=0, max_value=20_000)
    retries = forms.IntegerField(min_value=0, max_value=10)

    @classmethod
    def of(cls, rules: Rules) -> RulesForm:
        """Return the form filled with the rules of a set."""
        floors = {f"floor_{kind}": rules.floors[kind] for kind in KINDS}
        return cls(initial=rules.as_json() | floors)

    def floors(self) -> list[tuple[str, forms.BoundField]]:
        """Return the name and the field of each kind's floor."""
        return [(NAMES[kind], self[f"floor_{kind}"]) for kind in KINDS]

    def rules(self, *, pass_score: float) -> Rules:
        """Return the rules that a valid form holds; the score that passes is set elsewhere."""
        data: dict[str, Any] = self.cleaned_data
        floors = {kind: data[f"floor_{kind}"] for kind in KINDS}
        names = ("block", "drop", "cost", "latency", "minimum", "retries")
        return Rules(floors=floors, pass_score=pass_score, **{name: data[name] for name in names})
