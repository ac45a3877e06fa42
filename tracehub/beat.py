"""The scheduler: `celery -A tracehub.beat beat`.

It sends names of tasks and needs none of their code, so that it starts at once and stays small.
"""

from __future__ import annotations

import logging.config
import os
from typing import Any

from celery import Celery
from celery.beat import PersistentScheduler
from celery.signals import setup_logging
from django.conf import settings

from tracehub import broker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")


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


@setup_logging.connect  # type: ignore[untyped-decorator]
def log_like_the_others(**_options: Any) -> None:
    """Write lines as web and worker do; Django, which does it for them, is not set up here."""
    logging.config.dictConfig(settings.LOGGING)


app = Celery("tracehub", fixups=[])  # without Django's, which would load all that it installs
broker.configure(app)
