"""Forms of the Settings page."""

from __future__ import annotations

from django import forms

from tracehub.projects.models import Role, Scope


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


class ProfileForm(forms.Form):
    """What a person chooses for themselves."""

    name = forms.CharField(max_length=120, required=False)
    theme = forms.ChoiceField(
        choices=[("", "System"), ("light", "Light"), ("dark", "Dark")], required=False
    )
    single_keys = forms.BooleanField(required=False)
