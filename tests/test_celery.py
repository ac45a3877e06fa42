"""The scheduler that wakes workers."""

from __future__ import annotations

import logging.config
from datetime import timedelta

from celery.signals import setup_logging
from django.core.checks import run_checks

from tracehub.beat import Scheduler
from tracehub.beat import app as beat
from tracehub.celery import app


def test_a_clock_that_is_set_back_an_hour_stops_no_task(tmp_path, monkeypatch):
    sent: list[str] = []
    monkeypatch.setattr(
        Scheduler, "apply_async", lambda _self, entry, **_more: sent.append(entry.task)
    )
    scheduler = Scheduler(app=beat, schedule_filename=str(tmp_path / "schedule"))
    try:
        scheduler.tick()
        moment = beat.now()
        for entry in scheduler.schedule.values():
            entry.last_run_at = moment + timedelta(hours=1)
        assert scheduler.tick() <= 2.0  # what the shortest interval leaves
        later = beat.now() + timedelta(hours=2)
        monkeypatch.setattr(beat, "now", lambda: later)
        sent.clear()
        for _ in scheduler.schedule:
            scheduler.tick()
        assert {entry["task"] for entry in beat.conf.beat_schedule.values()} <= set(sent)
    finally:
        scheduler.close()


def test_beat_logs_as_web_and_worker_do(settings, monkeypatch):
    """Without Django, which would see to it, Celery's own form would let secrets through."""
    given = []
    monkeypatch.setattr(logging.config, "dictConfig", given.append)
    setup_logging.send(sender=None, loglevel=logging.WARNING)
    assert given == [settings.LOGGING]


def test_every_entry_of_the_schedule_is_one_that_beat_takes():
    tasks = [entry["task"] for entry in app.conf.beat_schedule.values()]
    assert all(set(e) == {"task", "schedule", "options"} for e in app.conf.beat_schedule.values())
    app.loader.import_default_modules()
    assert set(tasks) <= set(app.tasks)
    assert len(tasks) == len(set(tasks))


def test_djangos_checks_which_a_worker_leaves_out_find_nothing():
    assert run_checks() == []
