"""The schema can be spread over servers by project (Citus): docs/scaling.md rests on this.

A distributed table needs `project_id` in each unique key and refers to none but reference tables,
which stand whole on each server. What grows with traffic must be such; what people make (reviews,
eval sets, settings) stays on one server, keeps its own numbers, and may not point into the others.
"""

from __future__ import annotations

import pytest
from django.db import connection

# Grows with traces: distributed.
GROWS = {
    "arrivals", "spans", "traces", "trace_texts", "trace_attributes", "term_counts", "media",
    "media_uses", "span_supplements",
}  # fmt: skip
# Of these with a number of their own, which nothing refers to; docs/scaling.md drops it.
NUMBERED = {"span_supplements"}
# Of the whole installation, small and read by all: reference tables.
REFERENCE = {"projects_project", "projects_user"}
# A key is looked up before its project is known.
OF_ALL = {"projects_apikey"}
# Of what people make, and of an object that is of one project: they stay on its server.
OF_ONE = {"review_queueitem", "review_repeat", "review_rubric", "review_laternote"}
OF_OTHERS = ("auth_", "django_", "account_", "mfa_", "socialaccount_", "usersessions_")

UNIQUE = """
SELECT t.relname, i.relname, x.indisprimary,
       array(SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = t.oid AND a.attnum = ANY (x.indkey) ORDER BY a.attname)
FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
JOIN pg_namespace n ON n.oid = t.relnamespace
WHERE x.indisunique AND n.nspname = 'public' AND NOT t.relispartition
"""
REFERS = """
SELECT f.relname, t.relname FROM pg_constraint c
JOIN pg_class f ON f.oid = c.conrelid JOIN pg_class t ON t.oid = c.confrelid
WHERE c.contype = 'f' AND NOT f.relispartition
"""
TABLES = """
SELECT c.relname, EXISTS (SELECT FROM pg_attribute a
              WHERE a.attrelid = c.oid AND attname = 'project_id' AND NOT attisdropped)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND n.nspname = 'public' AND NOT c.relispartition
"""


def rows(query: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.fixture
def unique(db) -> list[tuple]:
    return [row for row in rows(UNIQUE) if not row[0].startswith(OF_OTHERS)]


def test_each_key_of_what_grows_holds_the_project(unique):
    assert {table for table, _, _, _ in unique} >= GROWS - {"trace_texts", "trace_attributes"}
    lacking = {table for table, _, _, columns in unique if "project_id" not in columns}
    assert lacking & GROWS == NUMBERED


def test_no_constraint_that_is_more_than_a_number_is_of_several_projects(unique):
    of_projects = {table for table, has_project in rows(TABLES) if has_project} - OF_ALL - OF_ONE
    lacking = [
        f"{table}: {name} ({', '.join(columns)})"
        for table, name, primary, columns in unique
        if not primary and "project_id" not in columns and table in of_projects
    ]
    assert "\n".join(lacking) == ""


def test_what_grows_and_all_else_refer_to_each_other_by_no_foreign_key(db):
    for source, target in rows(REFERS):
        assert target not in GROWS, f"{source} points into {target}"
        assert source not in GROWS or target in REFERENCE, f"{source} points to {target}"


def test_everything_of_a_project_says_which(db):
    named = dict(rows(TABLES))
    assert set(named) >= GROWS | REFERENCE
    partitioned = {name for (name,) in rows("SELECT relname FROM pg_class WHERE relkind = 'p'")}
    assert partitioned <= GROWS, "a partitioned table grows: distribute it too"
    for table in GROWS:
        assert named[table], table
