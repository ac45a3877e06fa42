"""The weekly mail: what it says, to whom, and that nobody gets it twice."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core import mail
from django.utils import timezone

from tests.failures.test_worker import SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.digest import weekly
from tracehub.failures import actions as failures
from tracehub.failures.models import Failure, Status
from tracehub.notify.models import Delivery, WeeklyMail
from tracehub.projects.models import Event
from tracehub.review import queueing

MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)


@pytest.fixture
def told(project):
    """A project with something for four parts of the mail."""
    failures.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    for number in range(1, 4):
        reply(project, WRONG, number=number, cost=Decimal("0.25"))
    queueing.create_queue(project, name="Refunds", q="", size=5)
    return Failure.objects.get()


def texts(project):
    return {part.title: part.lines for part in weekly.parts(project, timezone.now())}


def test_it_says_what_is_new_back_dear_and_waiting(project, told):
    said = texts(project)
    title = f"{told.key} refund.amount: must be number, got a string"
    assert said["New failures"] == [f"{title}: 3 times, since refund@v12"]
    assert said["Costliest failures"][0].startswith(f"{title}: $0.75 and 0 min in 3 traces")
    assert said["Queues that wait"][0].startswith("Refunds: 3 traces to review, the oldest for 0 h")
    assert "Gates" not in said and "Failures that are back" not in said
    Failure.objects.update(status=Status.REGRESSED, regressed_at=timezone.now() - timedelta(days=2))
    assert texts(project)["Failures that are back"] == [f"{title}: back for 2 d"]


def test_who_asked_gets_it_once_a_week_and_nobody_else(project, told, carry, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    maja, tor = stories.member(project, "viewer"), stories.member(project, "admin")
    weekly.ask(project, maja, True, MONDAY - timedelta(days=3))
    weekly.ask(project, maja, True, MONDAY)  # asked twice: as it was
    weekly.ask(project, tor, True, MONDAY - timedelta(days=3))
    weekly.ask(project, tor, False, MONDAY)
    assert weekly.send_due(MONDAY - timedelta(hours=3)) == 0  # 06:00
    assert weekly.send_due(MONDAY) == 1
    assert weekly.send_due(MONDAY + timedelta(days=6)) == 0
    carry()
    carry()
    (sent,) = mail.outbox
    assert sent.to == [maja.email]
    assert sent.subject == "Skylane support: the week to 30 November 2026"
    assert "New failures\n- TH-1 refund.amount" in sent.body
    assert sent.body.endswith("/skylane/failures")
    assert weekly.send_due(MONDAY + timedelta(days=7)) == 1


def test_a_mail_server_that_is_away_gets_it_later(project, told, carry, settings, monkeypatch):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    weekly.ask(project, stories.member(project, "viewer"), True, MONDAY - timedelta(days=7))
    weekly.send_due(MONDAY)

    def away(*_args):
        raise smtplib.SMTPServerDisconnected

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.EmailMessage.send", away)
        carry()
    assert Delivery.objects.get().status == "waiting" and not mail.outbox
    carry(later=timedelta(minutes=1))
    assert len(mail.outbox) == 1


def test_a_run_that_dies_sends_it_again_and_not_twice(project, told, monkeypatch):
    weekly.ask(project, stories.member(project, "viewer"), True, MONDAY - timedelta(days=7))

    def dies(*_args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(weekly.outbox, "emit", dies)
        weekly.send_due(MONDAY)
    assert not Event.objects.filter(kind=weekly.KIND).exists()
    assert weekly.send_due(MONDAY) == 1
    assert WeeklyMail.objects.get().sent_for == MONDAY.date()


def test_the_page_shows_it_and_turns_it_on(client, project, told):
    person = stories.member(project, "viewer")
    client.force_login(person)
    url = f"/{project.slug}/settings/weekly"
    page = client.get(url).content.decode()
    assert "You do not get it" in page and "refund.amount: must be number" in page
    assert client.post(url, {"on": "1"}).status_code == 302
    assert weekly.wanted(project, person)
    assert "You get it" in client.get(url).content.decode()
    client.post(url, {"on": "0"})
    assert not WeeklyMail.objects.exists()
