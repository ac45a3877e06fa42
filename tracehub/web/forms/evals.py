"""Forms of the eval set pages."""

from __future__ import annotations

from django import forms


class NewSetForm(forms.Form):
    """A new eval set; the slug comes from the name."""

    name = forms.CharField(
        max_length=120, error_messages={"required": "Give the set a name, such as Refund replies."}
    )
    description = forms.CharField(required=False, max_length=2000)


class FixForm(forms.Form):
    """Fixing the draft: a note says what this version is for."""

    note = forms.CharField(required=False, max_length=2000)
