"""A project's own masking rules, at every door of ingestion, within 5 seconds."""

from __future__ import annotations

from uuid import UUID

import psycopg
import pytest
import requests

from tests.ingest.test_otlp import body, post, span
from tests.stored_text import rows_as_text
from tracehub.ingest import access
from tracehub.projects import actions, masking
from tracehub.projects.actions import ActionError, Conflict
from tracehub.review.actions import submit_review
from tracehub.traces.actions import save_prompt

ADDRESS = "tor.olsen@mail.example"


@pytest.fixture
def admin(project):
    return actions.add_user("maja@skylane.example")


def tables(database_url):
    """Every row of every table, as text, by table."""
    with psycopg.connect(database_url) as link:
        names = link.execute(
            "SELECT relname FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        ).fetchall()
        return {name: rows_as_text(link, name) for (name,) in names}


def dumped(database_url):
    return "".join(tables(database_url).values())


def test_15_and_50_masked_text_is_nowhere_in_the_database(
    url, key, project, admin, committed_db, wait_for
):
    masking.add_rule(project, "email", "email", by=admin)
    masking.add_rule(project, "booking", "pattern", r"\bX7K[A-Z0-9]{3}\b", by=admin)
    masking.add_rule(project, "who", "path", "enduser.*", "hmac", by=admin)
    attributes = [
        {"key": "input.value", "value": {"stringValue": f"I am {ADDRESS}, booking X7K2QD"}},
        {"key": "enduser.id", "value": {"stringValue": "u-4711-secret"}},
    ]
    assert post(url, key, body(span(attributes=attributes))).status_code == 200
    native = {"name": "a", "input": f"mail {ADDRESS}", "output": {"pnr": "X7K2QD"}}
    assert post(url, key, native, "/api/v1/traces").status_code == 200
    score = {"trace_id": f"{1:032x}", "name": "thumbs", "value": 0, "comment": f"ask {ADDRESS}"}
    assert post(url, key, score, "/api/v1/feedback").status_code == 200
    save_prompt(project, "refund", "v1", f"Write to {ADDRESS}")
    submit_review(project, UUID(int=1), "fail", author=admin, note=f"{ADDRESS} was told X7K2QD")
    everything = dumped(committed_db)
    assert "[masked:email]" in everything
    assert "[masked:booking]" in everything
    assert "[who:" in everything
    for secret in (ADDRESS, "X7K2QD", "u-4711-secret"):
        assert secret not in everything
    wait_for(lambda: masking.counted(project).get("email", 0) >= 4)
    assert masking.counted(project)["who"] == 1


def test_a_rule_holds_within_the_time_a_key_is_remembered(
    url, key, project, admin, committed_db, monkeypatch, wait_for
):
    monkeypatch.setattr(access, "REMEMBER_SECONDS", 0.2)
    attributes = [{"key": "a", "value": {"stringValue": ADDRESS}}]
    assert post(url, key, body(span(1, attributes=attributes))).status_code == 200
    rule = masking.add_rule(project, "email", "email", by=admin)

    def is_masked():
        sent = requests.post(
            f"{url}/api/v1/traces",
            json={"name": f"to {ADDRESS}", "trace_id": "ef" * 16},
            headers={"authorization": f"Bearer {key}"},
            timeout=20,
        )
        assert sent.status_code == 200
        return "to [masked:email]" in dumped(committed_db)

    wait_for(is_masked, seconds=5)
    masking.turn(rule, False, by=admin)
    assert masking.masker_of(project.pk).mask(ADDRESS).value == ADDRESS


def test_rules_are_checked_and_named_once(project, admin):
    with pytest.raises(ActionError, match="RE2"):
        masking.add_rule(project, "mine", "pattern", "(", by=admin)
    with pytest.raises(ActionError, match="must be a name"):
        masking.add_rule(project, "mine", "path", "a.*.b", by=admin)
    masking.add_rule(project, "email", "email", by=admin)
    with pytest.raises(Conflict, match="already"):
        masking.add_rule(project, "email", "pattern", "abc", by=admin)
