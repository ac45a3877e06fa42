"""Settings, alerts: tried before it is kept; destinations whose secret is shown once."""

from __future__ import annotations

import re

import pytest

from tests.web import stories
from tracehub.notify import actions
from tracehub.notify.models import Alert, Delivery, Destination
from tracehub.projects.models import AuditEntry

BASE = "/skylane/settings/"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def client(client, project):
    client.force_login(stories.member(project, "admin"))
    return client


@pytest.fixture
def hook(project, client):
    url = "https://hooks.example.org/secret-path"
    written = {"way": "webhook", "name": "ops", "address": url, "event": ["gate.decided"]}
    client.post(BASE + "destinations/new", written)
    return Destination.objects.get()


def test_the_secret_of_a_webhook_is_shown_once(client, hook):
    text = client.get(BASE + "alerts").text
    assert hook.secret in text and "hooks.example.org" in text and "secret-path" not in text
    assert hook.secret not in client.get(BASE + "alerts").text
    client.post(f"{BASE}destinations/{hook.pk}/change", {"act": "rotate"})
    hook.refresh_from_db()
    assert hook.secret in client.get(BASE + "alerts").text
    entries = AuditEntry.objects.filter(action__startswith="destination.")
    assert set(entries.values_list("action", flat=True)) == {
        "destination.created", "destination.rotated",
    }  # fmt: skip


def test_an_alert_is_tried_before_it_is_kept(client, hook):
    given = {"kind": "spike", "name": "Spikes", "hours": "1", "quiet": "6", "to": hook.pk}
    page = client.post(BASE + "alerts/new", {**given, "try": "1"})
    assert "would not have fired" in page.text and not Alert.objects.exists()
    assert 'value="Spikes"' in page.text
    page = client.post(BASE + "alerts/new", given, follow=True)
    assert "all traces failing more than in the week before, 1 h" in page.text
    assert "style=" not in page.text
    alert = Alert.objects.get()
    for act, said in (
        ("1d", "snoozed until"), ("switch", "Alert Spikes is off"), ("remove", "No alerts yet")
    ):  # fmt: skip
        page = client.post(f"{BASE}alerts/{alert.pk}", {"act": act}, follow=True)
        assert said in page.text


def test_what_is_wrong_is_said_beside_the_form(client, hook):
    page = client.post(BASE + "alerts/new", {"kind": "new", "name": "", "quiet": "1"})
    assert page.status_code == 422 and "name must have 1 to 80 characters" in page.text
    page = client.post(BASE + "alerts/new", {"kind": "new", "name": "x", "quiet": "1"})
    assert "Choose at least one destination." in page.text
    page = client.post(
        BASE + "destinations/new", {"way": "webhook", "name": "y", "address": "ftp://x"}
    )
    assert page.status_code == 422 and "must be a URL that begins with https://" in page.text


def test_the_log_tells_how_deliveries_went_and_sends_again(client, project, hook):
    client.post(f"{BASE}destinations/{hook.pk}/change", {"act": "test"})
    delivery = Delivery.objects.get()
    Delivery.objects.update(status="failed", code=500, error="It answered 500.", tries=8)
    text = client.get(f"{BASE}destinations/{hook.pk}").text
    assert "It answered 500." in text and re.search(r'data-tone="fail">Failed', text)
    client.post(f"{BASE}deliveries/{delivery.pk}/replay")
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("waiting", 0)


def test_a_viewer_sees_rules_and_no_addresses(client, project, hook):
    actions.turn(hook, False, by=project.memberships.get().user)
    client.force_login(stories.member(project, "viewer"))
    text = client.get(BASE + "alerts").text
    assert "ops" in text and "hooks.example.org" not in text and "alerts/new" not in text


def test_an_alert_is_edited_and_goes_to_people(client, project, hook):
    person = stories.member(project, "reviewer")
    given = {"kind": "rate", "name": "Canary", "key": "cohort", "value": "canary", "percent": "5",
             "least": "50", "hours": "1", "quiet": "6", "person": person.email}  # fmt: skip
    assert f'value="{person.email}"' in client.get(BASE + "alerts").text
    client.post(BASE + "alerts/new", {**given, "try": "1"})
    assert Destination.objects.count() == 1  # trying makes nothing
    client.post(BASE + "alerts/new", {**given, "person": [person.email, "x@evil.example"]})
    alert, mine = Alert.objects.get(), Destination.objects.get(name=f"@{person.email}")
    assert alert.to == [mine.pk] and mine.address == person.email
    page = client.get(f"{BASE}alerts?edit={alert.pk}").text
    assert "Edit Canary" in page and 'value="canary"' in page and 'name="alert"' in page
    changed = {**given, "alert": alert.pk, "name": "Canary worse", "percent": "8", "to": hook.pk}
    client.post(BASE + "alerts/new", changed)
    alert.refresh_from_db()
    assert (alert.name, alert.rule["percent"], alert.on) == ("Canary worse", 8.0, True)
    assert alert.to == sorted([hook.pk, mine.pk])
    assert AuditEntry.objects.filter(action="alert.changed").count() == 1
    page = client.post(BASE + "alerts/new", {**changed, "percent": "800"})
    assert page.status_code == 422 and "percent must be" in page.text and "Edit Canary" in page.text
    assert client.get(BASE + "alerts?edit=999999").status_code == 404
