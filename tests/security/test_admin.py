"""Django's admin: superusers look at what belongs to no project, and change nothing."""

from __future__ import annotations

import pytest
from django.test import Client

from tests.security import access_table as table
from tracehub.projects import actions
from tracehub.projects.models import ApiKey, AuditEntry, Membership, Project, User

pytestmark = pytest.mark.django_db


@pytest.fixture
def operator():
    """A client of a superuser, in an installation with one row of each table."""
    user = actions.add_user("ops@example.com", superuser=True)
    project = actions.create_project("skylane", by=user)
    actions.create_key(project, "admin", "CI")
    client = Client()
    client.force_login(user)
    return client


ROWS = {
    "user": User, "project": Project, "membership": Membership, "apikey": ApiKey,
    "auditentry": AuditEntry,
}  # fmt: skip


def test_an_operator_sees_every_table_and_its_rows_without_secrets(operator):
    assert 'href="/admin/"' in operator.get("/skylane/traces").text
    assert "Audit entries" in operator.get("/admin/").text
    assert operator.get("/admin/projects/").status_code == 200
    digest = bytes(ApiKey.objects.get().digest)
    for name, model in ROWS.items():
        for path in (f"/admin/projects/{name}/?q=s", f"/admin/projects/{name}/"):
            listed = operator.get(path)
            assert listed.status_code == 200, path
            assert str(digest) not in listed.text
        row = operator.get(f"/admin/projects/{name}/{model.objects.latest('pk').pk}/change/")
        assert row.status_code == 200, name
        assert "Save" not in row.text
        assert not any(word in row.text for word in ("argon2", "Password", "Digest"))
    policy = row.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy


def test_nothing_can_be_changed(operator):
    for name, model in ROWS.items():
        before = list(model.objects.order_by("pk").values())
        row = f"/admin/projects/{name}/{model.objects.latest('pk').pk}"
        assert operator.post(f"{row}/change/", {"name": "x"}).status_code == 403
        chosen = {"action": "delete_selected", "_selected_action": "1"}
        operator.post(f"/admin/projects/{name}/", chosen)
        for path in (f"{row}/delete/", f"/admin/projects/{name}/add/"):
            assert operator.get(path).status_code == 404, path
        assert list(model.objects.order_by("pk").values()) == before


def test_others_are_sent_to_sign_in_or_refused(operator, settings):
    project = Project.objects.get()
    person = actions.add_user("admin@example.com")
    actions.set_role(project, person, "admin")
    admin = Client()
    admin.force_login(person)
    for path in ("/admin/", "/admin/projects/user/", "/admin/jsi18n/"):
        assert Client().get(path).headers["Location"].startswith("/accounts/login/?next=/admin/")
        assert admin.get(path).status_code == 403, path
        assert path.removeprefix("/") in table.OPERATORS
    assert Client().get("/admin/login/").status_code == 404
    settings.SECOND_FACTOR = "admins"
    assert operator.get("/admin/").headers["Location"] == "/accounts/2fa/"
