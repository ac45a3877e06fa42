"""`tracehub backup` and `tracehub restore`."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import click
import psycopg
from tqdm import tqdm

from tracehub.cli import archive, config, payload_files, pgdump
from tracehub.cli.config import ConfigError
from tracehub.cli.connect import database, running, with_django
from tracehub.cli.options import data_option

FILE = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=FILE)
@data_option
def backup(file: Path) -> None:
    """Write the whole database into FILE, with counts and hashes to check a restore by.

    Everything may go on meanwhile. With TRACEHUB_BACKUP_PASSPHRASE the secret key is in it,
    sealed by that passphrase; without, keep the key by other means.

    \b
    Example:
      tracehub backup /var/backups/tracehub-2026-11-25.zip
    """
    if file.exists():
        raise ConfigError(f"{file} exists. Choose another name, or take it away first.")
    with database() as _ours:
        manifest = _written(config.owner_url(), file)
    rows = sum(table["rows"] for table in manifest["tables"].values())
    click.echo(
        f"{file}: {len(manifest['tables'])} tables, {rows} rows, {file.stat().st_size / 1e6:.1f} MB"
    )
    if manifest["secret_key"] is None:
        click.echo(
            "The secret key is not in it: keep the file secret_key of the data folder (or "
            "TRACEHUB_SECRET_KEY) elsewhere, or set TRACEHUB_BACKUP_PASSPHRASE.",
            err=True,
        )


def _written(url: str, file: Path) -> dict[str, Any]:
    """Write the archive beside its place and move it there whole; return its manifest."""
    draft = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        handle = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w+b") as target:
            with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as zipped:
                manifest = _fill(url, zipped)
                zipped.writestr(archive.MANIFEST, config.to_json(manifest))
            target.flush()
            os.fsync(target.fileno())
        draft.replace(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        draft.unlink(missing_ok=True)
    return manifest


def _fill(url: str, zipped: zipfile.ZipFile) -> dict[str, Any]:
    """Dump and count within one snapshot, so that the two agree while others write."""
    digest, size = hashlib.sha256(), 0

    with psycopg.connect(url, autocommit=True, connect_timeout=10) as link:
        snapshot = pgdump.snapshot(link)
        server = link.info.server_version
        names = pgdump.tables(link)
        if "django_migrations" not in names:
            raise ConfigError("There is nothing to back up: the database has no tables of ours.")
        with zipped.open(archive.DUMP, "w", force_zip64=True) as sink, _bar("Dump") as bar:

            def seen(part: bytes) -> None:
                nonlocal size
                digest.update(part)
                size += len(part)
                bar.update(len(part))

            pgdump.dump(url, snapshot, sink, seen)
        tables = _counted(link, names, "Count")
        migrations = _migrations(link)
        payloads = payload_files.add(link, zipped)
        link.execute("COMMIT")
    passphrase = os.environ.get("TRACEHUB_BACKUP_PASSPHRASE", "")
    return {
        "format": archive.FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tracehub": version("tracehub"),
        "postgresql": f"{server // 10000}.{server % 10000}",
        "migrations": migrations,
        "tables": tables,
        "payloads": payloads,
        "dump": {"bytes": size, "sha256": digest.hexdigest()},
        "secret_key": archive.seal(config.secret_key(), passphrase) if passphrase else None,
    }


@click.command()
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="Put it in the place of what the database holds.")
@data_option
def restore(file: Path, *, replace: bool) -> None:
    """Load a backup into an empty database, or with --replace in the place of what is there.

    The file is checked from end to end before anything is touched, and what was loaded is
    compared with the counts and hashes of the backup before anything is dropped.

    \b
    Example:
      tracehub restore /var/backups/tracehub-2026-11-25.zip --data /srv/tracehub
    """
    manifest = archive.read_manifest(file)
    secret = _secret_key(manifest)
    _check_version(manifest)
    with _bar("Check", manifest["dump"]["bytes"]) as bar:
        archive.check_dump(file, manifest, bar.update)
    if config.is_embedded() and (state := running(config.data_dir())):
        raise ConfigError(
            f"TraceHub runs on this data folder (process {state['pid']}). Stop it for the restore."
        )
    with database():
        url = config.owner_url()
        _check_target(url, replace=replace)
        with _in_place_of_the_old(url):
            with _bar("Load", manifest["dump"]["bytes"]) as bar, archive.dump_of(file) as dump:
                pgdump.restore(url, dump, bar.update)
            _compare(url, manifest)
            payload_files.put_back(file, manifest)
    if secret:
        config.write_private(config.make_data_dir(config.data_dir()) / "secret_key", secret)
    click.echo(f"Restored {len(manifest['tables'])} tables from {manifest['made_at']}; all equal.")
    _say_what_is_next(manifest, secret)


def _secret_key(manifest: dict[str, Any]) -> str:
    """Return the secret key to put back, empty when it stays as it is."""
    box, phrase = manifest["secret_key"], os.environ.get("TRACEHUB_BACKUP_PASSPHRASE", "")
    return archive.unseal(box, phrase) if box and phrase else ""


def _check_version(manifest: dict[str, Any]) -> None:
    """Raise ConfigError when the backup is of a newer TraceHub than this one."""
    with_django()
    from django.db.migrations.loader import MigrationLoader

    known = set(MigrationLoader(None, ignore_no_migrations=True).disk_migrations)
    unknown = [name for name in manifest["migrations"] if tuple(name.split(".", 1)) not in known]
    if unknown:
        raise ConfigError(
            f"The backup was made by TraceHub {manifest['tracehub']}, which is newer than this "
            f"one ({version('tracehub')}): it has {unknown[0]}. Upgrade first."
        )


def _check_target(url: str, *, replace: bool) -> None:
    with psycopg.connect(url, connect_timeout=10) as link:
        if names := pgdump.others(link):
            raise ConfigError(
                f"Others are connected to the database ({', '.join(names[:5])}). Stop web, worker "
                "and beat for the restore."
            )
        if pgdump.has_aside(link):
            raise ConfigError(
                f"An earlier restore was cut short; what was there before lies in the schema "
                f"{pgdump.ASIDE}. Drop it, or drop public and rename it to public, then try again."
            )
        if not replace and pgdump.tables(link):
            raise ConfigError(
                "The database is not empty. Use --replace to put the backup in its place, or "
                "another data folder or DATABASE_URL."
            )


@contextmanager
def _in_place_of_the_old(url: str) -> Iterator[None]:
    """Have an empty schema for the block; what was there comes back when the block fails."""
    pgdump.set_aside(url)
    try:
        yield
    except BaseException:
        pgdump.bring_back(url)
        raise
    pgdump.drop_aside(url)


def _compare(url: str, manifest: dict[str, Any]) -> None:
    """Raise ConfigError unless every table holds what it held when the backup was made."""
    with psycopg.connect(url) as link:
        pgdump.form(link)
        found = _counted(link, pgdump.tables(link), "Compare")
    wanted = manifest["tables"]
    if differ := [name for name in wanted if found.get(name) != wanted[name]]:
        raise ConfigError(
            f"What was loaded differs from the backup in {', '.join(differ)}. The database is as "
            "it was before."
        )


def _say_what_is_next(manifest: dict[str, Any], secret: str) -> None:
    if secret and os.environ.get("TRACEHUB_SECRET_KEY", "").strip() not in {"", secret}:
        key = "TRACEHUB_SECRET_KEY differs from the key of the backup and goes before it."
    elif secret:
        key = "The secret key is that of the backup."
    elif manifest["secret_key"]:
        key = "The secret key stays as it is: set TRACEHUB_BACKUP_PASSPHRASE to bring it back."
    else:
        key = "The backup does not hold the secret key: without it, people sign in again."
    click.echo(key, err=True)
    click.echo("Start `tracehub up`, which brings the tables to this version.", err=True)


def _counted(link: psycopg.Connection, names: list[str], what: str) -> dict[str, Any]:
    with tqdm(names, desc=what, unit=" tables", mininterval=0.5) as bar:
        return {name: pgdump.contents(link, name) for name in bar}


def _migrations(link: psycopg.Connection) -> list[str]:
    query = "SELECT app || '.' || name FROM public.django_migrations ORDER BY 1"
    return [name for (name,) in link.execute(query).fetchall()]


def _bar(what: str, total: int | None = None) -> Any:
    """Return a progress bar of bytes on standard error."""
    return tqdm(desc=what, total=total, unit="B", unit_scale=True, mininterval=0.5)
