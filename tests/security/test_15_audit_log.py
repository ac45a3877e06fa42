"""Section 4, audit log: append-only in the database, for admins to read and export, no secrets."""

from __future__ import annotations

import csv
import json
from datetime import timedelta

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from tests.security import world as worlds
from tracehub.digest.tasks import prune
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry, Project

pytestmark = pytest.mark.django_db


@pytest.fixture
def ours():
    return worlds.make("skylane", 1)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE projects_auditentry SET actor = 'nobody'",
        "UPDATE projects_auditentry SET at = now() - interval '500 days'",
        "UPDATE projects_auditentry SET project_id = NULL, actor = 'nobody'",
        "DELETE FROM projects_auditentry",
    ],
)
def test_nothing_is_changed_or_taken_out(ours, statement):
    before = list(AuditEntry.objects.order_by("pk").values())
    assert before
    refused = pytest.raises(DatabaseError, match="permission denied for table projects_auditentry")
    with refused, transaction.atomic():
        connection.cursor().execute(statement)
    assert list(AuditEntry.objects.order_by("pk").values()) == before


@pytest.mark.parametrize(
    "verb",
    [
        "UPDATE projects_auditentry SET actor = 'nobody'",
        "DELETE FROM projects_auditentry",
        "TRUNCATE projects_auditentry",
    ],
)
def test_its_owner_changes_nothing_either(database_url, verb):
    with psycopg.connect(database_url) as link, pytest.raises(psycopg.Error, match="append-only"):
        link.execute(
            "INSERT INTO projects_auditentry (at, actor, action, object, detail)"
            " VALUES (now(), 'a', 'b', '', '{}')"
        )
        link.execute(verb)


def test_entries_of_more_than_400_days_go_with_the_hourly_prune(db):
    for days in (399, 402):
        AuditEntry.objects.create(
            actor="x", action=f"y{days}", at=timezone.now() - timedelta(days=days)
        )
    prune()
    old = AuditEntry.objects.filter(actor="x").values_list("action", flat=True)
    assert list(old) == ["y399"]


def test_a_deleted_project_leaves_its_entries(db):
    project = actions.create_project("gone", "Gone")
    number = project.pk
    project.delete()
    assert not Project.objects.filter(slug="gone").exists()
    entry = AuditEntry.objects.get(action="project.created")
    assert (entry.object, entry.project_id) == ("gone", number)


def test_an_admin_reads_the_log_and_keeps_it_as_csv(ours):
    actions.audit("key.created", project=ours.project, object="=cmd()|x", address="192.0.2.7")
    client = ours.client("admin")
    page = client.get("/skylane/settings/audit").text
    for word in ("key.created", "member.invited", "192.0.2.7", "evalset.fixed"):
        assert word in page, word
    lines = list(csv.DictReader(client.get("/skylane/settings/audit.csv").text.splitlines()))
    assert lines[0]["object"] == "'=cmd()|x"
    whole = client.get("/skylane/settings/audit.jsonl").text.splitlines()
    assert json.loads(whole[1])["object"] == "=cmd()|x"  # after the export before it
    assert ours.client("reviewer").get("/skylane/settings/audit.jsonl").status_code == 403
    assert AuditEntry.objects.filter(
        action="audit.exported", actor="admin@skylane.example"
    ).exists()


def test_the_log_goes_on_to_older_entries(ours):
    for n in range(120):
        actions.audit("test.entry", project=ours.project, object=f"number {n}")
    client = ours.client("admin")
    first = client.get("/skylane/settings/audit").text
    assert "number 119" in first
    assert "number 3<" not in first
    older = first.partition("?before=")[2].partition('"')[0]
    assert "number 3<" in client.get(f"/skylane/settings/audit?before={older}").text


def test_what_matters_is_in_the_log_and_no_secret_is(ours):
    link = actions.make_sign_in_link(ours.people["viewer"])
    made = set(AuditEntry.objects.values_list("action", flat=True))
    wanted = {"key.created", "member.invited", "evalset.fixed", "mode.created", "link.created",
              "queue.created", "contract.published"}  # fmt: skip
    assert wanted <= made
    told = str(list(AuditEntry.objects.values()))
    for secret in (link, *(text[18:] for text in ours.keys.values())):
        assert secret not in told
