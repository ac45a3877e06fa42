"""30 to 34: roles hold on the server, bodies widen nothing, seats and keys stay what they are."""

from __future__ import annotations

import json
import threading

import psycopg
import pytest
from django.db import connection, transaction
from django.test import Client

from tests.security import access_table as table
from tests.security import world as worlds
from tracehub.projects import actions
from tracehub.projects.models import ApiKey, Membership, Project, User
from tracehub.review.models import Review

# What a body might try to set besides what it is for.
SMUGGLED = ("project", "project_id", "created_by", "author", "role", "is_superuser", "version",
            "fixed", "id", "pk", "verdict_by", "sealed", "scope")  # fmt: skip
BODIES = {
    ("POST", "traces/<str:trace_id>/reviews"): {"verdict": "pass"},
    ("POST", "failure-modes"): {"name": "Other"},
    ("POST", "contracts"): {
        "name": "other", "applies_to": {"prompt": "p"}, "schema": {"type": "object"},
    },
    ("POST", "queues"): {"name": "Other"},
    ("POST", "setup"): {"name": "Other"},
    ("POST", "prompts"): {"name": "refund", "version": "v1", "template": "x"},
    ("POST", "eval-sets"): {"name": "Other"},
    ("PATCH", "eval-sets/<str:slug>"): {"name": "Other"},
    ("POST", "eval-sets/<str:slug>/fix"): {"note": "x"},
    ("PATCH", "failures/<str:key>"): {"status": "ignored"},
    ("POST", "eval-sets/<str:slug>/cases"): {"input": {"variables": {"a": 1}}},
    ("POST", "eval-sets/<str:slug>/runs"): {
        "version": 1, "candidate": {"name": "x"}, "results": [{"case": "c_0001", "passed": True}],
    },
}  # fmt: skip
# Words that are fields of their own in some bodies.
OWN = {"version", "id"}


@pytest.fixture
def ours(db):
    return worlds.make("skylane", 1)


def send(method, path, key, body):
    return Client().generic(
        method, f"/api/v1/{path}", json.dumps(body), content_type="application/json",
        headers={"authorization": f"Bearer {key}"},
    )  # fmt: skip


def test_30_a_viewer_writes_no_review_and_a_reviewer_no_key_or_contract(ours):
    before = Review.objects.count(), ApiKey.objects.count()
    viewer = ours.client("viewer")
    path = f"/skylane/traces/{ours.objects['trace_id']}/review"
    assert viewer.post(path, {"verdict": "pass"}).status_code == 403
    reviewer = ours.client("reviewer")
    made = reviewer.post("/skylane/settings/keys/new", {"name": "x", "scope": "ingest"})
    assert made.status_code == 403
    contract = BODIES["POST", "contracts"]
    assert send("POST", "contracts", ours.keys["reviewer"], contract).status_code == 403
    review = send("POST", f"traces/{ours.objects['trace_id']}/reviews", ours.keys["viewer"],
                  {"verdict": "pass"})  # fmt: skip
    assert review.status_code == 403
    assert (Review.objects.count(), ApiKey.objects.count()) == before


def test_32_every_call_with_a_body_is_tried():
    written = {(method, route) for route, rule in table.CALLS.items() for method in rule}
    with_body = {pair for pair in written if pair[0] not in {"GET", "DELETE"}}
    assert with_body == set(BODIES)


@pytest.mark.parametrize(("method", "route"), BODIES, ids=lambda part: part)
def test_32_unknown_fields_are_refused_by_name(ours, method, route):
    own = BODIES[method, route]
    for field in SMUGGLED:
        if field in own or field in OWN or (field == "verdict_by"):
            continue
        answer = send(method, ours.path(route), ours.keys["admin"], {**own, field: 1})
        assert answer.status_code == 400, (field, answer.text)
        assert field in answer.json()["error"]["message"], field


