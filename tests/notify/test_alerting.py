"""Alerts at work: tried on the past, gathered, silent, snoozed, and sent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.failures.test_worker import SCHEMA, WRONG, reply
from tracehub.failures import actions as failures
from tracehub.failures.models import Failure
from tracehub.notify import actions, alert_actions, alerting
from tracehub.notify.models import Alert
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Event
from tracehub.traces import rollup
from tracehub.traces.models import TermCount

HOUR = timedelta(hours=1)


@pytest.fixture
def to(project, admin):
    made = actions.add_destination(project, "email", "maja", "maja@x.example", by=admin)
    return [made.pk]


@pytest.fixture
def add(project, admin, to):
    def make(kind, quiet=1, **given):
        draft = alert_actions.draft(project, kind, f"{kind} alert", given, to, quiet)
        return alert_actions.add(draft, by=admin)

    return make


def fired():
    return [event.body["lines"] for event in Event.objects.filter(kind="alert.fired")]


def told(project, *keys, severity="high"):
    bodies = [{"key": key, "title": "wrong", "severity": severity} for key in keys]
    outbox.emit(project.pk, "failure.new", *bodies)


def counts(project, hours, *, key="is", value="", failing=2, last=None):
    """Store `hours` hours of 100 traces that end now, the last one with `last` failing."""
    end = rollup.floor(timezone.now() - alerting.LATE)
    rows = [
        TermCount(project_id=project.pk, key=key, value=value, bucket=end - n * HOUR,
                  day=end.date(), traces=100, failing=last if n == 1 and last else failing)
        for n in range(1, hours + 1)
    ]  # fmt: skip
    TermCount.objects.bulk_create(rows)
    return end


def test_events_are_gathered_into_one_message_and_then_it_is_quiet(project, add):
    add("new", quiet=2, severity="high")
    now = timezone.now()
    told(project, "TH-1", "TH-2")
    told(project, "TH-9", severity="medium")
    assert alerting.check_all(now) == 1 and alerting.check_all(now) == 0
    assert fired() == [["TH-1 is new: wrong", "TH-2 is new: wrong"]]
    told(project, "TH-3")
    assert alerting.check_all(now + HOUR) == 0
    assert alerting.check_all(now + 2 * HOUR) == 1
    assert fired()[1] == ["TH-3 is new: wrong"]


def test_what_comes_while_an_alert_is_snoozed_or_off_is_not_told_later(project, add, admin):
    alert = add("new")
    now = timezone.now()
    alert_actions.snooze(alert, now + HOUR, by=admin)
    told(project, "TH-1")
    assert alerting.check_all(now) == 0 and alerting.check_all(now + 2 * HOUR) == 0
    alert.refresh_from_db()
    alert_actions.turn(alert, False, by=admin)
    told(project, "TH-2")
    alert_actions.turn(alert, True, by=admin)
    assert alerting.check_all(now + 3 * HOUR) == 0 and fired() == []


def test_an_alert_that_cannot_be_checked_holds_up_no_other(project, add, monkeypatch, caplog):
    broken = add("spike", hours=1)
    add("new")
    told(project, "TH-1")

    def check_hours(*args, **kwargs):
        raise ArithmeticError

    monkeypatch.setattr(alerting, "_check_hours", check_hours)
    assert alerting.check_all(timezone.now()) == 1
    assert f"Alert {broken.pk} " in caplog.text


def test_an_alert_of_another_kind_does_not_tell_what_was_before(project, add, to, admin):
    alert = add("spike", hours=1)
    told(project, "TH-1")
    made = alert_actions.draft(project, "new", alert.name, {}, to, 1)
    alert_actions.change(alert, made, by=admin)
    assert alerting.check_all(timezone.now()) == 0
    told(project, "TH-2")
    assert alerting.check_all(timezone.now()) == 1
    assert fired() == [["TH-2 is new: wrong"]]


def test_a_spike_is_sent_once_and_the_preview_saw_it(project, add, carry, mailoutbox):
    alert = add("spike", hours=1)
    end = counts(project, 200, key=alerting.ALL, last=20)
    preview = alerting.preview(alert, timezone.now())
    assert (preview.times, preview.days[-1] or preview.days[-2]) == (1, True)
    assert preview.words == "would have fired once"
    Alert.objects.update(checked_until=end - 2 * HOUR)
    assert alerting.check_all(timezone.now()) == 1 and alerting.check_all(timezone.now()) == 0
    carry()
    assert mailoutbox[0].subject == "Skylane support: spike alert"
    assert "20 of 100 traces fail (20.0%) in 1 h, all traces." in mailoutbox[0].body
    assert "In the week before: 2.0%." in mailoutbox[0].body


def test_a_cohort_is_held_against_another(project, add):
    given = {"key": "cohort", "value": "canary", "hours": 1, "percent": 2, "least": 50}
    add("rate", **given, against="control")
    end = counts(project, 30, key="cohort", value="canary", last=20)
    counts(project, 30, key="cohort", value="control")
    Alert.objects.update(checked_until=end - 3 * HOUR)
    assert alerting.check_all(timezone.now()) == 1
    assert "control: 2.0%. Difference +" in fired()[0][1]


def test_a_new_failure_of_the_past_is_in_the_preview(project, add):
    failures.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, WRONG, number=1, ago=timedelta(days=3))
    reply(project, WRONG, number=2)
    assert Failure.objects.count() == 1
    preview = alerting.preview(add("new"), timezone.now())
    assert preview.times == 1 and preview.days.index(True) == 10


def test_a_used_up_budget_is_told(project, add):
    add("budget")
    told = {"budget": "gpt-4o", "month": "2026-11", "passed": "spent", "amount": "50.00",
            "spent": "50.10", "forecast": "61.00"}  # fmt: skip
    outbox.emit(project.pk, "budget.passed", told)
    assert alerting.check_all(timezone.now()) == 1
    assert fired() == [
        ["Budget of gpt-4o is passed in 2026-11. $50.10 spent, $61.00 expected of $50.00."]
    ]


@pytest.mark.parametrize(
    ("kind", "given", "field"),
    [("page", {}, "kind"), ("new", {"severity": "grave"}, "severity"),
     ("spike", {"hours": "x"}, "hours"), ("spike", {"hours": 1, "key": "cohort"}, "value"),
     ("rate", {"hours": 1, "percent": 101, "least": 5}, "percent"),
     ("rate", {"hours": 1, "percent": 1, "least": 5, "against": "control"}, "against")],
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused_by_name(project, kind, given, field):
    with pytest.raises(ActionError) as refused:
        alert_actions.draft(project, kind, "x", given, [], 1)
    assert refused.value.field == field
