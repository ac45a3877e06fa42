"""The verdict panel as a form."""

from __future__ import annotations

import json
import uuid
from typing import Any

from django import forms

from tracehub.core.trace import Json
from tracehub.evals.models import CaseKind
from tracehub.projects.models import Project
from tracehub.review.models import FailureMode, Severity, Verdict

NEW_SET = "+"  # no slug can be this
MOST_CORRECTED = 1_000_000  # characters


class ReviewForm(forms.Form):
    """A verdict on a trace, with its modes, and the wish to keep the trace as an eval case.

    `submission` is made with the page: the same one twice is one review.
    """

    verdict = forms.ChoiceField(
        choices=Verdict.choices,
        error_messages={"required": "Choose a verdict: fail, pass or unsure."},
    )
    modes = forms.MultipleChoiceField(required=False)
    new_mode = forms.CharField(required=False, max_length=80)
    severity = forms.ChoiceField(required=False, choices=[("", "None"), *Severity.choices])
    note = forms.CharField(required=False, max_length=10_000, strip=True)
    corrected = forms.CharField(required=False, max_length=MOST_CORRECTED, strip=False)
    promote = forms.BooleanField(required=False)
    eval_set = forms.CharField(required=False, max_length=60)
    new_set = forms.CharField(required=False, max_length=120)
    kind = forms.ChoiceField(required=False, choices=[("", ""), *CaseKind.choices])
    submission = forms.UUIDField(required=False)
    failing_span = forms.RegexField("^[0-9a-f]{16}$", required=False)
    took_ms = forms.IntegerField(required=False, min_value=0, max_value=86_400_000)
    timing = forms.CharField(required=False)  # of the page itself; `review.measuring` reads it

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        modes = FailureMode.objects.filter(project=project, archived_at=None)
        choices = [(mode.slug, mode.name) for mode in modes]
        self.fields["modes"].choices = choices  # type: ignore[attr-defined]  # of its subclass

    def clean_corrected(self) -> str:
        return str(self.cleaned_data["corrected"]).replace("\r\n", "\n")

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        if not data.get("promote"):
            return data
        if data.get("eval_set") in ("", NEW_SET) and not str(data.get("new_set") or "").strip():
            self.add_error("eval_set", "Choose an eval set, or name a new one.")
        if not data.get("kind"):
            data["kind"] = "success" if data.get("verdict") == Verdict.PASS else "known_failure"
        return data

    def corrected_output(self) -> tuple[bool, Json]:
        """Return whether a corrected output was given, and it: JSON where it is JSON, else text."""
        text = self.cleaned_data["corrected"]
        return (True, output_of(text)) if text.strip() else (False, None)

    @staticmethod
    def new_submission() -> str:
        return str(uuid.uuid4())


def output_of(text: str) -> Json:
    """Return an output that a person typed: JSON where it is an object or a list, else the text."""
    if text.strip()[:1] in ("{", "["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text
