"""Django's registration of this app."""

from __future__ import annotations

from importlib import import_module

from django.apps import AppConfig


class TracesConfig(AppConfig):
    name = "tracehub.traces"

    def ready(self) -> None:
        """Make our Celery application the current one in every process that may wake a worker."""
        import_module("tracehub.celery")
