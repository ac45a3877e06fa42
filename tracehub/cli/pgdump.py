"""pg_dump, pg_restore, and what a database holds, as numbers that can be compared."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tracehub.cli import archive, pgbinaries
from tracehub.cli.config import ConfigError

ASIDE = "tracehub_before_restore"
_INSTALL = "install the client programs of the server's version (Debian: postgresql-client-{})."
# What a row looks like as text must not depend on who asks.
_FORM = {
    "search_path": "public",
    "timezone": "UTC",
    "datestyle": "iso, ymd",
    "intervalstyle": "postgres",
    "bytea_output": "hex",
    "extra_float_digits": "1",
    "statement_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
}
_TABLES = """
    SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"""
# The sum of a part of each row's hash: the same in any order of rows, other with a row twice.
_HASH = """
    SELECT count(*), coalesce(sum(('x' || encode(substr(sha256(convert_to(t::text, 'UTF8')), 1, 8),
        'hex'))::bit(64)::bigint::numeric), 0)::text FROM {} t"""


def snapshot(link: psycopg.Connection) -> str:
    """Begin a read-only transaction that pg_dump can share, and return its name."""
    link.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
    form(link)
    row = link.execute("SELECT pg_export_snapshot()").fetchone()
    return str(row[0]) if row else ""


def form(link: psycopg.Connection) -> None:
    """Settle, for this transaction, how values are written as text."""
    for name, value in _FORM.items():
        link.execute("SELECT set_config(%s, %s, true)", (name, value))


def tables(link: psycopg.Connection) -> list[str]:
    """Return the tables of the application, partitioned ones as one."""
    return [name for (name,) in link.execute(_TABLES).fetchall()]


def contents(link: psycopg.Connection, table: str) -> dict[str, Any]:
    """Return `{"rows", "hash"}` of a table, equal for equal rows in whatever order."""
    query = sql.SQL(_HASH).format(sql.Identifier("public", table))
    row = link.execute(query).fetchone()
    return {"rows": row[0], "hash": row[1]} if row else {}


def dump(url: str, name: str, sink: IO[bytes], seen: Callable[[bytes], object]) -> None:
    """Write the database, as of the snapshot `name`, to `sink`. Raises ConfigError."""
    # Payloads are compressed already: more effort than level 1 costs time and saves little.
    options = ["--format=custom", "--compress=1", f"--snapshot={name}"]
    with _running("pg_dump", url, options, stdout=subprocess.PIPE) as process:
        if process.stdout is not None:
            while part := process.stdout.read(archive.CHUNK):
                sink.write(part)
                seen(part)


def restore(url: str, source: IO[bytes], seen: Callable[[int], object]) -> None:
    """Load a dump in one transaction: all of it or nothing. Raises ConfigError."""
    options = ["--single-transaction", "--exit-on-error"]
    with _running("pg_restore", url, options, stdin=subprocess.PIPE) as process:
        if process.stdin is not None:
            _feed(process.stdin, source, seen)


def _feed(sink: IO[bytes], source: IO[bytes], seen: Callable[[int], object]) -> None:
    try:
        with sink:
            while part := source.read(archive.CHUNK):
                sink.write(part)
                seen(len(part))
    except BrokenPipeError:
        return  # it ended early; its exit code and last words say why


@contextmanager
def _running(
    tool: str, url: str, options: list[str], **pipes: Any
) -> Iterator[subprocess.Popen[bytes]]:
    """Run one of PostgreSQL's programs. The password goes by environment: `ps` shows arguments."""
    password = str(conninfo_to_dict(url).get("password") or "")
    bare = make_conninfo(url, password=None)
    with psycopg.connect(url, connect_timeout=10) as link:
        server = link.info.server_version // 10_000
    program, version = _find(tool, server)
    command = [program, "--no-owner", "--no-privileges", "--no-password", *options]
    command.append(f"--dbname={bare}")
    environment = {**os.environ, "PGPASSWORD": password, "LC_ALL": "C"}
    with tempfile.TemporaryFile() as words:
        process = subprocess.Popen(command, env=environment, stderr=words, **pipes)
        try:
            yield process
        except BaseException:
            process.kill()
            raise
        finally:
            process.wait()
            if process.stdout is not None:
                process.stdout.close()
        if process.returncode != 0:
            words.seek(0)
            said = words.read().decode(errors="replace").strip().splitlines()
            mend = f" It is of {version}, the server of {server}: {_INSTALL.format(server)}"
            raise ConfigError(
                f"{tool} failed: {said[0] if said else 'it did not say why'}."
                f"{mend if version != server else ''}"
            )


def _find(tool: str, server: int) -> tuple[str, int]:
    """Return the path of a program for a server of that major version, and its own version.

    An older pg_dump refuses a newer server, and a newer pg_restore says what an older server does
    not know: the oldest that will do. The embedded programs speak no TLS, so on a tie PATH's.
    """
    known = {}
    if importlib.util.find_spec(pgbinaries.PACKAGE) is not None:
        known[pgbinaries.MAJOR] = pgbinaries.locate(None).tool(tool)
    if found := shutil.which(tool):
        known[_major(found)] = found
    if fitting := [major for major in known if major >= server]:
        return known[min(fitting)], min(fitting)
    raise ConfigError(
        f"{tool} of PostgreSQL {server} or newer is not installed: {_INSTALL.format(server)}"
    )


def _major(program: str) -> int:
    """Return the major version that a program tells: `pg_dump (PostgreSQL) 18.1 (Debian …)`."""
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    number = re.search(r"\) (\d+)", said.stdout)
    return int(number[1]) if number else 0


def set_aside(url: str) -> None:
    """Move all tables out of the way, where `drop_aside` or `bring_back` finds them."""
    with psycopg.connect(url) as link:
        link.execute(f"ALTER SCHEMA public RENAME TO {ASIDE}".encode())
        link.execute("CREATE SCHEMA public")


def bring_back(url: str) -> None:
    """Undo `set_aside`, whatever was made since."""
    with psycopg.connect(url) as link:
        link.execute("DROP SCHEMA public CASCADE")
        link.execute(f"ALTER SCHEMA {ASIDE} RENAME TO public".encode())


def drop_aside(url: str) -> None:
    """Drop what was set aside."""
    with psycopg.connect(url) as link:
        link.execute(f"DROP SCHEMA {ASIDE} CASCADE".encode())


def has_aside(link: psycopg.Connection) -> bool:
    """Tell whether an earlier restore was killed between setting aside and its end."""
    query = "SELECT FROM pg_namespace WHERE nspname = %s"
    return link.execute(query, (ASIDE,)).fetchone() is not None


def others(link: psycopg.Connection) -> list[str]:
    """Return the names under which other programs are connected to this database."""
    query = """SELECT DISTINCT coalesce(nullif(application_name, ''), 'pid ' || pid)
        FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
        AND usesysid IS NOT NULL ORDER BY 1"""
    return [name for (name,) in link.execute(query).fetchall()]
