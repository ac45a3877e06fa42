"""Notes for the next page ("Saved."), in a cookie that no other host can set."""

from __future__ import annotations

from django.conf import settings
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.messages.storage.fallback import FallbackStorage
from django.contrib.messages.storage.session import SessionStorage


class InCookie(CookieStorage):
    cookie_name = f"{settings.COOKIE_PREFIX}messages"


class Notes(FallbackStorage):
    """As Django's default: a cookie, and the session for what is too long for it."""

    storage_classes = (InCookie, SessionStorage)
