"""Two people review the same blind queue in two browsers: neither learns what the other says."""

from __future__ import annotations

import pytest

from tests import server
from tests import trace_factory as factory
from tests.browser import Signed, chromium
from tests.web import stories
from tests.web.test_blind import CALLS, CHANGES, PAGES, turn_over
from tracehub.metrics import rollup
from tracehub.projects.actions import create_key
from tracehub.review import actions, queueing
from tracehub.review.models import Review

pytestmark = pytest.mark.browser


def everything(project, signed: Signed, trace: str, key: str) -> dict[str, str]:
    """All that the person's browser and a key can fetch, once the worker has been there."""
    factory.digest_now(project, trace)
    rollup.fold_all()
    found = {}
    for page in PAGES:
        answer = signed.context.request.get(signed.base + page.format(trace=trace))
        found[page] = f"{answer.status} {CHANGES.sub('', answer.text())}"
    for call in CALLS:
        path = f"{signed.base}/api/v1{call.format(trace=trace)}"
        answer = signed.context.request.get(path, headers={"x-api-key": key})
        found[call] = f"{answer.status} {CHANGES.sub('', answer.text())}"
    return found


def test_neither_of_two_browsers_learns_the_others_verdict(committed_db):
    project = stories.project()
    actions.create_mode(project, "Wrong amount")
    people = [
        stories.member(project, "reviewer", f"{name}@skylane.example") for name in ("maja", "aino")
    ]
    trace = stories.refund_trace(project)
    queueing.create_queue(project, "Refunds", blind=True, overlap=100, reviewers=people)
    _, key = create_key(project, "reviewer", "robot")
    with chromium() as browser, server.running() as base:
        maja, aino = (Signed(browser, base, who, width=1440, dark=False) for who in people)
        for signed in (maja, aino):
            signed.open("/skylane/review/refunds/next").wait_for_selector("form[data-queue]")
        maja.page.keyboard.press("f")
        maja.page.keyboard.type("zebra")
        maja.page.keyboard.press("Enter")
        maja.page.wait_for_url("**/review/refunds?done=1")
        review = Review.objects.get()
        assert (review.verdict, review.note, review.sealed) == ("fail", "zebra", True)
        everything(project, aino, trace, key)  # so that first uses of keys and caches are over
        before = everything(project, aino, trace, key)
        assert "zebra" not in "".join(before.values())
        assert "zebra" in everything(project, maja, trace, key)["/skylane/traces/{trace}"]
        turn_over(review)
        assert everything(project, aino, trace, key) == before
        aino.page.keyboard.press("p")
        aino.page.wait_for_url("**/review/refunds?done=1")
        Review.objects.filter(pk=review.pk).update(verdict="fail", note="zebra")
        for signed in (maja, aino):
            page = signed.open("/skylane/review/refunds/disagreements").inner_text("main")
            assert "zebra" in page
        assert maja.errors == aino.errors == []
