"""Starts one PostgreSQL for the whole run, before pytest-django reads the settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import psycopg
import pytest

from tracehub.cli import config, pgroles
from tracehub.cli.postgres import Cluster, Server

# Only this throw-away server may lose data: it makes every commit and clone cheaper.
TEST_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "max_connections": "200",
}
SERVER = pytest.StashKey[Server]()
FOLDER = pytest.StashKey[Path]()


def start_server(folder: Path) -> Server:
    """Start a server in `folder` whose application role may make databases."""
    cluster = Cluster.of(folder)
    server = cluster.start(settings=TEST_SETTINGS)
    pgroles.ensure_database(cluster)
    with psycopg.connect(cluster.superuser_url(), autocommit=True) as link:
        link.execute(f"ALTER ROLE {config.OWNER_ROLE} CREATEDB")
    return server


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config):
    folder = Path(tempfile.mkdtemp(prefix="tracehub-tests-"))
    for name in [n for n in os.environ if n.startswith(("TRACEHUB_", "DATABASE_"))]:
        del os.environ[name]
    os.environ["TRACEHUB_DATA_DIR"] = str(folder)
    os.environ["TRACEHUB_SECRET_KEY"] = "a key for tests only, which guards nothing at all"
    server = start_server(folder)
    os.environ["DATABASE_URL"] = server.cluster.url()
    early_config.stash[FOLDER] = folder
    early_config.stash[SERVER] = server
    return (yield)


def pytest_unconfigure(config: pytest.Config) -> None:
    if server := config.stash.get(SERVER, None):
        server.stop()
    if folder := config.stash.get(FOLDER, None):
        shutil.rmtree(folder, ignore_errors=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="Repeat a fault test (tests/faults) with its seed.")
    parser.addoption("--minutes", type=float, help="Repeat fault tests for about that long each.")
