"""Webhooks, alerts and mail: what leaves the installation, and the log of it."""

from __future__ import annotations

from django.apps import AppConfig


class NotifyConfig(AppConfig):
    name = "tracehub.notify"
