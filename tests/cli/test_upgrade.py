"""A data folder of an older version comes up, and what it holds stays."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys

import psycopg
import pytest

from tests.faults.ledger import post, request_of_spans
from tracehub.cli import config, pgroles
from tracehub.cli.postgres import Cluster

pytestmark = pytest.mark.processes

# Before web and worker had a role of their own.
MIGRATE = """
import django
from django.core.management import call_command
django.setup()
call_command("migrate", "projects", "0005_outbox", verbosity=0)
call_command("migrate", "traces", "0008_saved_views", verbosity=0)
"""


def older_folder(data) -> None:
    """Leave what `up` of that version left: its tables, one role, its passwords."""
    data.mkdir()
    cluster = Cluster.of(data)
    server = cluster.start()
    try:
        pgroles.ensure_database(cluster)
        env = os.environ | {
            "DATABASE_URL": cluster.url(),
            "TRACEHUB_DATA_DIR": str(data),
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
        }
        command = [sys.executable, "-c", MIGRATE]
        subprocess.run(command, env=env, cwd="/", check=True, timeout=60)
        with psycopg.connect(cluster.superuser_url("tracehub"), autocommit=True) as link:
            link.execute(
                "INSERT INTO projects_project"
                " (slug, name, created_at, default_branch, hides_content)"
                " VALUES ('kept', 'Kept', now(), 'main', false)"
            )
            for role in (config.APP_ROLE, config.READ_ROLE):
                link.execute(f"DROP OWNED BY {role}".encode())
                link.execute(f"DROP ROLE {role}".encode())
    finally:
        server.stop()
    forget(cluster, "app_password", "read_password")


def forget(cluster: Cluster, *names: str) -> None:
    """Take entries out of the file of credentials."""
    kept = {name: value for name, value in cluster.state.items() if name not in names}
    config.write_private(cluster.folder / "postgres.json", json.dumps(kept))


def test_an_older_data_folder_comes_up_with_what_is_new(start_up, folder):
    data = folder / "data"
    older_folder(data)
    cluster = Cluster.of(data)
    with pytest.raises(config.ConfigError, match="has no app_password: an older TraceHub"):
        cluster.app_url()

    named_by_older_pages = data / "static" / "css" / "app.0123456789ab.css"
    named_by_older_pages.parent.mkdir(parents=True)
    named_by_older_pages.write_text("a {}")

    up = start_up(data)
    assert named_by_older_pages.exists()
    key = re.search(r"th_ing_\w+", up.log)[0]
    body, _ids = request_of_spans()
    assert post(up.url, key, body).status == 200
    assert pgroles.excess(cluster.app_url()) == []
    with psycopg.connect(cluster.app_url()) as link:
        assert link.execute("SELECT slug FROM projects_project ORDER BY id").fetchall() == [
            ("kept",),
            ("default",),
        ]
    assert up.stop() == 0

    forget(cluster, "app_password")  # as a file from a backup that is older than the role
    server = cluster.start()
    try:
        pgroles.ensure_database(cluster)
        psycopg.connect(cluster.app_url()).close()
    finally:
        server.stop()
