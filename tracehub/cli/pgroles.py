"""The application's role and database in the embedded server, and the promise of durability."""

from __future__ import annotations

import psycopg
from psycopg import sql

from tracehub.cli import pgconfig
from tracehub.cli.config import DATABASE_NAME, OWNER_ROLE, ConfigError
from tracehub.cli.postgres import Cluster


def ensure_database(cluster: Cluster) -> None:
    """Make the application's role and database in a running server unless they are there.

    The role is no superuser: it owns its database and nothing else.
    """
    role = sql.Identifier(OWNER_ROLE)
    password = sql.Literal(cluster.state["owner_password"])
    with psycopg.connect(cluster.superuser_url(), autocommit=True, connect_timeout=10) as link:
        if not _exists(link, "SELECT FROM pg_roles WHERE rolname = %s", OWNER_ROLE):
            link.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(role, password))
        if not _exists(link, "SELECT FROM pg_database WHERE datname = %s", DATABASE_NAME):
            name = sql.Identifier(DATABASE_NAME)
            link.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, role))
            link.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))


def _exists(link: psycopg.Connection, query: str, name: str) -> bool:
    return link.execute(query.encode(), (name,)).fetchone() is not None


def check_durable(url: str) -> None:
    """Raise ConfigError unless a commit on this server is on disk when it is acknowledged."""
    for name, (needed, found) in undurable(url).items():
        raise ConfigError(
            f"{name} must be {needed}, or an acknowledged trace could be lost. Got {found!r}. "
            "Take it out of the database's settings."
        )


def undurable(url: str) -> dict[str, tuple[str, str]]:
    """Return the settings by which a commit could be lost, as name: (needed, found).

    Asked of the server itself, as the application's role: a setting may come from local.conf,
    ALTER SYSTEM or ALTER ROLE.
    """
    needed = {**pgconfig.DURABLE, "data_checksums": "on"}
    with psycopg.connect(url, connect_timeout=10) as link:
        rows = link.execute(
            "SELECT name, current_setting(name) FROM unnest(%s::text[]) name", (list(needed),)
        ).fetchall()
    return {name: (needed[name], found) for name, found in rows if found != needed[name]}
