"""Migrations say the same as the models, and may run while an older TraceHub serves."""

from __future__ import annotations

import re

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, migrations, models
from django.db.migrations.loader import MigrationLoader
from django.db.models import NOT_PROVIDED

from tests.conftest import _as
from tracehub.cli import bootstrap
from tracehub.cli.config import ConfigError

# The newest migrations when rolling upgrades were first promised. What is older ran with no user.
MARK = {
    "digest": 7,
    "evals": 11,
    "failures": 7,
    "metrics": 6,
    "notify": 3,
    "projects": 9,
    "review": 10,
    "traces": 14,
    "web": 0,
}
# The code before this one reads and writes these tables until it is stopped.
TAKES_AWAY = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
SQL = re.compile(r"\b(DROP|RENAME)\s+(TABLE|COLUMN|TO)\b|SET\s+NOT\s+NULL|ALTER\s+\w+\s+TYPE", re.I)


def test_no_model_change_lacks_a_migration(db):
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def breaks(operation: migrations.operations.base.Operation) -> str:
    """Say why code of the version before would fail on the changed tables, empty when not."""
    if isinstance(operation, migrations.SeparateDatabaseAndState):
        return next(filter(None, map(breaks, operation.database_operations)), "")
    if isinstance(operation, TAKES_AWAY):
        return "takes away what older code uses"
    if isinstance(operation, migrations.AddField):
        field = operation.field
        filled = field.null or field.db_default is not NOT_PROVIDED or field.many_to_many
        return "" if filled else "adds a column that older code leaves empty: set db_default"
    if isinstance(operation, migrations.AddIndex) and operation.model_name in {"span", "trace"}:
        return "locks a large table: use traces.partitions.create_index"
    if isinstance(operation, migrations.RunSQL) and SQL.search(str(operation.sql)):
        return "takes away or narrows what older code uses"
    return ""


def test_migrations_since_the_mark_leave_the_code_before_them_working():
    found = []
    for (app, name), migration in MigrationLoader(None).disk_migrations.items():
        if app in MARK and int(name[:4]) > MARK[app]:
            found += [f"{app}.{name} {why}" for one in migration.operations if (why := breaks(one))]
    assert found == []


@pytest.mark.parametrize(
    ("operation", "word"),
    [
        (migrations.RemoveField("trace", "name"), "takes away"),
        (migrations.AddField("project", "x", models.IntegerField(default=1)), "db_default"),
        (migrations.AddField("project", "x", models.IntegerField(db_default=1)), ""),
        (migrations.AddField("project", "x", models.IntegerField(null=True)), ""),
        (migrations.AddIndex("trace", models.Index(fields=["name"], name="n")), "locks"),
        (migrations.RunSQL("ALTER TABLE traces DROP COLUMN name"), "takes away"),
        (migrations.RunSQL("CREATE TABLE t (a int)"), ""),
    ],
)
def test_what_would_break_older_code_is_known(operation, word):
    assert word in breaks(operation)
    assert bool(word) == bool(breaks(operation))


@pytest.fixture
def new_column(monkeypatch):
    """A migration that changes `traces`, in the place of Django's command."""
    tries = []

    def migrate(*_args, **_options):
        tries.append(1)
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE traces ADD COLUMN IF NOT EXISTS later int")

    monkeypatch.setattr("django.core.management.call_command", migrate)
    return tries


@pytest.fixture
def as_owner(database_url, committed_db):
    """Django on the test's own database as the role that migrates."""
    connection.close_pool()
    before = _as(database_url)
    yield
    connection.close()
    connection.close_pool()
    _as(before)


def test_a_migration_that_waits_for_a_long_read_gives_up_so_that_nobody_waits(
    as_owner, database_url, new_column, monkeypatch
):
    monkeypatch.setattr(bootstrap, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(bootstrap, "LOCK_PAUSE", 0.0)
    monkeypatch.setattr(bootstrap, "LOCK_TRIES", 2)
    with psycopg.connect(database_url) as reader:
        reader.execute("SELECT count(*) FROM traces")  # and its transaction stays open
        with pytest.raises(ConfigError, match="something holds them"):
            bootstrap.migrate()
        assert len(new_column) == 2
        with psycopg.connect(database_url) as writer:  # nobody stands in its way
            writer.execute("SET lock_timeout = '100ms'")
            writer.execute("DELETE FROM traces")
    bootstrap.migrate()
    with psycopg.connect(database_url) as link, connection.cursor() as cursor:
        assert link.execute("SELECT later FROM traces").fetchall() == []
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)
