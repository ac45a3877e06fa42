"""The roles of a database, what each may do, and the promise of durability.

docs/design/least-privilege.md says why.
"""

from __future__ import annotations

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tracehub.cli import pgconfig
from tracehub.cli.config import APP_ROLE, DATABASE_NAME, OWNER_ROLE, READ_ROLE, ConfigError
from tracehub.cli.postgres import Cluster


def ensure_database(cluster: Cluster) -> None:
    """Make our roles and database in a running server unless they are there; set passwords.

    None is a superuser: the owner makes tables, the others get what `grant` gives them.
    """
    name, owner = sql.Identifier(DATABASE_NAME), sql.Identifier(OWNER_ROLE)
    roles = {OWNER_ROLE: "owner", APP_ROLE: "app", READ_ROLE: "read"}
    with psycopg.connect(cluster.superuser_url(), autocommit=True, connect_timeout=10) as link:
        for role, of in roles.items():
            if not _exists(link, "SELECT FROM pg_roles WHERE rolname = %s", role):
                link.execute(sql.SQL("CREATE ROLE {}").format(sql.Identifier(role)))
            password = sql.Literal(cluster.state[f"{of}_password"])
            known = sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}")  # as the file says, which may be new
            link.execute(known.format(sql.Identifier(role), password))
        for setting in ("default_transaction_read_only = on", "statement_timeout = '5s'"):
            link.execute(f"ALTER ROLE {READ_ROLE} SET {setting}".encode())
        if not _exists(link, "SELECT FROM pg_database WHERE datname = %s", DATABASE_NAME):
            link.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
            link.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
        for role in (APP_ROLE, READ_ROLE):
            allow = sql.SQL("GRANT CONNECT ON DATABASE {} TO {}")
            link.execute(allow.format(name, sql.Identifier(role)))


# What the application's role gets. Tables that come later, partitions among them, follow.
_APP = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {role};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {role};
REVOKE UPDATE, DELETE ON projects_auditentry FROM {role};
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM {role};
GRANT EXECUTE ON FUNCTION tracehub_ensure_partitions(date, date), tracehub_drop_partition(text),
    tracehub_prune_audit() TO {role};
"""
_READ = """
GRANT USAGE ON SCHEMA public TO {role};
GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO {role};
"""
# Passwords, sessions, second factors and digests of keys: nothing for a report.
_SECRET = (
    "account_% cache django_session mfa_% projects_apikey projects_invitation"
    " projects_signinlink projects_user socialaccount_%"
).split()

_NAMED = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename LIKE ANY (%s)"


def grant(owner_url: str, app_url: str) -> None:
    """Give the application's role its rights, and the reader's where there is one.

    Run as the owner after migrations; again does no harm. One role for all has them already.
    """
    role = str(conninfo_to_dict(app_url).get("user") or "")
    with psycopg.connect(owner_url, connect_timeout=10) as link:
        if role and role != link.info.user:
            link.execute(sql.SQL(_APP).format(role=sql.Identifier(role)))
        if not _exists(link, "SELECT FROM pg_roles WHERE rolname = %s", READ_ROLE):
            return
        reader = sql.Identifier(READ_ROLE)
        link.execute(sql.SQL(_READ).format(role=reader))
        for (table,) in link.execute(_NAMED, (_SECRET,)).fetchall():
            revoke = sql.SQL("REVOKE ALL ON {} FROM {}")
            link.execute(revoke.format(sql.Identifier(table), reader))


def excess(app_url: str) -> list[str]:
    """Return what the application's role may do beyond its work, in words; none for the best."""
    with psycopg.connect(app_url, connect_timeout=10) as link:
        row = link.execute(_MAY).fetchone() or ()
    words = ("do anything", "change tables", "change the audit log")
    return [word for word, may in zip(words, row, strict=True) if may]


_MAY = """
    SELECT rolsuper OR rolcreaterole OR rolbypassrls
            OR pg_has_role('pg_execute_server_program', 'member'),
        EXISTS (SELECT FROM pg_tables WHERE schemaname = 'public' AND tableowner = current_user),
        coalesce(has_table_privilege(to_regclass('projects_auditentry'), 'UPDATE, DELETE'), false)
    FROM pg_roles WHERE rolname = current_user
"""


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
