"""Each planted misconfiguration is found, alone, with its mend."""

from __future__ import annotations

import os
import shutil
import uuid
from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from tracehub.cli import config, doctor
from tracehub.core import rollup
from tracehub.digest.models import Heartbeat
from tracehub.metrics.rollup import append
from tracehub.projects.models import Project, User
from tracehub.traces import partitions
from tracehub.traces.models import Parked


@pytest.fixture
def healthy(committed_db, database_url, settings, monkeypatch, tmp_path):
    """A well installation, on the throw-away server of the tests."""
    monkeypatch.setenv("DATABASE_URL", committed_db)
    monkeypatch.setenv("DATABASE_OWNER_URL", database_url)
    settings.SECRET_KEY = "x" * 50
    settings.DATA_DIR = tmp_path
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: disk(free=50))
    # The server of the tests is not durable, on purpose.
    with psycopg.connect(database_url, autocommit=True) as link:
        name = link.info.dbname
        for setting in ("synchronous_commit",):
            link.execute(f'ALTER DATABASE "{name}" SET {setting} = on')
    monkeypatch.setattr("tracehub.cli.pgroles.pgconfig.DURABLE", {"synchronous_commit": "on"})
    partitions.ensure_ahead(timezone.now().date())
    Heartbeat.objects.create(name="digest", at=timezone.now())
    User.objects.create_superuser("admin@localhost")
    return SimpleNamespace(
        url=committed_db, dbname=name, settings=settings, monkeypatch=monkeypatch, data=tmp_path
    )


def disk(free: int):
    return shutil._ntuple_diskusage(100 * 10**9, (100 - free) * 10**9, free * 10**9)


def sql(query: str) -> None:
    with psycopg.connect(os.environ["DATABASE_OWNER_URL"], autocommit=True) as link:
        link.execute(query)


def plain_http(well) -> None:
    well.settings.SECURE, well.settings.LOOPBACK = False, False


def short_secret(well) -> None:
    well.settings.SECRET_KEY = "secret"


def open_secret(well) -> None:
    (well.data / "secret_key").write_text("x")
    (well.data / "secret_key").chmod(0o644)


def not_durable(well) -> None:
    sql(f'ALTER DATABASE "{well.dbname}" SET synchronous_commit = off')


def other_encoding(well) -> None:
    from tracehub.cli.postgres import Cluster

    name = f"{well.dbname}_ascii"
    sql(
        f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc"
        " LOCALE 'C'"
    )
    well.monkeypatch.setenv("DATABASE_URL", Cluster.of(config.data_dir()).app_url(name))


def mighty_role(well) -> None:
    from tracehub.cli.postgres import Cluster

    url = Cluster.of(config.data_dir()).superuser_url(well.dbname)
    well.monkeypatch.setenv("DATABASE_URL", url)
    sql(f'ALTER DATABASE "{well.dbname}" SET synchronous_commit = on')


def owner_everywhere(well) -> None:
    well.monkeypatch.setenv("DATABASE_URL", f"{os.environ['DATABASE_OWNER_URL']}&options=")


def no_broker(well) -> None:
    from tracehub.celery import app

    well.monkeypatch.setattr(app.conf, "broker_url", "amqp://ann:hush@127.0.0.1:9//")


def pending_migration(_well) -> None:
    sql("DELETE FROM django_migrations WHERE app = 'digest'")


def no_worker(_well) -> None:
    Heartbeat.objects.all().delete()


def stale_heartbeat(_well) -> None:
    Heartbeat.objects.update(at=timezone.now() - timedelta(minutes=5))


def backlog(_well) -> None:
    sql(
        "INSERT INTO arrivals (project_id, trace_id, day, dirty_seq, dirty_at) VALUES"
        " (1, gen_random_uuid(), current_date, 1, now() - interval '1 hour')"
    )


def parked(_well) -> None:
    project = Project.objects.create(slug="sky", name="Sky")
    Parked.objects.create(project=project, trace_id=uuid.uuid4(), error="a \x1b[31mred error")


def no_partitions(_well) -> None:
    for part in partitions.existing():
        if part.day > timezone.now().date():
            sql(f"DROP TABLE {part.table}")


def full_disk(well) -> None:
    well.monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _path: disk(free=1))


def nobody(_well) -> None:
    User.objects.all().delete()


def wrong_sums(well) -> None:
    project = Project.objects.create(slug="sky", name="Skylane")
    at = timezone.now() - timedelta(hours=1)
    facts = rollup.ContributionFacts(project_id=project.pk, started_at=at, name="support")
    with connection.cursor() as cursor:
        append(cursor, [(project.pk, None, rollup.contribution(facts))])


PLANTED = [
    (plain_http, "settings", "TRACEHUB_BASE_URL"),
    (short_secret, "secret key", "TRACEHUB_SECRET_KEY"),
    (open_secret, "secret key", "chmod 600"),
    (not_durable, "database", "Set synchronous_commit to on"),
    (other_encoding, "database", "--encoding=UTF8"),
    (mighty_role, "role", "without SUPERUSER"),
    (owner_everywhere, "role", "owns no table"),
    (no_broker, "broker", "TRACEHUB_BROKER_URL"),
    (pending_migration, "migrations", "migrate"),
    (no_worker, "worker", "tracehub up"),
    (stale_heartbeat, "worker", "Celery worker and beat"),
    (backlog, "queue", "more workers"),
    (parked, "parked", "Report it"),
    (wrong_sums, "rollups", "tracehub rollups --project sky --repair"),
    (no_partitions, "partitions", "tracehub prune"),
    (full_disk, "disk", "TRACEHUB_RETENTION_DAYS"),
    (nobody, "people", "createuser"),
]


def test_a_well_installation_has_no_finding_and_each_planted_fault_one(healthy):
    assert [f for f in doctor._findings() if f.mend and f.what != "database"] == []


@pytest.mark.parametrize(
    ("plant", "what", "mend"), PLANTED, ids=[plant.__name__ for plant, _, _ in PLANTED]
)
def test_a_planted_fault_is_found_with_its_mend(healthy, plant, what, mend):
    plant(healthy)
    found = [finding for finding in doctor._findings() if finding.mend]
    assert what in {finding.what for finding in found}
    (finding,) = [finding for finding in found if finding.what == what]
    assert mend in finding.mend
    assert "hush" not in finding.found
    assert len(found) <= 2, found
