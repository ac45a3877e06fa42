"""Gives every process of a run its own PostgreSQL, beginning with a copy of the run's seed."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psycopg
import pytest

from tests import seed
from tracehub.cli import config
from tracehub.cli.postgres import Cluster, Server

TEST_SETTINGS = {
    **seed.QUICK,
    "shared_buffers": "128MB",
    "max_wal_size": "256MB",
    "max_connections": "200",
}


def memory() -> Path | None:
    """Where files lie in memory, if there is plenty: a run takes 2.5 GB of it at most.

    A clone of the database takes 0.02 s there, and up to 0.6 on a busy disk.
    """
    place = Path("/dev/shm")
    return place if place.is_dir() and shutil.disk_usage(place).free > 6e9 else None


MEMORY = memory()
MAKING = pytest.StashKey[subprocess.Popen[bytes]]()
FOLDER = pytest.StashKey[Path]()


def start_server(folder: Path) -> Server:
    """Start a server on a copy of the seed's, in `folder`; its owner role may make databases."""
    seed.copy_to(folder, "postgres", "postgres.json")
    cluster = Cluster.of(folder)
    server = cluster.start(settings=TEST_SETTINGS)
    with psycopg.connect(cluster.superuser_url(), autocommit=True) as link:
        link.execute(f"ALTER ROLE {config.OWNER_ROLE} CREATEDB")
    return server


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config):
    folder = Path(tempfile.mkdtemp(prefix="tracehub-tests-", dir=MEMORY))
    folder.chmod(0o755)  # the server has an account of its own
    for name in [n for n in os.environ if n.startswith(("TRACEHUB_", "DATABASE_"))]:
        del os.environ[name]
    if seed.VARIABLE not in os.environ:
        early_config.stash[MAKING] = seed.begin()
    os.environ["TRACEHUB_DATA_DIR"] = str(folder)
    os.environ["TRACEHUB_SECRET_KEY"] = "a key for tests only, which guards nothing at all"
    os.environ["DATABASE_URL"] = f"postgresql:///{config.DATABASE_NAME}"  # until the server is up
    early_config.stash[FOLDER] = folder
    return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Spare the collector what lives to the end, and let it come less often: a sixth of it all."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def pytest_unconfigure(config: pytest.Config) -> None:
    if folder := config.stash.get(FOLDER, None):
        shutil.rmtree(folder, ignore_errors=True)
    if making := config.stash.get(MAKING, None):
        seed.forget(making)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--seed", type=int, help="Repeat a fault test (tests/faults) with its seed.")
    parser.addoption("--minutes", type=float, help="Repeat fault tests for about that long each.")
