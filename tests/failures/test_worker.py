"""From spans to groups through the worker: contracts, fingerprints, counts, and coming back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.query import parse
from tracehub.core.trace import Prompt, SpanFacts, ValidationError
from tracehub.failures import actions, lifecycle, querysets
from tracehub.failures.models import Failure, FailureDay
from tracehub.failures.store import Seen, first_day
from tracehub.failures.triage import querysets as triage
from tracehub.projects.actions import ActionError
from tracehub.review import actions as reviews
from tracehub.traces.models import Trace

SCHEMA = {
    "type": "object",
    "properties": {
        "refund": {
            "type": "object",
            "properties": {"amount": {"type": "number"}, "method": {"type": "string"}},
            "required": ["amount", "method"],
        }
    },
    "required": ["refund"],
}
RIGHT = '{"refund": {"amount": 418.60, "method": "card"}}'
WRONG = '{"refund": {"amount": "418.60 EUR", "method": "card"}}'


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def contract(project):
    return actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")[0]


def reply(project, said, *, number, version="v12", ago=timedelta(0), user="u1", **more):
    began = datetime.now(UTC) - ago
    return factory.trace(
        project,
        trace_id=f"{number:032x}",
        name="compose-refund",
        start_ns=int(began.timestamp() * 1e9),
        prompt=Prompt("refund", version),
        output=factory.chat(("assistant", said)),
        facts=SpanFacts(user_id=user, **more.pop("facts", {})),
        **more,
    )


def row(trace_id):
    return Trace.objects.get(trace_id=UUID(hex=trace_id))


def signals(trace_id):
    return [(s["kind"], s["pointer"]) for s in row(trace_id).signals]


def test_an_output_is_compared_with_the_contract_of_its_prompt(project, contract):
    bad = reply(project, WRONG, number=1)
    good = reply(project, RIGHT, number=2)
    found = row(bad).signals[0]
    assert found["kind"] == "schema_error"
    assert found["contract"] == "refund-reply/1"
    assert found["message"] == ('`/refund/amount` must be number. Got the string `"418.60 EUR"`.')
    assert row(bad).failing
    assert signals(good) == []


@pytest.mark.parametrize(
    ("said", "kind", "pointer"),
    [
        ("I cannot do that.", "not_json", None),
        ('{"refund": {"amount": null, "method": "card"}}', "required_null", "/refund/amount"),
        ('{"refund": {"amount": 1}}', "schema_error", "/refund/method"),
        ('```json\n{"refund": {}}\n```', "not_json", None),
    ],
)
def test_each_way_to_break_it_has_its_kind(project, contract, said, kind, pointer):
    assert signals(reply(project, said, number=1)) == [(kind, pointer)]


def test_a_label_that_nobody_knows_is_a_signal(project):
    actions.save_contract(
        project, "intent", True, span="route", labels={"/intents/*": ["refund", "rebook"]}
    )
    trace_id = factory.trace(
        project, name="route", output=factory.chat(("assistant", '{"intents": ["refund", "cake"]}'))
    )
    assert signals(trace_id) == [("unknown_label", "/intents/1")]


def test_what_the_sender_reported_at_the_same_place_is_said_once(project, contract):
    told = ValidationError("/refund/amount", "type", "not a number")
    other = ValidationError("/refund/reason", "enum", "unknown reason")
    trace_id = reply(project, WRONG, number=1, validation_errors=[told, other])
    assert signals(trace_id) == [
        ("schema_error", "/refund/amount"),
        ("validation_error", "/refund/reason"),
    ]


def test_the_sender_and_the_contract_find_one_failure(project):
    told = ValidationError("/refund/amount", "type", "not a number")
    reply(project, WRONG, number=1, validation_errors=[told])
    actions.save_contract(project, "refund-reply", SCHEMA, prompt="refund")
    reply(project, WRONG, number=2)
    failure = Failure.objects.get()
    assert (failure.key, failure.events) == ("TH-1", 2)


def test_traces_of_one_place_and_rule_are_one_group(project, contract):
    reply(project, WRONG, number=1, user="u1", ago=timedelta(hours=30))
    reply(project, WRONG.replace("418.60", "99"), number=2, user="u1")
    reply(project, WRONG, number=3, user="u2")
    reply(project, "No.", number=4, user="u3")
    failure = Failure.objects.get(kind="schema_error")
    assert (failure.events, failure.users, failure.since) == (3, 2, "refund@v12")
    assert failure.title == "refund.amount: must be number, got a string"
    days = dict(FailureDay.objects.filter(failure=failure).values_list("day", "events"))
    assert sum(days.values()) == 3 and len(days) >= 2
    assert row(f"{3:032x}").failures == [failure.pk]
    assert row(f"{3:032x}").signals[0]["failure"] == failure.key


def test_sending_and_digesting_again_counts_nothing_twice(project, contract):
    trace_id = reply(project, WRONG, number=1)
    reply(project, WRONG, number=1)
    factory.digest_now(project, trace_id)
    failure = Failure.objects.get()
    assert (failure.events, failure.users) == (1, 1)


def test_a_trace_that_no_longer_fails_leaves_its_group(project, contract):
    span = factory.span(
        f"{1:032x}", prompt=Prompt("refund", "v12"), output=factory.chat(("assistant", WRONG))
    )
    factory.trace(project, span)
    failure = Failure.objects.get()
    span.output, span.attributes = factory.chat(("assistant", RIGHT)), {"more": 1}
    factory.trace(project, span)
    failure.refresh_from_db()
    assert failure.events == 0
    assert row(f"{1:032x}").failures == []
    assert triage.tab_counts(project, timezone.now())["all"] == 0


def test_a_failing_review_groups_by_mode_until_it_is_withdrawn(project):
    trace_id = reply(project, RIGHT, number=1)
    reviewer = stories.member(project, "reviewer")
    reviews.create_mode(project, "Wrong amount")
    review, _ = reviews.submit_review(
        project, UUID(hex=trace_id), "fail", author=reviewer, modes=["wrong-amount"]
    )
    factory.digest_now(project, trace_id)
    failure = Failure.objects.get()
    assert (failure.kind, failure.title) == ("review", "Reviewers: Wrong amount")
    assert failure.events == 1
    reviews.withdraw(review)
    factory.digest_now(project, trace_id)
    failure.refresh_from_db()
    assert failure.events == 0


def test_a_light_signal_makes_no_group(project):
    trace_id = f"{1:032x}"
    asked = factory.chat(("user", "x"))
    failed = factory.span(trace_id, error=True, start_ns=10**18, input=asked, output=None)
    again = factory.span(trace_id, start_ns=10**18 + 10**9, input=asked)
    factory.trace(project, failed, again)
    assert "retried" in row(trace_id).signal_kinds
    assert not Failure.objects.filter(kind="retried").exists()


def resolved(project, where):
    failure = Failure.objects.get(kind="schema_error")
    actions.resolve(failure, by=None, where=where)
    return failure


@pytest.mark.parametrize(
    ("where", "version", "comes_back"),
    [
        ("next", "v12", False),
        ("next", "v9", False),
        ("next", "v13", True),
        ("refund@v14", "v13", False),
        ("refund@v14", "v14", True),
        ("refund@v14", "v15", True),
    ],
)
def test_it_regresses_by_the_order_of_versions_not_of_arrival(
    project, contract, where, version, comes_back
):
    reply(project, WRONG, number=1, version="v12")
    for n, known in enumerate(("v9", "v14"), 10):
        reply(project, RIGHT, number=n, version=known) if where != "next" else None
    failure = resolved(project, where)
    reply(project, WRONG, number=2, version=version, ago=timedelta(hours=-1))
    failure.refresh_from_db()
    assert failure.status == ("regressed" if comes_back else "resolved")
    assert failure.events == 2


def test_a_fixed_trace_of_the_next_version_leaves_it_resolved(project, contract):
    reply(project, WRONG, number=1, version="v12")
    failure = resolved(project, "next")
    reply(project, RIGHT, number=2, version="v13")
    failure.refresh_from_db()
    assert failure.status == "resolved"
    reply(project, WRONG, number=3, version="v14")
    failure.refresh_from_db()
    assert failure.status == "regressed"
    assert querysets.activities(failure)[0].detail == "Seen again in refund@v14."


@pytest.mark.parametrize(
    ("release", "comes_back"), [("2026.11.3", False), ("2026.11.10", True), ("2026.9.30", False)]
)
def test_it_regresses_from_a_release_on(project, contract, release, comes_back):
    reply(project, WRONG, number=1, facts={"release": "2026.11.3"})
    failure = resolved(project, "2026.11.10")
    reply(project, WRONG, number=2, facts={"release": release})
    failure.refresh_from_db()
    assert (failure.status == "regressed") is comes_back


def test_releases_without_an_order_go_by_their_first_start(project, contract):
    hour = timedelta(hours=1)
    reply(project, WRONG, number=1, ago=30 * hour, facts={"release": "green"})
    reply(project, RIGHT, number=2, ago=20 * hour, facts={"release": "blue"})
    failure = resolved(project, "blue")
    reply(project, WRONG, number=3, ago=10 * hour, facts={"release": "green"})
    failure.refresh_from_db()
    assert failure.status == "resolved"
    reply(project, WRONG, number=4, ago=15 * hour, facts={"release": "red"})
    failure.refresh_from_db()
    assert failure.status == "regressed"


@pytest.mark.parametrize("where", ["refund@v13", "blue"], ids=["version", "release"])
def test_what_many_events_are_held_against_is_read_once(
    project, contract, django_assert_max_num_queries, where
):
    reply(project, WRONG, number=1, facts={"release": "green"})
    failure = Failure.objects.get()
    actions.resolve(failure, by=None, where=where)
    many = [Seen(timezone.now(), None, ("refund@v12",), "green") for _ in range(9)]
    with django_assert_max_num_queries(4):  # the group twice, and both sides of the comparison
        lifecycle.after_events({failure.pk: many}, timezone.now())
    failure.refresh_from_db()
    assert failure.status == "resolved"


def test_an_old_event_that_arrives_late_does_not_reopen(project, contract):
    reply(project, WRONG, number=1, ago=timedelta(hours=3))
    failure = resolved(project, "now")
    reply(project, WRONG, number=2, ago=timedelta(hours=2))
    failure.refresh_from_db()
    assert failure.status == "resolved"
    reply(project, WRONG, number=3, ago=timedelta(seconds=-30))
    failure.refresh_from_db()
    assert failure.status == "regressed"


def test_ignored_until_more_events_shows_again(project, contract):
    reply(project, WRONG, number=1)
    failure = Failure.objects.get()
    actions.ignore(failure, by=None, events=2)
    reply(project, WRONG, number=2)
    failure.refresh_from_db()
    assert failure.status == "ignored"
    reply(project, WRONG, number=3)
    failure.refresh_from_db()
    assert failure.status == "ongoing"


def test_a_merge_holds_for_later_events_and_is_undone_at_once(project, contract):
    reply(project, WRONG, number=1)
    reply(project, "No.", number=2)
    first, second = Failure.objects.order_by("number")
    done = actions.merge(second, first, by=None)
    reply(project, "No.", number=3)
    first = querysets.get(project, first.number)

    def page():
        since = timezone.now().date() - timedelta(days=14)
        rows = triage.page(project, now=timezone.now(), since=since)
        return [(one.failure.key, one.recent) for one in rows]

    assert page() == [(first.key, 3)]
    wanted = parse(f"failure:{first.key}")
    assert Trace.objects.in_project(project).matching(wanted).count() == 3
    assert actions.undo(done, by=None)
    assert not actions.undo(done, by=None)
    assert sorted(page()) == sorted([(first.key, 1), (second.key, 2)])
    assert Trace.objects.in_project(project).matching(wanted).count() == 1


def test_a_trace_in_two_merged_groups_counts_once(project, contract):
    both = '{"refund": {"amount": "418.60 EUR", "method": 7}}'
    reply(project, both, number=1, ago=timedelta(hours=2))
    first, second = Failure.objects.order_by("number")
    actions.merge(second, first, by=None)
    (one,) = triage.page(project, now=timezone.now(), since=timezone.now().date() - timedelta(9))
    assert (one.failure, one.recent) == (first, 1)
    assert querysets.events_of(one.failure, one.recent) == 1


def test_events_of_a_merged_group_end_the_silence_of_the_other(project, contract):
    reply(project, WRONG, number=1)
    reply(project, "No.", number=2)
    wrong, other = Failure.objects.order_by("number")
    if wrong.kind != "schema_error":
        wrong, other = other, wrong
    actions.merge(other, wrong, by=None)
    actions.ignore(wrong, by=None, events=2)
    reply(project, "No.", number=3)
    wrong.refresh_from_db()
    assert wrong.status == "ignored"
    reply(project, "No.", number=4)
    wrong.refresh_from_db()
    assert wrong.status == "ongoing"
    assert querysets.seen_last(wrong) > wrong.last_seen


def test_a_group_is_given_to_members_only(project, contract):
    reply(project, WRONG, number=1)
    failure = Failure.objects.get()
    outsider = stories.member(stories.project("other"), "admin", "out@other.example")
    with pytest.raises(ActionError, match="no member"):
        actions.assign(failure, outsider, by=None)
    member = stories.member(project, "reviewer")
    undo = actions.assign(failure, member, by=member)
    failure.refresh_from_db()
    assert failure.assignee == member
    actions.undo(undo, by=member)
    failure.refresh_from_db()
    assert failure.assignee is None


def test_the_filter_finds_the_traces_of_a_group(project, contract):
    bad = reply(project, WRONG, number=1)
    good = reply(project, RIGHT, number=2)

    def found(text):
        rows = Trace.objects.in_project(project).matching(parse(text))
        return {one.trace_id.hex for one in rows}

    assert found("failure:TH-1") == found("failure:th-1") == {bad}
    assert found("failure:none") == {good}
    assert found("failure:TH-2") == set()


def test_a_failure_is_laid_to_the_prompt_of_the_failing_span(project, contract):
    trace_id = f"{7:032x}"
    began = int(datetime.now(UTC).timestamp() * 1e9)
    first = factory.span(trace_id, prompt=Prompt("answer", "v3"), start_ns=began)
    failed = factory.span(
        trace_id, parent_id=first.span_id, start_ns=began + 1000, prompt=Prompt("refund", "v12"),
        output=factory.chat(("assistant", WRONG)),
    )  # fmt: skip
    factory.trace(project, first, failed, trace_id=trace_id)
    assert row(trace_id).prompts == ["answer@v3", "refund@v12"]
    assert Failure.objects.get().since == "refund@v12"


def test_a_group_keeps_its_recent_days_for_lists(project, contract):
    reply(project, WRONG, number=1)
    reply(project, WRONG, number=2, ago=timedelta(days=3))
    reply(project, WRONG, number=3, ago=timedelta(days=13))
    now = timezone.now()
    assert Failure.objects.get().recent == [1, *[0] * 9, 1, 0, 0, 1, 0]

    def listed(later):
        since = first_day(now + timedelta(days=later))
        return [row.recent for row in triage.page(project, now=now, since=since)]

    assert [listed(later) for later in (0, 1, 10, 11, 14, 40)] == [[3], [2], [2], [1], [0], [0]]
