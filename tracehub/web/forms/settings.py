"""Forms of the Settings page."""

from __future__ import annotations

from typing import Any

from django import forms

from tracehub.projects.masking import Chosen
from tracehub.projects.models import MaskKind, Role, Scope


class ProjectForm(forms.Form):
    """The name of a project."""

    name = forms.CharField(max_length=120, error_messages={"required": "Give the project a name."})


class InviteForm(forms.Form):
    """A seat for someone."""

    email = forms.EmailField(
        error_messages={
            "required": "Write an address, such as tor@example.com.",
            "invalid": "Write an address, such as tor@example.com.",
        }
    )
    role = forms.ChoiceField(choices=Role.choices)


class RoleForm(forms.Form):
    """Another role for a member."""

    role = forms.ChoiceField(choices=Role.choices)


class KeyForm(forms.Form):
    """A new key."""

    name = forms.CharField(
        max_length=120,
        error_messages={"required": "Say what will use the key, such as production."},
    )
    scope = forms.ChoiceField(choices=Scope.choices)


class ModeForm(forms.Form):
    """A failure mode: its name, and the rule that tells when it applies."""

    name = forms.CharField(max_length=80, error_messages={"required": "Give the mode a name."})
    definition = forms.CharField(max_length=2000, required=False)


class MaskForm(forms.Form):
    """A masking rule. The name is the placeholder's, and the built-in's own when absent."""

    kind = forms.ChoiceField(choices=MaskKind.choices)
    name = forms.RegexField(
        r"^[a-z0-9][a-z0-9_-]{0,39}$",
        required=False,
        error_messages={"invalid": "A rule's name has small letters, digits, - and _."},
    )
    pattern = forms.CharField(max_length=500, required=False, strip=False)
    within = forms.CharField(max_length=200, required=False)
    action = forms.ChoiceField(
        choices=[("mask", "Mask"), ("drop", "Drop"), ("hmac", "Pseudonym")], required=False
    )

    def clean(self) -> dict[str, Any]:
        """Fill in what a built-in needs not say, and ask for what the others must."""
        given: dict[str, Any] = super().clean() or {}
        own = given.get("kind") in {MaskKind.PATTERN, MaskKind.PATH}
        if not given.get("name") and "name" not in self.errors:
            if own:
                self.add_error("name", "Give the rule a name: it shows where text was masked.")
            given["name"] = given.get("kind", "")
        if own and not given.get("pattern"):
            self.add_error("pattern", "Write the pattern, or the name of the attribute.")
        given["action"] = given.get("action") or "mask"
        return given

    def chosen(self) -> Chosen:
        """Return the rule as ingestion would have it."""
        given = self.cleaned_data
        return Chosen(**given)


class SamplingForm(forms.Form):
    """The share that is kept of the traces that nothing speaks for."""

    one_in = forms.IntegerField(
        error_messages={
            "required": "Write a whole number: 1 keeps all, 10 keeps 1 in 10.",
            "invalid": "Write a whole number: 1 keeps all, 10 keeps 1 in 10.",
        }
    )


class ProfileForm(forms.Form):
    """What a person chooses for themselves."""

    name = forms.CharField(max_length=120, required=False)
    theme = forms.ChoiceField(
        choices=[("", "System"), ("light", "Light"), ("dark", "Dark")], required=False
    )
    single_keys = forms.BooleanField(required=False)
