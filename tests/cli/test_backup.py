"""A backup holds everything, is checked before and after, and a failed restore changes nothing."""

from __future__ import annotations

import json
import zipfile

import psycopg
import pytest
from click.testing import CliRunner

from tests import seed
from tracehub.cli import archive, pgdump
from tracehub.cli.config import ConfigError
from tracehub.cli.main import main
from tracehub.traces.payloads import objects


def call(*arguments: str):
    return CliRunner().invoke(main, [str(a) for a in arguments])


def fill(url: str, projects: int = 3) -> None:
    with psycopg.connect(url) as link:
        link.execute("SELECT tracehub_ensure_partitions(current_date, current_date)")
        for number in range(projects):
            slug = f"sky-{number}-é-\U0001f6eb"
            link.execute(
                "INSERT INTO django_session VALUES (%s, %s, now())", (slug, "x" * 10_000 * number)
            )


def contents(url: str) -> dict[str, object]:
    with psycopg.connect(url) as link:
        pgdump.form(link)
        return {name: pgdump.contents(link, name) for name in pgdump.tables(link)}


@pytest.fixture
def use(monkeypatch):
    """Have commands use that database."""
    return lambda url: monkeypatch.setenv("DATABASE_URL", url)


@pytest.fixture
def saved(database_url, use, tmp_path):
    """A backup of a database with a few rows."""
    fill(database_url)
    use(database_url)
    done = call("backup", tmp_path / "all.zip")
    assert done.exit_code == 0, done.output
    return tmp_path / "all.zip"


def test_what_was_backed_up_is_restored_row_by_row(saved, database_url, use):
    before = contents(database_url)
    assert before["django_session"]["rows"] == 3
    assert saved.stat().st_mode & 0o777 == 0o600
    with psycopg.connect(database_url) as link:
        link.execute("DELETE FROM django_session")
        link.execute("CREATE TABLE stray ()")
    refused = call("restore", saved)
    assert refused.exit_code == 1
    assert "The database is not empty. Use --replace" in refused.output
    done = call("restore", saved, "--replace")
    assert done.exit_code == 0, done.output
    assert contents(database_url) == before
    with psycopg.connect(database_url) as link:
        link.execute("SELECT tracehub_ensure_partitions(current_date, current_date + 9)")
        schemas = "SELECT count(*) FROM pg_namespace WHERE nspname = %s"
        assert link.execute(schemas, (pgdump.ASIDE,)).fetchone() == (0,)


def test_payloads_outside_the_database_are_in_it_and_come_back(
    database_url, use, tmp_path, settings
):
    place = {"location": str(tmp_path / "objects")}
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": place}
    settings.STORAGES = settings.STORAGES | {"payloads": files}
    with psycopg.connect(database_url) as link:
        link.execute(
            "INSERT INTO payload_objects SELECT 1, current_date, gen_random_uuid(), 1, key, now()"
            " FROM unnest('{2026/11/30/1/a/b,2026/11/30/1/a/gone,\"\"}'::text[]) AS key"
        )
    objects.save("2026/11/30/1/a/b", b"payload")
    use(database_url)
    done = call("backup", tmp_path / "all.zip")
    assert done.exit_code == 0, done.output
    assert "1 payloads could not be read" in done.output
    objects.delete("2026/11/30/1/a/b")
    restored = call("restore", tmp_path / "all.zip", "--replace")
    assert restored.exit_code == 0, restored.output
    assert objects.read("2026/11/30/1/a/b") == b"payload"


def test_an_order_of_rows_is_not_told_apart_and_a_changed_row_is(database_url):
    fill(database_url)
    before = contents(database_url)
    with psycopg.connect(database_url) as link:
        link.execute("CREATE TABLE other AS SELECT * FROM django_session ORDER BY 1 DESC")
        link.execute("TRUNCATE django_session")
        link.execute("INSERT INTO django_session SELECT * FROM other ORDER BY 1 DESC")
        link.execute("DROP TABLE other")
    assert contents(database_url) == before
    with psycopg.connect(database_url) as link:
        link.execute("UPDATE django_session SET session_data = 'y' WHERE session_key LIKE 'sky-0%'")
    changed = contents(database_url)
    assert {name for name in before if before[name] != changed[name]} == {"django_session"}


def test_a_file_that_is_not_a_whole_backup_is_refused_before_anything_is_touched(
    saved, database_url
):
    before = contents(database_url)
    whole = saved.read_bytes()
    for harm in ("cut", "flip", "not a zip", "newer format", "newer migration"):
        saved.write_bytes(whole)
        damage(saved, harm)
        refused = call("restore", saved, "--replace")
        assert refused.exit_code == 1, harm
        assert refused.output.rstrip().splitlines()[-1].startswith("Error: "), harm
    assert contents(database_url) == before


