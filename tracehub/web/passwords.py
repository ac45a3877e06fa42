"""Which passwords are too easily guessed here, beyond what Django refuses."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.exceptions import ValidationError

from tracehub.projects.models import Project

# 190 years at one try a minute, which is what an account takes (5 in 5 minutes).
GUESSES = 10**8
_READ = 72  # characters that zxcvbn reads: its time grows with the square of them
OWN = 8  # characters that remain when the words of this place are taken out
_SHORT = 3  # a word of fewer letters is in too many passwords


class EasilyGuessed:
    """Refuses what a program that knows how people choose guesses within `GUESSES` tries.

    By zxcvbn (Wheeler, USENIX Security 2016): common passwords, words, names, dates, rows of the
    keyboard, repeats, and these put together. Nothing is sent anywhere.
    """

    def validate(self, password: str, user: object = None) -> None:
        # Here, for its lists of words take 10 MB that few processes ever need.
        from zxcvbn import zxcvbn

        found = zxcvbn(password[:_READ])
        if found["guesses"] < GUESSES:
            why = found["feedback"]["warning"] or "It is made of few common words or signs."
            raise ValidationError(
                f"The password is easily guessed. {why}", code="password_easily_guessed"
            )

    def get_help_text(self) -> str:
        return "The password must not be easily guessed: four unusual words are a good one."


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
