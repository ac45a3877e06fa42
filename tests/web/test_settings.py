"""Settings: what each role may change, what is kept, and how it is taken back."""

from __future__ import annotations

import re

import pytest
from allauth.mfa.models import Authenticator

from tracehub.projects import actions, keys
from tracehub.projects.models import ApiKey, AuditEntry, Invitation, Membership, Project, User
from tracehub.review.actions import create_mode
from tracehub.review.models import FailureMode

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return Project.objects.create(slug="skylane", name="Skylane support")


def member(project, name, role):
    user = User.objects.create_user(f"{name.lower()}@skylane.example", name=name)
    Membership.objects.create(project=project, user=user, role=role)
    return user


@pytest.fixture
def admin(client, project):
    user = member(project, "Maja", "admin")
    client.force_login(user)
    return user


def role_of(project, user):
    return (
        Membership.objects.filter(project=project, user=user).values_list("role", flat=True).first()
    )


def test_admins_alone_see_who_has_a_second_factor(client, project, admin):
    ada = member(project, "Ada", "reviewer")
    Authenticator.objects.create(user=ada, type=Authenticator.Type.TOTP, data={"secret": "x"})
    said = ", has a second factor or passkey"
    (row,) = [row for row in client.get("/skylane/settings").text.split("<tr>") if said in row]
    assert "ada@skylane.example" in row
    client.force_login(ada)
    assert said not in client.get("/skylane/settings").text


def posts(project, user):
    key, _ = actions.create_key(project, "ingest", "production")
    mode, _ = create_mode(project, "Wrong amount")
    invitation = Invitation.objects.get(project=project) if project.invitations.exists() else None
    if invitation is None:
        actions.invite(project, "x@skylane.example", "viewer")
        invitation = Invitation.objects.get(project=project)
    return {
        "general": {"name": "Other"},
        "members/invite": {"email": "new@skylane.example", "role": "admin"},
        f"invitations/{invitation.pk}/withdraw": {},
        f"members/{user.pk}/role": {"role": "admin"},
        f"members/{user.pk}/remove": {},
        f"members/{user.pk}/restore/admin": {},
        "keys/new": {"name": "mine", "scope": "admin"},
        f"keys/{key.pk}/revoke": {},
        f"keys/{key.pk}/restore": {},
        "modes/new": {"name": "Other"},
        f"modes/{mode.slug}/edit": {"name": "Other"},
        f"modes/{mode.slug}/move": {"to": "up"},
        f"modes/{mode.slug}/archive": {},
        f"modes/{mode.slug}/restore": {},
    }


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("reviewer", 403), (None, 404)])
def test_only_admins_change_a_project(client, project, role, status):
    member(project, "Maja", "admin")
    user = User.objects.create_user("other@skylane.example")
    if role:
        Membership.objects.create(project=project, user=user, role=role)
    client.force_login(user)
    before = AuditEntry.objects.count()
    for path, data in posts(project, user).items():
        before = AuditEntry.objects.count()
        assert client.post(f"/skylane/settings/{path}", data).status_code == status, path
        assert AuditEntry.objects.count() == before, path
    assert role_of(project, user) == role


def test_every_change_needs_a_post(client, project, admin):
    for path in posts(project, admin):
        assert client.get(f"/skylane/settings/{path}").status_code == 405, path


def test_things_of_another_project_are_not_there(client, project, admin):
    other = Project.objects.create(slug="other", name="Other")
    stranger = member(other, "Tor", "admin")
    for path, data in posts(other, stranger).items():
        if re.search(r"\d|wrong-amount", path):
            assert client.post(f"/skylane/settings/{path}", data).status_code in (404, 409), path
    assert role_of(other, stranger) == "admin"
    assert role_of(project, stranger) is None


def test_a_viewer_sees_members_but_no_keys_and_no_invitations(client, project):
    actions.create_key(project, "ingest", "production")
    actions.invite(project, "soon@skylane.example", "viewer")
    client.force_login(member(project, "Vera", "viewer"))
    page = client.get("/skylane/settings").text
    assert "vera@skylane.example" in page
    assert "production" not in page
    assert "soon@skylane.example" not in page


def test_a_key_is_shown_once_and_only_its_ends_after(client, project, admin):
    answer = client.post("/skylane/settings/keys/new", {"name": "ci", "scope": "reviewer"})
    assert answer["Location"] == "/skylane/settings#keys"
    page = client.get("/skylane/settings").text
    text = re.search(r'value="(th_api_[0-9A-Za-z_]+)"', page)[1]
    assert actions.find_key(text).scope == "reviewer"
    again = client.get("/skylane/settings").text
    assert text not in again
    assert keys.parse(text).prefix in again


