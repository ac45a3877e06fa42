"""The Celery application: `celery -A tracehub.celery worker`."""

from __future__ import annotations

import gc
import os
import time
import uuid
from importlib.metadata import version
from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import PersistentScheduler
from celery.signals import worker_init, worker_ready
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")


class FolderChannel(filesystem.Channel):
    """kombu's own writes a message in place, and a worker that reads it half-written dies of it."""

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # as kombu's
        folder = Path(self.data_folder_out)
        # Names sort by time, which is the order in which kombu reads.
        name = f"{time.time_ns() // 1_000_000}_{uuid.uuid4()}.{queue}.msg"
        draft = folder / f".{name}.draft"
        draft.write_text(dumps(payload))  # type: ignore[no-untyped-call]
        draft.rename(folder / name)


class FolderTransport(filesystem.Transport):
    """The embedded broker: one file per message in the data folder."""

    Channel = FolderChannel


TRANSPORT_ALIASES["filesystem"] = "tracehub.celery:FolderTransport"


class Scheduler(PersistentScheduler):  # type: ignore[misc]  # celery ships no types
    """Beat's own sits still until the old time is reached when the clock was set back."""

    def tick(self, *args: Any, **kwargs: Any) -> Any:
        now = self.app.now()
        ahead = [entry for entry in self.schedule.values() if entry.last_run_at > now]
        for entry in ahead:
            entry.last_run_at = now
        if ahead:
            self._heap = None  # made anew: it is sorted by the times of the other clock
        return super().tick(*args, **kwargs)


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
