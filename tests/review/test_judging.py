"""Automated judges against people: rates with their numbers, and the corrected failing rate."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.review import actions, judging
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
