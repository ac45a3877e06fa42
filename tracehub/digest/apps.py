"""The stage between store and pages: spans in, trace rows out."""

from __future__ import annotations

from django.apps import AppConfig


class DigestConfig(AppConfig):
    name = "tracehub.digest"
