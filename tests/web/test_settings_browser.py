"""Settings in Chromium: menus in tables are drawn over what cuts off everything else."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.notify.models import Alert, Destination

pytestmark = pytest.mark.browser
RULE = {"severity": "medium"}


def test_an_alert_is_snoozed_from_its_menu(committed_db):
    project = stories.project()
    person = stories.member(project, "admin")
    hook = Destination.objects.create(
        project=project, kind="slack", name="ops", address="https://hooks.example.org/x"
    )
    Alert.objects.create(project=project, name="Spikes", kind="new", rule=RULE, to=[hook.pk])
    with chromium() as browser, server.running() as base:
        signed = Signed(browser, base, person, width=1440, dark=False)
        page = signed.open("/skylane/settings/alerts")
        page.get_by_label("Actions for Spikes").click()
        page.get_by_role("button", name="Snooze for 1 hour").click()
        expect(page.locator(".toast")).to_contain_text("Alert Spikes is silent for 1h")
        assert signed.accessibility() == []
        assert signed.errors == []
    assert Alert.objects.get().snoozed_until is not None
