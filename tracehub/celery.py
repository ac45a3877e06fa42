"""The Celery application: `celery -A tracehub.celery worker`."""

from __future__ import annotations

import os
from pathlib import Path

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")

app = Celery("tracehub")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


def _make_broker_folders() -> None:
    """kombu's filesystem transport expects its folders to be there."""
    options = app.conf.broker_transport_options
    for name in ("data_folder_in", "control_folder"):
        if folder := options.get(name):
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)


_make_broker_folders()
