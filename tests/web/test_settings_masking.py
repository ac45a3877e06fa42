"""Settings, Masking: rules are tried, turned on and off, removed, and bad ones explained."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests import trace_factory
from tracehub.digest.models import Remasking
from tracehub.digest.remasking import work as remasking
from tracehub.projects import masking
from tracehub.projects.models import AuditEntry, MaskRule, Membership, Project, User

pytestmark = pytest.mark.django_db
NEW = "/skylane/settings/masking/new"


@pytest.fixture
def project():
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def admin(client, project):
    user = User.objects.create_user("maja@skylane.example", name="Maja")
    Membership.objects.create(project=project, user=user, role="admin")
    client.force_login(user)
    return user


def test_a_rule_is_added_turned_off_and_removed(client, admin, project):
    answer = client.post(NEW, {"kind": "email"}, follow=True)
    assert "email address" not in answer.text.partition("visually-hidden")[0]
    rule = MaskRule.objects.get()
    assert (rule.name, rule.kind, rule.on) == ("email", "email", True)
    client.post(f"/skylane/settings/masking/{rule.pk}/turn", {"on": "0"})
    assert masking.masker_of(project.pk).mask("tor@mail.example").counts == {}
    client.post(f"/skylane/settings/masking/{rule.pk}/turn", {"on": "1"})
    assert masking.masked(project.pk, "tor@mail.example") == "[masked:email]"
    page = client.get("/skylane/settings").text
    assert 'class="r num">1<' in page
    client.post(f"/skylane/settings/masking/{rule.pk}/remove")
    assert not MaskRule.objects.exists()
    actions = AuditEntry.objects.order_by("id").values_list("action", flat=True)
    assert list(actions) == ["masking.added", "masking.off", "masking.on", "masking.removed"]


def test_a_dry_run_says_what_would_be_masked_and_stores_nothing(client, admin, project):
    trace_factory.trace(project, attributes={"q": "Refund X7K2QD and X7K2QE, <b>please</b>"})
    trace_factory.trace(project, attributes={"q": "Hello"})
    sent = {"kind": "pattern", "name": "booking", "pattern": r"X7K2Q[A-Z]", "try": "1"}
    page = client.post(NEW, sent).text
    assert "Would mask 2 values" in page
    assert "in 1 trace." in page
    assert '<span class="masked mono">booking</span>' in page
    assert "&lt;b&gt;please" in page or "Refund" in page
    assert 'value="X7K2Q[A-Z]"' in page
    assert not MaskRule.objects.exists()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"kind": "pattern", "name": "mine", "pattern": "("}, "missing )"),
        ({"kind": "pattern", "name": "mine"}, "Write the pattern"),
        ({"kind": "pattern", "pattern": "abc"}, "Give the rule a name"),
        ({"kind": "pattern", "name": "Mine!", "pattern": "abc"}, "small letters"),
        ({"kind": "path", "name": "mine", "pattern": "a*b"}, "must be a name"),
    ],
)
def test_a_bad_rule_is_explained(client, admin, sent, said):
    answer = client.post(NEW, sent)
    assert answer.status_code == 422
    assert said in answer.text
    assert not MaskRule.objects.exists()


def test_viewers_see_the_rules_and_change_nothing(client, project):
    MaskRule.objects.create(project=project, name="email", kind="email")
    viewer = User.objects.create_user("vera@skylane.example")
    Membership.objects.create(project=project, user=viewer, role="viewer")
    client.force_login(viewer)
    page = client.get("/skylane/settings").text
    assert "email" in page
    assert "masking/new" not in page
    assert client.post(NEW, {"kind": "phone"}).status_code == 403


def test_a_rule_looks_in_one_place_and_a_wrong_place_is_explained(client, admin, project):
    sent = {"kind": "pattern", "name": "booking", "pattern": "X7K", "within": "output"}
    client.post(NEW, sent)
    assert MaskRule.objects.get().within == "output"
    page = client.get("/skylane/settings").text
    assert 'in <span class="mono">output</span>' in page
    assert masking.masked(project.pk, {"input": "X7K", "output": "X7K"}) == {
        "input": "X7K",
        "output": "[masked:booking]",
    }
    answer = client.post(NEW, {**sent, "name": "other", "within": "answers"})
    assert answer.status_code == 422
    assert "A rule looks in input, output, metadata or attributes.NAME" in answer.text


def test_stored_traces_are_masked_by_a_job_that_the_page_tells_of(client, admin, project):
    trace_factory.trace(project)
    page = client.post("/skylane/settings/masking/stored", follow=True).text
    assert "Masking stored traces, 0 of 1 done" in page
    assert "<progress" in page
    assert AuditEntry.objects.get().action == "masking.stored"
    Remasking.objects.update(created_at=timezone.now() - timedelta(minutes=1))
    assert not remasking.work(seconds=5)
    page = client.get("/skylane/settings").text
    assert "Stored traces were masked" in page
    assert "0 values in 0 of 1 trace." in page
