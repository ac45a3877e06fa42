"""Sign-in by allauth with our rules: no open sign-up."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """People come by invitation or by `tracehub createuser`."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False
