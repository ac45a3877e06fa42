"""The rubric of a failure mode, and a run of the judge, as forms."""

from __future__ import annotations

from decimal import Decimal

from django import forms

from tracehub.review.judge_runs import MOST
from tracehub.review.models import JudgeRun


class RubricForm(forms.Form):
    text = forms.CharField(max_length=4000)


class RunForm(forms.Form):
    """What to judge, and how much it may cost in US dollars. Empty numbers mean their defaults."""

    scope = forms.ChoiceField(choices=JudgeRun.Scope.choices)
    q = forms.CharField(required=False, max_length=2000)
    share = forms.IntegerField(required=False, min_value=1, max_value=100)
    most = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    cap = forms.DecimalField(min_value=Decimal("0.01"), max_value=1000, decimal_places=2)
