"""Contracts and groups of failures."""

from __future__ import annotations

from django.apps import AppConfig


class FailuresConfig(AppConfig):
    name = "tracehub.failures"
