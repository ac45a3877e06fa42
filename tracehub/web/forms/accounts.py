"""Forms of the ways in."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from tracehub.projects.models import User


class JoinForm(forms.Form):
    """What a new person chooses when they take a seat."""

    name = forms.CharField(
        max_length=120, error_messages={"required": "Write the name that others see."}
    )
    password = forms.CharField(
        max_length=128,
        strip=False,
        error_messages={"required": "Choose a password of at least 12 characters."},
    )

    def __init__(self, *args: Any, email: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.email = email

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if password := values.get("password"):
            person = User(email=self.email, name=values.get("name", ""))
            try:
                validate_password(password, person)
            except ValidationError as error:
                self.add_error("password", error)
        return values
