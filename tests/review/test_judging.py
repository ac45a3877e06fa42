"""Automated judges against people: rates with their numbers, and the corrected failing rate."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.review import actions, judge_pairs, judging, progress
from tracehub.review.models import Queue, QueueItem, Review, Seat
from tracehub.traces.models import Feedback

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


def judged(project, *, says: bool, number: int, person: str = "", author=None, source="judge"):
    for _ in range(number):
        trace = trace_row(project).trace_id
        Feedback.objects.create(
            project=project, trace_id=trace, key=trace.hex, name="grounded", value=says,
            source=source,
        )  # fmt: skip
        if person:
            actions.submit_review(project, trace, person, author=author)


def test_a_judge_is_told_by_what_it_catches_and_what_it_clears(project):
    maja = stories.member(project, "reviewer")
    judged(project, says=False, number=34, person="fail", author=maja)
    judged(project, says=True, number=6, person="fail", author=maja)
    judged(project, says=True, number=36, person="pass", author=maja)
    judged(project, says=False, number=4, person="pass", author=maja)
    judged(project, says=False, number=1, person="unsure", author=maja)
    judged(project, says=True, number=9)
    (found,) = judging.judges(project)
    assert (found.caught.hits, found.caught.number) == (34, 40)
    assert (found.cleared.hits, found.cleared.number) == (36, 40)
    assert found.kappa == pytest.approx(0.75)
    assert len(found.missed) == 10
    assert (found.judged.hits, found.judged.number) == (39, 90)
    assert found.true_rate == pytest.approx((39 / 90 + 0.9 - 1) / 0.75)
    low, high = found.true_interval
    assert low < found.true_rate < high


def test_few_verdicts_and_other_feedback_are_not_corrected(project):
    maja = stories.member(project, "reviewer")
    judged(project, says=False, number=3, person="fail", author=maja)
    judged(project, says=False, number=3, person="fail", author=maja, source="user")
    (found,) = judging.judges(project)
    assert (found.caught.number, found.kappa, found.true_rate) == (3, None, None)
    assert "too few" in found.refusal
    assert judging.judges(stories.project("other")) == []


def test_each_reviewer_stands_beside_the_judge(client, project):
    maja, tor = (stories.member(project, "reviewer", f"{n}@skylane.example") for n in ("m", "t"))
    queue = Queue.objects.create(project=project, slug="refunds", name="Refunds")
    judged(project, says=False, number=8, person="fail", author=maja)
    judged(project, says=True, number=4, person="pass", author=maja)
    judged(project, says=False, number=3, person="pass", author=tor)
    judged(project, says=False, number=1, person="unsure", author=tor)
    for review in Review.objects.all():
        item = QueueItem.objects.create(
            queue=queue, project=project, trace_id=review.trace_id, closed_at=review.created_at
        )
        Seat.objects.create(item=item, reviewer=review.author, review=review)
    said = judging.said_by(project)
    first, second = judge_pairs.pairs(progress.closed_items(queue), said)
    assert (first.person, first.judge, first.shared, first.kappa) == (maja, "grounded", 12, 1.0)
    assert (second.person, second.shared, second.same, second.kappa) == (tor, 3, 0.0, None)
    client.force_login(maja)
    assert 'title="Reviewer and judge"' in client.get("/skylane/review/refunds").text
