"""Webhooks, Slack and mail: from what happened to what a receiver on this machine got."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests import trace_factory as factory
from tests.failures.test_worker import RIGHT, SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.cli.environment import SettingError, mail
from tracehub.core import webhooks
from tracehub.core.trace import ValidationError
from tracehub.evals import actions as evals
from tracehub.evals import promoting, run_actions
from tracehub.failures import actions as failures
from tracehub.failures.models import Failure
from tracehub.failures.reading import load
from tracehub.notify import actions, sending
from tracehub.notify.models import Delivery, Destination
from tracehub.projects import outbox
from tracehub.projects.actions import ActionError
from tracehub.projects.models import AuditEntry, Event
from tracehub.review import actions as reviews
from tracehub.review import queueing
from tracehub.review.models import QueueItem, Seat


@pytest.fixture
def hook(project, admin, receiver):
    return actions.add_destination(
        project, "webhook", "ops", receiver.url, list(outbox.KINDS), by=admin
    )


def kinds(receiver):
    return [json.loads(body)["type"] for _, _, body in receiver.got]


def test_a_webhook_is_signed_as_standard_webhooks_are(project, hook, receiver, carry):
    outbox.emit(project.pk, "gate.decided", {"set": "refunds", "run": 4, "verdict": "failed"})
    assert carry() == 1
    path, headers, body = receiver.got[0]
    assert path == "/hook" and headers["webhook-id"] == str(Event.objects.get())
    assert webhooks.verify(hook.secret, headers, body, now=time.time())
    assert not webhooks.verify(hook.secret, headers, body + b" ", now=time.time())
    assert not webhooks.verify(hook.secret, headers, body, now=time.time() + 301)
    told = json.loads(body)
    assert told["type"] == "gate.decided"
    assert told["data"]["url"].endswith("/skylane/evals/refunds/runs/4")
    assert hook.secret.removeprefix("whsec_") not in str(Destination.objects.values())


def test_what_does_not_arrive_is_tried_again_and_the_log_says_why(hook, receiver, carry, project):
    receiver.answers = [(500, {}), (200, {})]
    outbox.emit(project.pk, "gate.decided", {"run": 1})
    assert carry() == 1 and carry() == 0
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.code) == ("waiting", 500)
    assert delivery.error == "It answered 500."
    assert carry(timedelta(seconds=11)) == 1
    delivery.refresh_from_db()
    assert (delivery.status, delivery.code, delivery.tries) == ("delivered", 200, 2)
    assert receiver.got[0][1]["webhook-id"] == receiver.got[1][1]["webhook-id"]
    actions.replay(delivery)
    assert carry(timedelta(seconds=12)) == 1 and len(receiver.got) == 3


def test_after_a_day_of_tries_a_delivery_has_failed(project, hook, receiver, carry):
    receiver.answers = [(503, {})] * 20
    outbox.emit(project.pk, "gate.decided", {"run": 1})
    later = timedelta(0)
    for pause in (0, *sending.PAUSES):
        later += timedelta(seconds=pause + 1)
        assert carry(later) == 1
    assert Delivery.objects.get().status == "failed"
    assert carry(later + timedelta(days=1)) == 0
    assert timedelta(hours=16) < later < timedelta(hours=26)


def test_53_a_destination_inside_is_refused_also_by_redirect_or_after_a_look_up(
    project, admin, receiver, carry, settings, hook
):
    receiver.answers = [(302, {"location": "http://169.254.169.254/latest"})]
    outbox.emit(project.pk, "gate.decided", {"run": 1})
    carry()
    assert "Redirects are not followed" in Delivery.objects.get().error
    Delivery.objects.all().delete()
    settings.OUTBOUND_INSIDE = []
    actions.send_test(hook, by=admin)
    carry()
    assert len(receiver.got) == 1
    assert Delivery.objects.get().error.startswith("The address lies inside the network.")


@pytest.mark.parametrize(
    ("kind", "address"),
    [("webhook", "file:///etc/passwd"), ("webhook", "https://"), ("slack", "javascript:alert(1)"),
     ("webhook", "https://user:pass@example.org/x"), ("webhook", "https://[::1"),
     ("email", "nobody"), ("pager", "https://example.org")],
)  # fmt: skip
def test_an_address_that_cannot_be_is_refused(project, admin, kind, address):
    with pytest.raises(ActionError):
        actions.add_destination(project, kind, "x", address, by=admin)


def test_the_audit_log_names_the_host_and_not_the_secret_path(project, admin):
    url = "https://hooks.example.org/services/T0/B0/secret"
    made = actions.add_destination(project, "slack", "bot", url, by=admin)
    actions.rotate(made, by=admin)
    actions.remove(made, by=admin)
    said = str(list(AuditEntry.objects.values()))
    assert "hooks.example.org" in said and "secret'" not in said and "T0" not in said


def test_slack_and_mail_get_the_same_words(project, admin, receiver, carry, mailoutbox):
    actions.add_destination(project, "slack", "bot", receiver.url, ["failure.new"], by=admin)
    actions.add_destination(project, "email", "maja", "maja@x.example", ["failure.new"], by=admin)
    told = {"key": "TH-4", "title": "<amount> & co", "severity": "high", "events": 3}
    outbox.emit(project.pk, "failure.new", told)
    outbox.emit(project.pk, "review.done", {"verdict": "fail"})
    assert carry() == 2
    text = json.loads(receiver.got[0][2])["text"]
    assert text.startswith("*Skylane support: TH-4 is new: &lt;amount&gt; &amp; co*")
    assert "/skylane/failures/TH-4|Open in TraceHub>" in text
    assert mailoutbox[0].subject == "Skylane support: TH-4 is new: <amount> & co"
    assert "Severity high, 3 traces so far." in mailoutbox[0].body


def test_a_mail_that_cannot_be_written_does_not_hold_up_the_others(
    project, admin, receiver, carry, monkeypatch
):
    def refuse(_mail):
        raise UnicodeEncodeError("ascii", "ü", 0, 1, "not in this header")

    monkeypatch.setattr("django.core.mail.EmailMessage.send", refuse)
    to = actions.add_destination(project, "email", "maja", "maja@x.example", by=admin)
    actions.send_test(to, by=admin)
    carry()
    assert Delivery.objects.get().error == "The mail server did not take it (UnicodeEncodeError)."


def test_a_silent_destination_does_not_hold_up_the_others(project, admin, hook, receiver, carry):
    receiver.answers = [(500, {})]
    for run in range(5):
        outbox.emit(project.pk, "gate.decided", {"run": run})
    assert carry() == 1  # the other four wait with it
    assert carry(timedelta(seconds=11)) == 5


def test_failing_traces_are_told_once_and_only_when_wanted(project, admin, hook, receiver, carry):
    wrong = [ValidationError("/a", "type", "must be number.")]
    trace_id = factory.trace(project, name="refund", validation_errors=wrong)
    factory.digest_now(project, trace_id)
    carry()
    assert kinds(receiver).count("trace.failed") == 1
    told = next(json.loads(b)["data"] for _, _, b in receiver.got if b"trace.failed" in b)
    assert told["trace_id"] == trace_id and told["signals"] == ["validation_error"]
    assert "output" not in told
    actions.set_events(hook, ["gate.decided"], by=admin)
    factory.trace(project, name="refund", validation_errors=wrong)
    assert Event.objects.filter(kind="trace.failed").count() == 1


def test_resolved_stays_resolved_and_a_later_failing_version_says_that_it_is_back(
    project, admin, hook, receiver, carry
):
    failures.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, WRONG, number=1, version="v12")
    failure = Failure.objects.get()
    carry()
    assert kinds(receiver).count("failure.new") == 1
    failures.resolve(failure, by=admin, where="refund@v13")
    reply(project, RIGHT, number=2, version="v13")
    reply(project, WRONG, number=3, version="v12")  # late, of the version before
    carry()
    failure.refresh_from_db()
    assert failure.status == "resolved" and "failure.regressed" not in kinds(receiver)
    reply(project, WRONG, number=4, version="v14")
    carry()
    failure.refresh_from_db()
    assert failure.status == "regressed"
    told = [json.loads(body) for _, _, body in receiver.got if b"failure.regressed" in body]
    assert [one["data"]["key"] for one in told] == [failure.key]
    assert told[0]["data"]["where"] == "Seen again in refund@v14."
    assert kinds(receiver).count("failure.new") == 1


def test_reviews_of_a_blind_queue_are_told_of_when_their_item_closes(project, hook):
    one, two = (stories.member(project, "reviewer", f"{n}@x.example") for n in "ab")
    trace = UUID(hex=stories.refund_trace(project))
    queueing.create_queue(project, "blind", blind=True, overlap=100, reviewers=[one, two])
    reviews.submit_review(project, trace, "fail", author=one)
    assert not Event.objects.filter(kind="review.done").exists()
    reviews.submit_review(project, trace, "pass", author=two)
    told = Event.objects.filter(kind="review.done").order_by("id")
    assert [event.body["verdict"] for event in told] == ["fail", "pass"]
    reviews.submit_review(project, trace, "pass", author=two)
    assert told.all().count() == 3


def test_verdicts_on_many_traces_are_told_of_but_for_sealed_ones(
    project, hook, django_assert_num_queries
):
    maja, tor = (stories.member(project, "reviewer", f"{n}@x.example") for n in ("maja", "tor"))
    sealed, *traces = [UUID(hex=factory.trace(project)) for _ in range(5)]
    reviews.create_mode(project, "Wrong tone")
    people = [maja, tor]
    queue, _ = queueing.create_queue(project, "blind", blind=True, overlap=100, reviewers=people)
    queue.items.all().delete()
    item = QueueItem.objects.create(queue=queue, project=project, trace_id=sealed)
    Seat.objects.bulk_create(Seat(item=item, reviewer=one) for one in people)
    given = {"author": maja, "modes": ["wrong-tone"]}
    reviews.submit_reviews(project, [sealed], "fail", **given)
    assert not Event.objects.filter(kind="review.done").exists()
    with CaptureQueriesContext(connection) as one:
        reviews.submit_reviews(project, traces[:1], "fail", **given)
    with django_assert_num_queries(len(one)):
        reviews.submit_reviews(project, traces[1:], "fail", **given)
    told = [event.body for event in Event.objects.filter(kind="review.done")]
    assert {one["trace_id"] for one in told} == {trace.hex for trace in traces}
    assert {(one["verdict"], *one["failure_modes"], one["by"]) for one in told} == {
        ("fail", "wrong-tone", "maja@x.example")
    }


def test_promoted_cases_and_decided_gates_are_told(project, hook):
    trace = UUID(hex=stories.refund_trace(project))
    made, _ = evals.create_set(project, "Refunds")
    for _ in range(2):
        promoting.promote_trace(made, load(project, trace))
    case = Event.objects.get(kind="case.promoted").body
    assert (case["set"], case["case"], case["trace_id"]) == ("refunds", "c_0001", trace.hex)
    evals.fix(made)
    body = {"version": 1, "candidate": {"name": "v13"},
            "results": [{"case": "c_0001", "passed": False}]}  # fmt: skip
    run_actions.add_run(made, body)
    gate = Event.objects.get(kind="gate.decided").body
    assert (gate["run"], gate["candidate"]) == (1, "v13")
    assert gate["verdict"] in {"failed", "undecided"} and gate["headline"]


def test_old_events_are_forgotten_but_not_what_waits(project, hook, receiver, carry):
    outbox.emit(project.pk, "gate.decided", {"run": 1}, {"run": 2})
    carry()
    Delivery.objects.filter(event__body__run=2).update(status="waiting")
    Event.objects.update(at="2026-01-01T00:00:00Z")
    sending.prune(Event.objects.latest("id").distributed_at)
    assert [event.body["run"] for event in Event.objects.all()] == [2]


def test_the_mail_server_is_given_as_a_url():
    found = mail("smtp://maja:p%40ss@mail.x.example?from=TraceHub <th@x.example>")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == (
        "mail.x.example", 587, True,
    )  # fmt: skip
    assert found["EMAIL_HOST_PASSWORD"] == "p@ss"
    assert found["DEFAULT_FROM_EMAIL"] == "TraceHub <th@x.example>"
    assert mail("smtps://mail.x.example")["EMAIL_PORT"] == 465
    assert mail("") == {"backend": "console"}
    with pytest.raises(SettingError, match="Got http://…"):
        mail("http://maja:secret@mail.x.example")
