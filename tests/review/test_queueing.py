"""Queues: filling, fairness, holds, skipping, closing, and what undo opens again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.projects.actions import ActionError
from tracehub.review import actions, filling, queueing
from tracehub.review.models import QueueItem, Review, Seat
from tracehub.review.tasks import top_up

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def people(project):
    return [stories.member(project, "reviewer", f"{n}@skylane.example") for n in ("a", "b", "c")]


def fill(project, number: int, **columns) -> None:
    for _ in range(number):
        trace_row(project, **columns)


def make(project, **rules):
    return queueing.create_queue(project, "Refund canary", **rules)[0]


def turn(queue, person, **options):
    return queueing.next_seat(queue, person, now=timezone.now(), **options)


def test_a_queue_takes_what_its_filter_finds_up_to_its_size(project):
    fill(project, 3, failing=True)
    fill(project, 2)
    fill(stories.project("other"), 1, failing=True)
    assert make(project, q="is:failing", size=2).items.count() == 2
    everything = queueing.create_queue(project, "All", q="is:failing")[0]
    assert everything.items.count() == 3
    assert {item.reason for item in everything.items.all()} == {"is:failing"}


def test_a_share_is_drawn_from_all_traces(project):
    fill(project, 8, failing=True)
    fill(project, 8)
    queue = make(project, q="is:failing", size=8, random_share=50)
    assert Counter(i.reason for i in queue.items.all()) == {"is:failing": 4, "Random 50%": 4}


def test_topping_up_twice_adds_nothing_and_a_day_has_its_limit(project):
    fill(project, 5)
    queue = make(project, daily=2)
    top_up()
    assert queue.items.count() == 2
    assert filling.top_up(queue, now=timezone.now() + timedelta(days=1)) == 2
    queueing.pause(queue, paused=True)
    assert filling.top_up(queue, now=timezone.now() + timedelta(days=2)) == 0


def test_a_blind_queue_leaves_out_what_has_a_verdict(project, people):
    known = trace_row(project)
    actions.submit_review(project, known.trace_id, "fail", author=people[0])
    fill(project, 1)
    assert make(project, blind=True).items.count() == 1


def test_items_go_to_whoever_has_the_fewest_and_every_fifth_to_two(project, people):
    fill(project, 20)
    queue = make(project, overlap=20, reviewers=people)
    seats = Seat.objects.filter(item__queue=queue)
    assert seats.count() == 24
    assert set(Counter(seats.values_list("reviewer_id", flat=True)).values()) == {8}


def test_a_free_item_is_held_for_a_while_and_then_goes_to_the_next(project, people):
    fill(project, 1)
    queue = make(project)
    seat = turn(queue, people[0])
    assert turn(queue, people[1]) is None
    assert turn(queue, people[0]).pk == seat.pk
    later = timezone.now() + queueing.HOLD + timedelta(seconds=1)
    assert queueing.next_seat(queue, people[1], now=later).pk == seat.pk


def test_next_goes_on_after_an_item_and_then_round(project, people):
    fill(project, 3)
    queue = make(project, reviewers=people[:1])
    ids = list(queue.items.values_list("id", flat=True))
    assert turn(queue, people[0], after=ids[0]).item_id == ids[1]
    assert turn(queue, people[0], after=ids[2]).item_id == ids[0]
    traces = list(queue.items.values_list("trace_id", flat=True))
    assert turn(queue, people[0], avoid=traces) is None
    assert turn(queue, people[1]) is None


def test_a_review_anywhere_answers_the_turn_and_closes_the_item(project, people):
    fill(project, 1)
    queue = make(project, reviewers=people[:1])
    item = queue.items.get()
    review, _ = actions.submit_review(project, item.trace_id, "pass", author=people[0])
    item.refresh_from_db()
    assert item.closed_at is not None
    assert item.seats.get().review == review
    actions.withdraw(review)
    item.refresh_from_db()
    assert item.closed_at is None
    assert turn(queue, people[0]).item_id == item.pk


def test_a_skip_passes_the_item_on_and_undo_takes_it_back(project, people):
    fill(project, 1)
    queue = make(project, reviewers=people[:2])
    seat = Seat.objects.get()
    first, second = seat.reviewer, next(p for p in people[:2] if p != seat.reviewer)
    queueing.skip(seat, first, "Not my language")
    assert turn(queue, first) is None
    passed = turn(queue, second)
    queueing.skip(passed, second, "")
    assert queue.items.get().closed_at is not None
    passed.refresh_from_db()
    queueing.unskip(passed)
    assert turn(queue, second).pk == passed.pk


def test_dealing_anew_evens_out_who_has_how_many(project, people):
    fill(project, 9)
    queue = make(project, reviewers=people[:1])
    queue.reviewers.set(people)
    assert filling.rebalance(queue) == 6
    assert set(Counter(Seat.objects.values_list("reviewer_id", flat=True)).values()) == {3}


def test_while_a_blind_item_is_open_every_review_of_its_trace_is_sealed(project, people):
    fill(project, 1)
    queue = make(project, blind=True, overlap=100, reviewers=people[:2])
    trace = queue.items.get().trace_id
    one, _ = actions.submit_review(project, trace, "fail", author=people[0])
    stranger, _ = actions.submit_review(project, trace, "pass", author=people[2])
    assert (one.sealed, stranger.sealed) == (True, True)
    two, _ = actions.submit_review(project, trace, "pass", author=people[1])
    assert not two.sealed
    assert not Review.objects.filter(sealed=True).exists()
    actions.withdraw(two)
    one.refresh_from_db()
    assert one.sealed


def test_an_admin_closes_an_item_early_and_unseals_it(project, people):
    fill(project, 1)
    queue = make(project, blind=True, overlap=100, reviewers=people[:2])
    item = queue.items.get()
    review, _ = actions.submit_review(project, item.trace_id, "fail", author=people[0])
    queueing.close_item(item)
    review.refresh_from_db()
    assert not review.sealed


def test_a_trace_in_two_blind_queues_stays_sealed_until_both_close(project, people):
    fill(project, 1)
    first = make(project, blind=True, reviewers=people[:1])
    queueing.create_queue(project, "Second", blind=True, overlap=100, reviewers=people[:2])
    trace = first.items.get().trace_id
    review, _ = actions.submit_review(project, trace, "fail", author=people[0])
    assert first.items.get().closed_at is not None
    assert review.sealed
    actions.submit_review(project, trace, "fail", author=people[1])
    assert QueueItem.objects.filter(closed_at=None).count() == 0
    assert not Review.objects.filter(sealed=True).exists()


@pytest.mark.parametrize(
    ("rules", "field"),
    [({"overlap": 101}, "overlap"), ({"size": 0}, "size"), ({"q": "latencie:>5s"}, "q")],
)
def test_wrong_rules_are_named(project, rules, field):
    with pytest.raises(ActionError) as error:
        make(project, **rules)
    assert error.value.field == field


def test_the_same_queue_twice_is_one_and_a_taken_slug_is_said(project):
    first = make(project, q="is:failing")
    assert queueing.create_queue(project, "Refund canary", q="is:failing") == (first, False)
    with pytest.raises(ActionError, match="taken"):
        make(project, q="is:passing")
