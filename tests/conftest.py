"""Fixtures for every test: the database in three forms, and waiting without sleeping.

- `db` (pytest-django): one transaction, rolled back. The quickest; take it unless you commit.
- `committed_db`: Django on a fresh clone of the migrated database, with real commits.
- `database_url`: the URL of such a clone, for processes of their own.
"""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote, urlsplit

import psycopg
import pytest
from django.conf import settings
from django.db import connection, connections
from django.test.utils import setup_databases, teardown_databases

import tracehub.celery  # noqa: F401  messages go to the folder of this run, not to a default broker
from tests.plugin import FOLDER, start_server
from tracehub.cli import environment
from tracehub.cli.config import DATABASE_NAME, OWNER_ROLE
from tracehub.cli.postgres import Server

T = TypeVar("T")
# For tests that are not about the hash; `test_41_…take_the_same_time` takes the real one.
settings.PASSWORD_HASHERS = ["tests.hashers.QuickArgon2", *settings.PASSWORD_HASHERS]
TEMPLATE = DATABASE_NAME  # every table is in it, and nobody connects to it


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long, real processes and browsers: at the end it keeps a core idle."""
    ranks: dict[Path, int] = {}
    for item in items:
        slow = [item.get_closest_marker(name) is not None for name in ("processes", "browser")]
        rank = slow.index(True) if any(slow) else len(slow)
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])  # whole files, as they are dealt out


@pytest.fixture(scope="session")
def postgres_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The server of this process; Django connects to it from now on."""
    server = start_server(request.config.stash[FOLDER])
    os.environ["DATABASE_URL"] = server.cluster.url()
    found = environment.database("DATABASE_URL", server.cluster.url())
    for settings_dict in (settings.DATABASES["default"], connection.settings_dict):
        settings_dict |= {name: found[name] for name in ("NAME", "USER", "PASSWORD", "HOST")}
    yield server
    server.stop()


@pytest.fixture(scope="session")
def django_db_setup(
    django_test_environment, django_db_blocker, postgres_server: Server
) -> Iterator[None]:
    """Make the database of the tests; the one it is a copy of is kept, to clone.

    pytest-django's own fixture makes it only for tests marked `django_db`; those on a clone have
    no such mark.
    """
    settings.DATABASES["default"]["TEST"]["TEMPLATE"] = TEMPLATE
    with django_db_blocker.unblock():
        config = setup_databases(verbosity=0, interactive=False)
        _disconnect()
    owner = _as(postgres_server.cluster.app_url())  # like web and worker; clones are the owner's
    yield
    with django_db_blocker.unblock():
        _disconnect()
        _as(owner)
        teardown_databases(config, verbosity=0)


@pytest.fixture
def database_url(django_db_setup, postgres_server: Server) -> Iterator[str]:
    """A migrated database of the test's own, as its owner."""
    name = f"clone_{uuid.uuid4().hex[:12]}"
    how = f"TEMPLATE {TEMPLATE} OWNER {OWNER_ROLE} STRATEGY file_copy"  # writes no WAL
    _run(postgres_server, f"CREATE DATABASE {name} {how}")
    yield postgres_server.cluster.url(name)
    _run(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def committed_db(database_url: str, postgres_server: Server, django_db_blocker) -> Iterator[str]:
    """Django on a database of the test's own, where commits are real; gives its URL, for web."""
    before = settings.DATABASES["default"]["NAME"]
    clone = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]
    with django_db_blocker.unblock():
        _point_to(clone)
        try:
            yield postgres_server.cluster.app_url(clone)
        finally:
            _point_to(before)


def _run(server: Server, statement: str) -> None:
    # As superuser: an autovacuum that looks at the database stops nobody else's DROP … FORCE.
    with psycopg.connect(server.cluster.superuser_url(), autocommit=True) as link:
        link.execute(statement.encode())


def _as(url: str) -> str:
    """Let Django connect as the role of `url` from now on; return such a URL of the one before."""
    held = settings.DATABASES["default"]
    before = f"postgresql://{quote(held['USER'])}:{quote(held['PASSWORD'])}@/any"
    parts = urlsplit(url)
    for settings_dict in (held, connection.settings_dict):
        settings_dict["USER"] = unquote(parts.username or "")
        settings_dict["PASSWORD"] = unquote(parts.password or "")
    return before


def _point_to(name: str) -> None:
    _disconnect()
    from tracehub.failures import querysets
    from tracehub.traces import actions

    # What this process remembers by its number is in another database.
    actions._known.cache_clear()
    querysets._compiled.cache_clear()
    settings.DATABASES["default"]["NAME"] = name
    connection.settings_dict["NAME"] = name


def _disconnect() -> None:
    connections.close_all()
    connection.close_pool()


@pytest.fixture(scope="session")
def patience(request: pytest.FixtureRequest) -> float:
    """By how much to stretch a limit in seconds: it holds for a machine that does nothing else.

    `--minutes`, as of `make test-faults`, says that this is one.
    """
    return 1.0 if request.config.getoption("--minutes") else 10.0


@pytest.fixture(scope="session")
def wait_for(patience: float) -> Callable[..., T]:
    """`wait_for(check, seconds=10, why="…")`: the first true value of `check()`, else a failure."""
    pause = threading.Event()

    def wait(check: Callable[[], T], *, seconds: float = 10.0, why: str = "") -> T:
        end = time.monotonic() + seconds * patience
        while not (value := check()):
            if time.monotonic() > end:
                waited = f"Waited {seconds * patience:g} s in vain"
                pytest.fail(f"{waited}{f' for {why}' if why else ''}.")
            pause.wait(0.05)
        return value

    return wait
