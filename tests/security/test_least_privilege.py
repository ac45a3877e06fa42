"""Section 4, Postgres: web and worker cannot change a table, and a reader reads no secret."""

from __future__ import annotations

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege, RaiseException

from tests import trace_factory as factory
from tracehub.cli import pgroles
from tracehub.cli.config import READ_ROLE
from tracehub.digest.tasks import prune
from tracehub.projects import actions


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (a int)",
        "CREATE SCHEMA mine",
        "DROP TABLE traces",
        "ALTER TABLE projects_user ADD COLUMN x int",
        "ALTER TABLE projects_auditentry DISABLE TRIGGER audit_append_only",
        "TRUNCATE spans",
        "TRUNCATE projects_auditentry",
        "UPDATE projects_auditentry SET actor = 'nobody'",
        "DELETE FROM projects_auditentry",
        "DELETE FROM django_migrations",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "COPY (SELECT 1) TO PROGRAM 'cat'",
        "SELECT pg_read_file('postgresql.conf')",
        "SET ROLE tracehub_owner",
        "CREATE ROLE mine",
        "DROP TRIGGER audit_append_only ON projects_auditentry",
        "CREATE OR REPLACE FUNCTION projects_audit_kept() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NEW; END'",
    ],
)  # fmt: skip
def test_web_and_worker_change_no_table(committed_db, statement):
    with psycopg.connect(committed_db) as link, pytest.raises(InsufficientPrivilege):
        link.execute(statement)


@pytest.mark.parametrize("name", ["projects_user", "spans", "spans_20990101", "spans_20200101; x"])
def test_the_function_of_retention_drops_days_that_are_over_alone(committed_db, name):
    with psycopg.connect(committed_db) as link, pytest.raises(RaiseException):
        link.execute("SELECT tracehub_drop_partition(%s)", (name,))


def test_a_whole_day_of_work_needs_no_more(committed_db):
    """What comes in, is digested, grouped, priced and pruned; tables of later days included."""
    assert pgroles.excess(committed_db) == []
    project = actions.create_project("skylane")
    factory.trace(project, error=True, error_type="Timeout", error_message="x")
    prune()
    with psycopg.connect(committed_db) as link:
        owners = link.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE tablename LIKE 'spans%'"
        ).fetchall()
    assert owners == [("tracehub_owner",)]


def test_a_reader_reads_traces_and_no_secret(committed_db, postgres_server):
    name = psycopg.conninfo.conninfo_to_dict(committed_db)["dbname"]
    url = postgres_server.cluster._url(READ_ROLE, "read_password", name)
    with psycopg.connect(url, autocommit=True) as link:
        for table in ("traces", "spans", "review_review", "projects_auditentry"):
            link.execute(f"SELECT count(*) FROM {table}")
        for table in ("projects_user", "projects_apikey", "django_session", "projects_signinlink"):
            with pytest.raises(InsufficientPrivilege):
                link.execute(f"SELECT count(*) FROM {table}")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            link.execute("DELETE FROM traces")
        link.execute("SET default_transaction_read_only = off")
        with pytest.raises(InsufficientPrivilege):
            link.execute("DELETE FROM traces")
        with pytest.raises(InsufficientPrivilege):
            link.execute("SELECT tracehub_ensure_partitions(current_date, current_date)")
