"""Giving a command its database and Django, whether `tracehub up` runs or not."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from tracehub.cli import config, locks

READY_SECONDS = 60.0
# What a statement meets while another process still makes the tables, or where none did.
NOT_YET = ("UndefinedTable", "UndefinedColumn", "InsufficientPrivilege")


@contextlib.contextmanager
def application(*, migrate: bool = True) -> Iterator[None]:
    """Have Django set up on the installation's database for the time of the block.

    A running `up` lends its embedded database. Without one the database is started for the block
    and, with `migrate`, brought to this version's tables. Raises ConfigError or ClickException.
    """
    with database() as ours:
        os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")
        app_url = config.database_url()
        if ours and migrate:
            os.environ["DATABASE_URL"] = config.owner_url()
        if url := running(config.data_dir()).get("url"):
            os.environ.setdefault("TRACEHUB_BASE_URL", str(url))
        import django

        django.setup()
        from django.db import OperationalError, ProgrammingError

        from tracehub.cli import bootstrap, pgroles
        from tracehub.projects.actions import ActionError

        try:
            if ours and migrate:
                bootstrap.migrate()
                pgroles.grant(config.owner_url(), app_url)
            yield
        except ActionError as refusal:
            raise click.ClickException(str(refusal)) from refusal
        except OperationalError as error:
            reason = str(error).strip().splitlines()[0]
            raise config.ConfigError(f"The database cannot be reached: {reason}") from error
        except ProgrammingError as error:
            if type(error.__cause__).__name__ not in NOT_YET:
                raise
            raise config.ConfigError(
                f"The tables are not those of this version ({str(error).splitlines()[0]}). Wait "
                "until `tracehub up` says that it is ready, or ask `tracehub doctor`."
            ) from error


def with_django() -> None:
    """Set Django up where a command needs no application but a part of it."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")
    import django

    django.setup()


def running(folder: Path) -> dict[str, Any]:
    """Return what the live supervisor of `folder` says of itself, or an empty dict."""
    lives = (folder / "up.json").exists() and locks.is_held(folder / "up.lock")
    return config.read_json(folder / "up.json") if lives else {}


@contextlib.contextmanager
def database() -> Iterator[bool]:
    """Have the database run during the block, with DATABASE_URL (and its owner's) set for it.

    Gives True when it was started for this block alone.
    """
    if not config.is_embedded():
        yield False
        return
    from tracehub.cli.postgres import Cluster

    folder = config.make_data_dir(config.data_dir())
    with contextlib.ExitStack() as stack:
        ours = _join(folder, stack)
        url = config.database_url()
        if not ours:
            _wait_until_open(url)
        given = {"DATABASE_URL": Cluster.of(folder).app_url(), "DATABASE_OWNER_URL": url}
        os.environ.update(given)
        for name in given:
            stack.callback(os.environ.pop, name)
        yield ours


def _join(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Start the database, or join those who use the one that another process runs.

    A starter that is no supervisor waits with its stop for the others, who share
    `database.users` for as long as they work.
    """
    owner, users = folder / "database.lock", folder / "database.users"
    while True:
        try:
            stack.enter_context(locks.held(owner))
        except locks.Busy:
            stack.enter_context(locks.shared(users, wait_seconds=READY_SECONDS))
            if locks.is_held(owner):
                return False
            stack.pop_all().close()  # it stopped meanwhile: be the one who starts it
            continue
        _start_for_block(folder, users, stack)
        return True


def _start_for_block(folder: Path, users: Path, stack: contextlib.ExitStack) -> None:
    from tracehub.cli import pgroles
    from tracehub.cli.postgres import Cluster

    cluster = Cluster.of(folder, lambda line: click.echo(line, err=True))
    server = cluster.start()

    def stop() -> None:
        with locks.held(users, wait_seconds=3600.0):
            server.stop()

    stack.callback(stop)
    pgroles.ensure_database(cluster)
    pgroles.check_durable(cluster.url())


def _wait_until_open(url: str) -> None:
    """Wait until the server that another process starts takes connections."""
    import psycopg

    deadline = time.monotonic() + READY_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                reason = str(error).strip().splitlines()[0]
                raise config.ConfigError(f"The database does not answer: {reason}") from error
            time.sleep(0.1)
