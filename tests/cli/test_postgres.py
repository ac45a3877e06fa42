"""The embedded PostgreSQL on disk and its promises."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from tracehub.cli import pgroles
from tracehub.cli.postgres import Cluster


@pytest.fixture
def cluster(folder):
    home = folder / "data"
    home.mkdir()
    return Cluster.of(home)


def test_it_is_private_durable_and_not_run_by_a_superuser(cluster):
    server = cluster.start()
    try:
        pgroles.ensure_database(cluster)
        pgroles.ensure_database(cluster)  # a second start finds all there
        pgroles.check_durable(cluster.url())
        with psycopg.connect(cluster.url()) as link:
            row = link.execute(
                "SELECT current_user, rolsuper, rolcreaterole, rolcreatedb,"
                " current_setting('listen_addresses'), current_setting('jit'),"
                " current_setting('server_encoding'), datlocprovider, datlocale"
                " FROM pg_roles, pg_database"
                " WHERE rolname = current_user AND datname = current_database()"
            ).fetchone()
        assert row == (
            "tracehub_owner", False, False, False, "", "off", "UTF8", "b", "C.UTF-8"
        )  # fmt: skip
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(cluster.url().replace("tracehub_owner:", "tracehub_owner:x"))
    finally:
        server.stop()
    assert (cluster.folder / "postgres.json").stat().st_mode & 0o777 == 0o600
    assert (cluster.home / "run").stat().st_mode & 0o777 == 0o700
    assert not (cluster.home / "password").exists()


def test_a_path_too_long_for_a_socket_gets_a_socket_elsewhere(folder):
    deep = folder / ("x" * 60) / ("y" * 60)
    deep.mkdir(parents=True)
    cluster = Cluster.of(deep)
    server = cluster.start()
    try:
        socket_dir = Path(cluster.state["socket_dir"])
        assert not socket_dir.is_relative_to(deep)
        assert socket_dir.stat().st_mode & 0o777 == 0o700
        pgroles.ensure_database(cluster)
    finally:
        server.stop()
    cluster.start().stop()
    assert not socket_dir.exists()  # each start has its own, and takes the old one away
    Path(cluster.state["socket_dir"]).rmdir()


def test_backends_of_a_killed_server_are_ended_before_the_next_start(cluster, wait_for):
    server = cluster.start()
    pgroles.ensure_database(cluster)
    link = psycopg.connect(cluster.url())
    server.process.kill()
    server.process.wait()
    again = cluster.start()
    try:
        pgroles.check_durable(cluster.url())
        wait_for(lambda: len({p.pid for p in cluster.processes()}) > 1)
    finally:
        link.close()
        again.stop()
    assert not cluster.processes()


def test_what_a_killed_initdb_left_is_made_anew(cluster):
    (cluster.home / "new").mkdir(parents=True)
    (cluster.home / "new" / "PG_VERSION").write_text("18\n")
    server = cluster.start()
    assert cluster.is_ready()
    server.stop()
    assert not (cluster.home / "new").exists()
