"""The Celery application: `celery -A tracehub.celery worker`."""

from __future__ import annotations

import gc
import os
from importlib.metadata import version
from typing import Any

from celery import Celery
from celery.signals import worker_init, worker_ready

from tracehub import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")  # they load every page; a test runs them

app = Celery("tracehub")
broker.configure(app)
app.autodiscover_tasks()


@worker_init.connect  # type: ignore[untyped-decorator]
def tell(**_context: Any) -> None:
    """Tell of the worker's errors and tasks, where that is asked for."""
    from tracehub.projects import telemetry

    telemetry.start("worker", version("tracehub"))


@worker_ready.connect  # type: ignore[untyped-decorator]
def look_at_once(**_context: Any) -> None:
    """A worker that starts does not wait for the sweep: work may have come while it was away."""
    gc.freeze()  # what is loaded by now stays, and is not gone through again with each batch
    gc.set_threshold(20_000, 20, 50)
    app.send_task("tracehub.digest", expires=60, ignore_result=True)