def damage(path, harm: str) -> None:
    data = path.read_bytes()
    if harm == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif harm == "flip":
        at = len(data) // 3
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif harm == "not a zip":
        path.write_text("PGDMP")
    else:
        manifest = archive.read_manifest(path)
        if harm == "newer format":
            manifest["format"] = 99
        else:
            manifest["migrations"].append("traces.9999_later")
        rewrite(path, manifest)


def rewrite(path, manifest) -> None:
    with zipfile.ZipFile(path) as old:
        dump = old.read(archive.DUMP)
    with zipfile.ZipFile(path, "w") as new:
        new.writestr(archive.DUMP, dump)
        new.writestr(archive.MANIFEST, json.dumps(manifest))


def test_what_was_there_comes_back_when_the_loaded_rows_are_not_those_of_the_backup(
    saved, database_url
):
    before = contents(database_url)
    manifest = archive.read_manifest(saved)
    manifest["tables"]["django_session"]["rows"] = 99
    rewrite(saved, manifest)
    refused = call("restore", saved, "--replace")
    assert refused.exit_code == 1
    assert "differs from the backup in django_session" in refused.output
    assert contents(database_url) == before


def test_a_restore_waits_for_nobody_who_uses_the_database(saved, database_url):
    with psycopg.connect(database_url, application_name="tracehub-ingest"):
        refused = call("restore", saved, "--replace")
    assert refused.exit_code == 1
    assert "Others are connected to the database (tracehub-ingest)." in refused.output


def test_the_secret_key_travels_sealed_by_the_passphrase(database_url, use, tmp_path, monkeypatch):
    use(database_url)
    monkeypatch.setenv("TRACEHUB_SECRET_KEY", "one secret of fifty characters, more or less")
    monkeypatch.setenv("TRACEHUB_BACKUP_PASSPHRASE", "correct horse")
    path = tmp_path / "sealed.zip"
    assert call("backup", path).exit_code == 0
    assert b"one secret" not in path.read_bytes()
    monkeypatch.delenv("TRACEHUB_SECRET_KEY")
    monkeypatch.setenv("TRACEHUB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("TRACEHUB_BACKUP_PASSPHRASE", "battery staple")
    wrong = call("restore", path, "--replace")
    assert wrong.exit_code == 1
    assert "is not the one with which this backup was made" in wrong.output
    assert not (tmp_path / "data" / "secret_key").exists()
    monkeypatch.setenv("TRACEHUB_BACKUP_PASSPHRASE", "correct horse")
    assert call("restore", path, "--replace").exit_code == 0
    kept = tmp_path / "data" / "secret_key"
    assert kept.read_text() == "one secret of fifty characters, more or less"
    assert kept.stat().st_mode & 0o777 == 0o600


def test_without_a_passphrase_a_backup_says_that_the_key_is_not_in_it(saved, tmp_path, use):
    assert archive.read_manifest(saved)["secret_key"] is None
    again = call("backup", tmp_path / "second.zip")
    assert "The secret key is not in it" in again.output
    taken = call("backup", saved)
    assert taken.exit_code == 1
    assert "exists. Choose another name" in taken.output


@pytest.mark.processes
def test_an_installation_moves_to_another_folder_by_its_backup(folder, run_command):
    old, new = ("--data", str(folder / "old")), ("--data", str(folder / "new"))
    seed.copy_to(folder / "old")
    assert run_command("createproject", "sky", *old).returncode == 0
    saved = run_command("backup", str(folder / "all.zip"), *old)
    assert saved.returncode == 0, saved.stderr
    restored = run_command("restore", str(folder / "all.zip"), *new)
    assert restored.returncode == 0, restored.stderr
    assert "all equal" in restored.stdout
    taken = run_command("createproject", "sky", *new)
    assert "slug 'sky' is taken" in taken.stderr


@pytest.mark.parametrize(
    ("server", "here", "taken"),
    [
        (18, 15, "embedded"),
        (18, 18, "here"),
        (15, 15, "here"),
        (16, 15, "embedded"),
        (19, 20, "here"),
    ],
)
def test_the_program_is_the_oldest_that_knows_the_server(
    tmp_path, monkeypatch, server, here, taken
):
    """pg_restore of 18 sets what a server of 15 does not know; pg_dump of 15 refuses 18."""
    program = tmp_path / "pg_dump"
    program.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {here}.4 (Debian {here}.4-1)'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found, version = pgdump._find("pg_dump", server)
    assert (found == str(program)) == (taken == "here")
    assert version >= server


def test_a_server_that_is_too_new_is_told_with_what_to_install(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ConfigError, match=r"Debian: postgresql-client-99\)"):
        pgdump._find("pg_dump", 99)
