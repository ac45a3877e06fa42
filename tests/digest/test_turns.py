"""Whose turn it is when traffic never ends: a digest always waits before everything else."""

from __future__ import annotations

from django.conf import settings

from tracehub.digest import tasks


def test_what_waits_behind_digests_does_not_expire_meanwhile():
    """One digest runs when a message comes, and one more before it: older ones expire unrun."""
    for name, each in settings.CELERY_BEAT_SCHEDULE.items():
        if each["task"] == tasks.digest.name:
            assert each["options"]["expires"] <= tasks.RUN_SECONDS
        else:
            assert each["options"]["expires"] >= 4 * tasks.RUN_SECONDS, name
