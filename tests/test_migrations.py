"""Migrations say the same as the models."""

from __future__ import annotations

from django.core.management import call_command


def test_no_model_change_lacks_a_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
