"""What queues choose by rule, with which probability, what rates say of it, and silent repeats."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.core.query import parse
from tracehub.projects.actions import ActionError
from tracehub.review import actions, filling, queueing, rates, repeats
from tracehub.review.models import QueueItem, Repeat, Review
from tracehub.review.querysets import standing
from tracehub.traces.models import Feedback, Trace

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@skylane.example")


def fill(project, number: int, **columns) -> list[Trace]:
    return [trace_row(project, **columns) for _ in range(number)]


def make(project, **rules):
    return queueing.create_queue(project, "Refunds", **rules)[0]


def judged(trace, value, name="grounded") -> None:
    Feedback.objects.create(
        project_id=trace.project_id, trace_id=trace.trace_id, key=f"{trace.hex}{name}",
        name=name, value=value, source="judge",
    )  # fmt: skip


def ways(queue) -> Counter:
    return Counter(queue.items.values_list("way", flat=True))


def test_strata_get_equal_shares_and_their_own_chances(project):
    fill(project, 30, model_names=["gpt-4o"])
    fill(project, 4, model_names=["small"])
    rule = {"way": "stratified", "most": 6, "by": "model"}
    queue = make(project, size=6, draws=[rule])
    assert Counter(i.reason for i in queue.items.all()) == {"model: gpt-4o": 3, "model: small": 3}
    small = queue.items.filter(reason="model: small").values_list("chance", flat=True)
    common = queue.items.filter(reason="model: gpt-4o").values_list("chance", flat=True)
    assert len({*small}) == len({*common}) == 1
    assert min(small) > max(common) > 0


def test_each_rule_has_its_day_and_its_cap_and_the_rest_is_drawn_by_chance(project):
    fill(project, 40, release="2026.11.2", ago=timedelta(hours=9))
    fill(project, 9, release="2026.11.3")
    draws = [{"way": "release", "daily": 3, "most": 5}, {"way": "different", "daily": 2}]
    queue = make(project, size=20, daily=8, draws=draws)
    assert ways(queue) == {"release": 3, "different": 2, "filter": 3}
    now = timezone.now()
    filling.top_up(queue, now=now + timedelta(days=1))
    assert ways(queue) == {"release": 5, "different": 4, "filter": 7}
    reasons = set(queue.items.filter(way="release").values_list("reason", flat=True))
    assert reasons == {"After release 2026.11.3"}
    assert set(queue.items.filter(way="different").values_list("chance", flat=True)) == {1.0}
    drawn = queue.items.filter(way="filter").values_list("chance", flat=True)
    assert all(0 < chance < 1 for chance in drawn)


def test_the_uncertain_and_the_contested_are_found_through_judges(project, maja):
    sure, torn, near, wrong, unsure = fill(project, 5)
    judged(sure, True)
    judged(torn, True)
    judged(torn, False, "tone")
    judged(near, 0.45)
    judged(wrong, False)  # the trace does not fail
    Trace.objects.filter(trace_id=unsure.trace_id).update(verdict="unsure")
    draws = [{"way": "judge", "most": 9}, {"way": "uncertain", "most": 9}]
    queue = make(project, q="tag:none-such OR name:*", size=4, draws=draws)
    found = dict(queue.items.values_list("trace_id", "reason"))
    assert found == {
        torn.trace_id: "Judge tone says fail",
        wrong.trace_id: "Judge grounded says fail",
        near.trace_id: "Judge grounded scores 0.45",
        unsure.trace_id: "Reviewed as unsure",
    }


def test_a_random_share_widens_the_chance_of_what_the_filter_drew(project):
    fill(project, 20, failing=True)
    fill(project, 180)
    queue = make(project, q="is:failing", size=40, random_share=50)
    by_way = {}
    for way, chance in queue.items.values_list("way", "chance"):
        by_way.setdefault(way, set()).add(round(chance, 9))
    assert by_way["filter"] == {1.0}  # all 20 fit
    (chance,) = by_way["random"]
    assert 0.03 < chance < 0.3


def test_rates_are_weighted_and_every_number_opens_its_traces(client, project, maja):
    mode, _ = actions.create_mode(project, "Wrong amount")
    bad = {t.trace_id for t in fill(project, 20, failing=True)}
    fill(project, 180)
    queue = make(project, q="is:failing", size=40, random_share=50, reviewers=[maja])
    for item in queue.items.all():
        fails = item.trace_id in bad
        actions.submit_review(
            project, item.trace_id, "fail" if fails else "pass", author=maja,
            modes=[mode.slug] if fails else [],
        )  # fmt: skip
    found = rates.rates(queue)
    assert found.plain == 0.5
    assert 0.05 < found.failing.share < 0.2
    assert found.failing.interval[0] < 0.1 < found.failing.interval[1]
    assert found.modes == [(mode, found.failing)]
    known = rates.inclusion(project.pk, [item.trace_id for item in queue.items.all()])
    assert len(known) == 40
    client.force_login(maja)
    page = client.get("/skylane/review/refunds").text
    assert "Unweighted, 50.0% fail" in page
    assert "q=queue%3Arefunds%20mode%3Awrong-amount" in page
    assert "50% of these at random from all traces" in page
    now = timezone.now()
    rows = Trace.objects.in_project(project).in_range(now - timedelta(days=1), now)
    assert rows.matching(parse("queue:refunds is:failing")).count() == 20
    assert rows.matching(parse("queue:none")).count() == 160
    other = stories.project("other")
    trace_row(other)
    assert not Trace.objects.in_project(other).matching(parse("queue:refunds")).exists()


def test_wrong_rules_name_their_field(project):
    with pytest.raises(ActionError) as error:
        make(project, draws=[{"way": "judge", "daily": 9000}])
    assert error.value.field == "judge"
    with pytest.raises(ActionError, match="repeats must lie in 0 to 10"):
        make(project, repeats=11)


def work(client, queue, number: int, verdict="pass") -> list[str]:
    """Answer what *next* shows, so often, and return the traces."""
    shown = []
    for _ in range(number):
        page = client.get("/skylane/review/refunds/next")["Location"]
        shown.append(page.split("/")[3].split("?")[0])
        client.post(f"/skylane/traces/{shown[-1]}/review", {"verdict": verdict, "queue": "refunds"})
    return shown


@pytest.fixture
def worked(client, project, maja):
    """Twenty traces reviewed as pass, one in ten to be repeated."""
    traces = [stories.refund_trace(project, n) for n in range(1, 23)]
    queue = make(project, repeats=10, reviewers=[maja])
    assert queue.items.count() == len(traces)
    client.force_login(maja)
    return queue, work(client, queue, 11)


def test_a_repeat_looks_like_any_trace_and_counts_for_nothing_else(client, project, worked, maja):
    queue, first = worked
    page = client.get("/skylane/review/refunds/next")["Location"]
    trace = page.split("/")[3].split("?")[0]
    assert trace == first[0]  # eleven given, ten kept apart: only the first may come back
    body = client.get(page).text
    assert "12 of 24 in" in body
    assert "Your verdict" not in body
    assert "checked" not in body.split('class="verdicts"')[1].split("</fieldset>")[0]
    assert "epeat" not in body
    before = standing(project.pk, [Repeat.objects.get().trace_id])
    client.post(f"/skylane/traces/{trace}/review", {"verdict": "fail", "queue": "refunds"})
    repeat = Repeat.objects.get()
    assert repeat.review.is_repeat
    assert standing(project.pk, [repeat.trace_id]) == before
    found = repeats.consistency(queue, maja)
    assert (found.same, found.number, found.changed) == (0, 1, [repeat.trace_id])
    assert "Your own consistency" in client.get("/skylane/review/refunds").text
    following = client.get("/skylane/review/refunds/next")["Location"]
    assert "13 of 24 in" in client.get(following).text
    other = stories.member(project, "reviewer", "tor@skylane.example")
    client.force_login(other)
    assert "consistency" not in client.get("/skylane/review/refunds").text
    assert ",fail," not in client.get("/skylane/review/refunds/labels.csv").text


def test_a_repeat_can_be_taken_back_skipped_and_left(client, project, worked, maja):
    queue, first = worked
    work(client, queue, 1, "fail")
    answer = Repeat.objects.get().review
    client.post(f"/skylane/reviews/{answer.pk}/withdraw?queue=refunds")
    assert Repeat.objects.get().review is None
    client.post(f"/skylane/review/refunds/skip/{first[0]}")
    assert Repeat.objects.get().dropped_at is not None
    assert client.get("/skylane/review/refunds/next")["Location"].split("/")[3][:32] != first[0]
    Repeat.objects.update(dropped_at=None, shown_at=timezone.now() - timedelta(hours=1))
    trace = Repeat.objects.get().trace_id
    review, _ = actions.submit_review(project, trace, "fail", author=maja)
    assert not review.is_repeat  # an hour later it is a new opinion
    assert Review.objects.filter(is_repeat=True, withdrawn_at=None).count() == 0


def test_a_repeat_leaves_an_open_blind_item_as_it_is(project, maja):
    tor = stories.member(project, "reviewer", "tor@skylane.example")
    fill(project, 12)
    queue = make(project, blind=True, overlap=100, repeats=10, reviewers=[maja, tor])
    for item in queue.items.all():
        actions.submit_review(project, item.trace_id, "pass", author=maja)
    trace = queueing.next_trace(queue, maja, now=timezone.now())
    review, _ = actions.submit_review(project, trace, "fail", author=maja)
    assert review.is_repeat
    item = QueueItem.objects.get(trace_id=trace)
    assert item.closed_at is None
    assert item.seats.get(reviewer=maja).review.verdict == "pass"
    assert repeats.consistency(queue, maja) is None  # not before the item closes
    actions.submit_review(project, trace, "pass", author=tor)
    assert repeats.consistency(queue, maja).number == 1