def test_a_revoked_key_is_dead_and_undo_brings_it_back(client, project, admin):
    key, text = actions.create_key(project, "ingest", "production")
    client.post(f"/skylane/settings/keys/{key.pk}/revoke")
    assert actions.find_key(text) is None
    page = client.get("/skylane/settings").text
    undo = re.search(r'action="(/skylane/settings/keys/\d+/restore)"', page)[1]
    client.post(undo)
    assert actions.find_key(text) is not None


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"name": "", "scope": "ingest"}, "Say what will use the key"),
        ({"name": "x", "scope": "root"}, "Select a valid choice"),
    ],
)
def test_a_key_needs_a_name_and_a_known_scope(client, project, admin, data, said):
    page = client.post("/skylane/settings/keys/new", data)
    assert page.status_code == 422
    assert said in page.text
    assert not ApiKey.objects.exists()


def test_an_invitation_shows_its_link_once_and_can_be_taken_back(client, project, admin):
    client.post(
        "/skylane/settings/members/invite", {"email": "Tor@skylane.example", "role": "viewer"}
    )
    page = client.get("/skylane/settings").text
    link = re.search(r'value="(http://testserver/accounts/invite/[^"]+)"', page)[1]
    assert link not in client.get("/skylane/settings").text
    offer = Invitation.objects.get()
    client.post(f"/skylane/settings/invitations/{offer.pk}/withdraw")
    client.logout()
    assert client.get(link).status_code == 410


def test_a_role_changes_at_the_next_request_and_undo_takes_it_back(client, project, admin):
    tor = member(project, "Tor", "reviewer")
    client.post(f"/skylane/settings/members/{tor.pk}/role", {"role": "viewer"})
    assert role_of(project, tor) == "viewer"
    client.post(f"/skylane/settings/members/{tor.pk}/restore/reviewer")
    assert role_of(project, tor) == "reviewer"


def test_a_removed_member_comes_back_with_their_role_only(client, project, admin):
    tor = member(project, "Tor", "reviewer")
    client.post(f"/skylane/settings/members/{tor.pk}/remove")
    assert role_of(project, tor) is None
    assert client.post(f"/skylane/settings/members/{tor.pk}/restore/admin").status_code == 409
    client.post(f"/skylane/settings/members/{tor.pk}/restore/reviewer")
    assert role_of(project, tor) == "reviewer"


@pytest.mark.parametrize("act", ["remove", "role"])
def test_the_last_admin_cannot_leave(client, project, admin, act):
    page = client.post(f"/skylane/settings/members/{admin.pk}/{act}", {"role": "viewer"})
    assert page.status_code == 422
    assert "A project needs an admin" in page.text
    assert role_of(project, admin) == "admin"


def test_failure_modes_are_made_edited_moved_and_archived(client, project, admin):
    for name in ("Wrong amount", "Wrong language", "Made-up policy"):
        client.post("/skylane/settings/modes/new", {"name": name, "definition": "when so"})
    client.post("/skylane/settings/modes/made-up-policy/move", {"to": "up"})
    client.post("/skylane/settings/modes/wrong-amount/edit", {"name": "Amount", "definition": "x"})
    client.post("/skylane/settings/modes/wrong-language/archive")
    modes = list(FailureMode.objects.filter(archived_at=None).values_list("slug", "name"))
    assert modes == [("wrong-amount", "Amount"), ("made-up-policy", "Made-up policy")]
    client.post("/skylane/settings/modes/wrong-language/restore")
    order = list(FailureMode.objects.values_list("slug", flat=True))
    assert order == ["wrong-amount", "made-up-policy", "wrong-language"]
    assert AuditEntry.objects.filter(action__startswith="mode.").count() == 7


def test_a_taken_mode_is_refused_with_what_was_typed(client, project, admin):
    create_mode(project, "Wrong amount")
    page = client.post("/skylane/settings/modes/new", {"name": "Wrong  Amount!"})
    assert page.status_code == 422
    assert "is taken" in page.text
    assert 'value="Wrong  Amount!"' in page.text


def test_a_person_keeps_name_theme_and_keys(client, project):
    vera = member(project, "Vera", "viewer")
    client.force_login(vera)
    client.post("/skylane/settings/profile", {"name": " Vera  Lind ", "theme": "dark"})
    vera.refresh_from_db()
    assert vera.name == "Vera Lind"
    page = client.get("/skylane/settings").text
    assert 'data-theme="dark"' in page
    assert 'data-keys="off"' in page


def test_names_are_text(client, project, admin):
    project.name = "<script>alert(1)</script>"
    project.save()
    create_mode(project, "<img src=x onerror=alert(1)>", slug="evil")
    page = client.get("/skylane/settings").text
    assert "<script>alert(1)" not in page
    assert "<img src=x" not in page
    assert "style=" not in page
