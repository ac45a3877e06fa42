"""The broker of an installation without one: a folder of messages, beside the data."""

from __future__ import annotations

import time
import uuid
from pathlib import Path
from typing import Any

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES, filesystem
from kombu.utils.json import dumps


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


TRANSPORT_ALIASES["filesystem"] = "tracehub.broker:FolderTransport"


def configure(app: Celery) -> None:
    """Read the settings of an application, and make the folders that kombu expects to be there."""
    app.config_from_object("django.conf:settings", namespace="CELERY")
    options = app.conf.broker_transport_options
    for name in ("data_folder_in", "control_folder"):
        if folder := options.get(name):
            Path(folder).mkdir(parents=True, exist_ok=True, mode=0o700)
