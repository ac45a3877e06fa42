"""Which passwords are too easily guessed here, beyond what Django refuses."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError

from tracehub.projects.models import Project

OWN = 8  # characters that remain when the words of this place are taken out
_SHORT = 3  # a word of fewer letters is in too many passwords


class NotOfThisPlace:
    """Refuses a password that is little but this installation's words.

    These are "tracehub", the parts of its host name, and the slugs and names of its projects; a
    person's own name and address are left to Django's check of similarity.
    """

    def validate(self, password: str, user: object = None) -> None:
        rest = password.casefold()
        for word in sorted(_words(), key=len, reverse=True):
            rest = rest.replace(word, "")
        if len(rest) < OWN:
            raise ValidationError(self.get_help_text(), code="password_of_this_place")

    def get_help_text(self) -> str:
        return (
            "The password must have 8 characters beside the names of this server and its projects."
        )


def _words() -> set[str]:
    texts = ["tracehub", *settings.ALLOWED_HOSTS]
    for named in Project.objects.values_list("slug", "name"):
        texts += named
    words = (word for text in texts for word in re.split(r"[\W_]+", text.casefold()))
    return {word for word in words if len(word) >= _SHORT}
