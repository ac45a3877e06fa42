"""What the database works out of texts and attributes for its indexes is what Python would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.core.query import attributes, parse
from tracehub.core.query.words import are_plain
from tracehub.traces.attributes import store
from tracehub.traces.filter_sql import TEXT_WORDS
from tracehub.traces.texts.store import words_of

pytestmark = pytest.mark.django_db
WORDS = "SELECT tsvector_to_array(tracehub_text_words(NULL, %s, %s, %s, %s))"
STORED = "SELECT name, words IS NULL FROM trace_texts ORDER BY name"
PLANS = """
    SELECT c.relname, a.attstattarget FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
    WHERE c.relname ~ '^(texts|attributes)_[0-9]{8}_' AND a.attnum = 1 AND EXISTS (
        SELECT FROM pg_index WHERE indexrelid = c.oid AND indexprs IS NOT NULL)
"""
CHILDREN = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass"
SAID = st.text(st.sampled_from("aZk09 _-.,;'\"\\\n\t\r%\x7f–’€😀\u00a0\u2028"), max_size=60)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(SAID, SAID, SAID, SAID)
def test_words_of_plain_texts(db, name, said, answered, error):
    texts = (name, said, answered, error)
    assert are_plain(texts)
    with connection.cursor() as cursor:
        cursor.execute(WORDS, texts)
        (found,) = cursor.fetchone()
    assert {word for word in found if len(word) > 1} == set(words_of(*texts).split())


def test_words_are_stored_only_where_the_database_cannot_tell(db):
    project = stories.project()
    for name in ("plain – text’s", "naïve", "返金", f"hex {'a' * 41}"):
        trace_row(project, name=name)
    with connection.cursor() as cursor:
        cursor.execute(STORED)
        plain = dict(cursor.fetchall())
    assert plain.pop("plain – text’s")
    assert not any(plain.values())
    assert len(plain) == 3


def test_analyze_does_not_run_the_functions_of_the_indexes(db):
    with connection.cursor() as cursor:
        cursor.execute(PLANS)
        targets = cursor.fetchall()
    assert len(targets) >= 2
    assert {target for _, target in targets} == {0}


VALUES = ["", "a", "abc", "abcd", "abcde", "abcdX", "x%y_z\\", "né", "a b", "1", "abcd*"]
ASKED = [
    '""',
    "*",
    "a*",
    "abc*",
    "abcd*",
    "abcde",
    "*e",
    "a*e",
    "*b*",
    "*%*",
    "n*",
    '"x%y_z\\\\"',
    "zz*",
]


@pytest.mark.parametrize("key", ["my.own", "llm.token_count.prompt_details.cache_read"])
def test_the_index_names_every_trace_that_the_check_finds(db, key):
    project = stories.project()
    for value in VALUES:
        trace_row(project, name=value or "empty", attributes=[{key: value}, {"k": {"a": 1}}])
    trace_row(project, name="held", attributes=[{key: "a" * 300, "abcd": "abcde"}])
    now = datetime.now(UTC)
    start, days = now - timedelta(days=1), {now.date(), (now - timedelta(days=1)).date()}
    for text in ASKED:
        wanted = parse(f"attr.{key}:{text}")
        hits = store.find(
            project.pk, days, attributes.required(wanted), start, now + timedelta(days=1), limit=99
        )
        (value,) = wanted.parts[0].values
        assert len(hits) == sum(matches(one, value.parts) for one in VALUES) + (text == "*"), text


def matches(value: str, parts: tuple[str, ...]) -> bool:
    """Say by other means whether a value has these parts with anything between."""
    if len(parts) == 1:
        return value == parts[0]
    at = len(parts[0])
    if not value.startswith(parts[0]):
        return False
    for part in parts[1:-1]:
        at = value.find(part, at) + len(part)
        if at < len(part):
            return False
    return value.endswith(parts[-1]) and len(value) - len(parts[-1]) >= at


@pytest.mark.parametrize(
    ("query", "index"),
    [
        (f"SELECT FROM trace_texts said WHERE {TEXT_WORDS} @@ 'ix'::tsquery", "trace_texts_said"),
        (f"SELECT FROM trace_attributes held WHERE {store.POINTS}", "trace_attributes_buckets"),
    ],
    ids=["texts", "attributes"],
)
def test_what_is_asked_is_what_the_index_is_over(db, query, index):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {query}", ["k\x1fv"] if "%s" in query else [])
        plan = "\n".join(row[0] for row in cursor.fetchall())
        cursor.execute(CHILDREN, [index])
        names = [name for (name,) in cursor.fetchall()]
    assert names
    assert "Seq Scan" not in plan
    assert any(f"Index Scan on {name}" in plan for name in names)