def test_32_a_form_sets_only_its_own_fields(ours):
    """Fields that a page does not have are ignored: they change nothing."""
    vera = ours.people["viewer"]
    other = Project.objects.create(slug="other", name="Other")
    data = {"name": "Vera", "theme": "", "is_superuser": "1", "is_staff": "1", "role": "admin",
            "project": other.pk, "email": "x@evil.example"}  # fmt: skip
    assert ours.client("viewer").post("/skylane/settings/profile", data).status_code == 302
    vera.refresh_from_db()
    assert (vera.name, vera.is_superuser, vera.is_staff) == ("Vera", False, False)
    assert vera.email == "viewer@skylane.example"
    assert Membership.objects.get(user=vera).role == "viewer"
    key = {"name": "k", "scope": "viewer", "project": other.pk, "public_id": "0" * 10}
    ours.client("admin").post("/skylane/settings/keys/new", key)
    made = ApiKey.objects.get(name="k")
    assert (made.project, made.public_id == "0" * 10) == (ours.project, False)


def test_33_the_last_admin_stays(ours):
    admins = list(Membership.objects.filter(project=ours.project, role="admin"))
    actions.set_role(ours.project, admins[0].user, None)
    with pytest.raises(actions.ActionError, match="needs an admin"):
        actions.set_role(ours.project, admins[1].user, "viewer")
    with pytest.raises(actions.ActionError, match="needs an admin"):
        actions.set_role(ours.project, admins[1].user, None)


def test_33_two_admins_who_leave_at_once_cannot_both(committed_db, wait_for):
    project = actions.create_project("skylane", "Skylane support")
    one, two = (User.objects.create_user(f"{n}@skylane.example") for n in "ab")
    for user in (one, two):
        actions.set_role(project, user, "admin")
    told = []

    def leave():
        try:
            told.append(actions.set_role(project, two, None))
        except actions.ActionError as refused:
            told.append(str(refused))
        finally:
            connection.close()

    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    other = threading.Thread(target=leave)
    with psycopg.connect(committed_db, autocommit=True) as link, transaction.atomic():
        actions.set_role(project, one, None)
        other.start()
        wait_for(lambda: told or link.execute(waits).fetchone() != (0,), why="the second to wait")
    other.join(20)
    assert len(told) == 1
    assert "needs an admin" in str(told[0])
    assert Membership.objects.get(project=project, role="admin").user == two


def test_33_an_invitation_is_used_once_and_only_by_its_address(ours):
    token = actions.invite(ours.project, "new@skylane.example", "viewer")
    other = User.objects.create_user("other@skylane.example")
    with pytest.raises(actions.ActionError, match="This invitation is for new"):
        actions.accept_invitation(token, user=other)
    joined = actions.accept_invitation(token, name="New", password="correct horse battery")
    assert Membership.objects.get(user=joined).role == "viewer"
    assert actions.accept_invitation(token, user=joined) is None
    page = Client().post(f"/accounts/invite/{token}", {"name": "x", "password": "y" * 14})
    assert page.status_code == 410


def test_34_only_admins_make_and_list_keys_and_pages_show_prefixes_only(ours):
    for route, rule in table.CALLS.items():
        if route.partition("/")[0] in {"keys", "members", "setup"}:
            assert set(rule.values()) == {"admin"}, route
    page = ours.client("admin").get("/skylane/settings").text
    for text in ours.keys.values():
        assert text[:17] in page
        assert text not in page
        assert text[18:50] not in page


def test_34_a_key_keeps_its_scope_and_a_lost_role_counts_at_the_next_request(ours):
    admin = ours.client("admin")
    assert admin.get("/skylane/settings").status_code == 200
    actions.set_role(ours.project, ours.people["admin"], "viewer")
    made = admin.post("/skylane/settings/keys/new", {"name": "x", "scope": "admin"})
    assert made.status_code == 403
    actions.set_role(ours.project, ours.people["admin"], None)
    assert admin.get("/skylane/settings").status_code == 404
