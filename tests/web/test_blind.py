"""Blind queues: what one reviewer said changes nothing that anybody else can read until it closes.

Every page, API answer, feed, export and count is read twice: once when the sealed review says
fail, with modes, note and correction, and once when the same row says pass and nothing more. All
that the others read must be the same to the byte, apart from tokens and the time of day.
"""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from django.test import Client

from tests import trace_factory as factory
from tests.web import stories
from tracehub.metrics import rollup
from tracehub.projects.actions import create_key
from tracehub.review import actions, queueing
from tracehub.review import querysets as reviews
from tracehub.review.models import Queue, Review
from tracehub.review.summaries import trace_summary
from tracehub.traces.models import Trace

pytestmark = pytest.mark.django_db
CHANGES = re.compile(
    r'nonce(-|=")[^"\' ;]+|csrfmiddlewaretoken" value="[^"]+"|X-CSRFToken": "[^"]+"'
    r'|<div class="strip"><div class="banner" data-tone="unsure" role="status">.*</div></div></div>'
    r'|name="submission" value="[^"]*"|[\d.]+ (ms|s|min)\b|<time[^>]*>[^<]*</time>'
    r"|\d{4}-\d\d-\d\dT(?:[\d:.]|%3A)+(Z|\+00:00)?|\b\d\d:\d\d(:\d\d)?\b|after=[^\"&]+|[0-9a-f]{8}-[0-9a-f-]{27}"
)
PAGES = (
    "/skylane/traces?from=7d", "/skylane/traces?from=7d&q=verdict:fail",
    "/skylane/traces?from=7d&q=is:reviewed", "/skylane/traces?from=7d&q=mode:wrong-amount",
    "/skylane/traces?from=7d&q=reviewer:maja*", "/skylane/traces?from=7d&counts=1",
    "/skylane/traces/{trace}", "/skylane/traces/{trace}?queue=refunds",
    "/skylane/traces/{trace}/json", "/skylane/review", "/skylane/review/refunds",
    "/skylane/review/refunds?who=mine", "/skylane/review/refunds/disagreements",
    "/skylane/review/refunds/coding", "/skylane/review/refunds/labels.csv", "/skylane/failures",
    "/skylane/failures/matrix", "/skylane/evals", "/skylane/metrics", "/skylane/metrics?format=csv",
    "/skylane/settings", "/skylane/reviews", "/skylane/traces?from=7d&q=queue:refunds",
    "/skylane/review/modes/wrong-amount/recheck", "/skylane/review/modes/wrong-amount/judge",
)  # fmt: skip
CALLS = (
    "/traces", "/traces?q=verdict:fail", "/traces/{trace}", "/traces/{trace}/raw", "/facets",
    "/failure-modes", "/failures", "/queues", "/queues/refunds/next", "/queues/refunds/stats",
    "/eval-sets", "/metrics?metric=failing_rate", "/metrics?metric=traces&group=verdict",
)  # fmt: skip


@pytest.fixture
def project():
    made = stories.project()
    actions.create_mode(made, "Wrong amount")
    return made


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@skylane.example")


@pytest.fixture
def aino(project):
    return stories.member(project, "reviewer", "aino@skylane.example")


@pytest.fixture
def trace(project, maja, aino) -> str:
    made = stories.refund_trace(project)
    queueing.create_queue(project, "Refunds", blind=True, overlap=100, reviewers=[maja, aino])
    assert Queue.objects.get().items.count() == 1
    return made


def say(project, trace, author, verdict="fail") -> Review:
    return actions.submit_review(
        project, UUID(hex=trace), verdict, author=author, modes=["wrong-amount"], severity="high",
        note="zebra", corrected_output={"zebra": 1},
    )[0]  # fmt: skip


def everything(project, trace: str, user, key: str) -> dict[str, str]:
    """All that a person and a key can read, by address, without what changes by itself."""
    factory.digest_now(project, trace)
    rollup.fold_all()
    person, program = Client(), Client()
    person.force_login(user)
    found = {}
    for page in PAGES:
        answer = person.get(page.format(trace=trace))
        found[page] = f"{answer.status_code} {CHANGES.sub('', answer.text)}"
    for call in CALLS:
        path = f"/api/v1{call.format(trace=trace)}"
        answer = program.get(path, headers={"x-api-key": key})
        found[call] = f"{answer.status_code} {CHANGES.sub('', answer.text)}"
    row = Trace.objects.get(trace_id=UUID(hex=trace))
    said = reviews.of_traces(project, [row.trace_id]).get(row.trace_id, [])
    found["export"] = CHANGES.sub("", str(trace_summary(row, project.slug, said)))
    found["contribution"] = str(row.contribution)
    return found


def turn_over(review: Review) -> None:
    """Make a review say the opposite, as if it had been so from the start."""
    review.modes.clear()
    Review.objects.filter(pk=review.pk).update(
        verdict="pass", severity="", note="", corrected_output=None, has_correction=False
    )


@pytest.mark.parametrize("reader", ["the other reviewer", "an admin"])
def test_a_sealed_verdict_changes_nothing_that_others_read(project, trace, maja, aino, reader):
    user = aino if reader == "the other reviewer" else stories.member(project, "admin")
    _, key = create_key(project, "admin", "robot")
    review = say(project, trace, maja)
    everything(project, trace, user, key)  # so that first uses of keys and caches are over
    before = everything(project, trace, user, key)
    assert "zebra" not in "".join(before.values())
    turn_over(review)
    after = everything(project, trace, user, key)
    for address, shown in before.items():
        assert after[address] == shown, address


def test_the_author_sees_it_and_all_see_it_once_both_are_in(client, project, trace, maja, aino):
    say(project, trace, maja)
    client.force_login(maja)
    assert "zebra" in client.get(f"/skylane/traces/{trace}").text
    client.force_login(aino)
    assert "zebra" not in client.get(f"/skylane/traces/{trace}").text
    say(project, trace, aino, "pass")
    factory.digest_now(project, trace)
    assert Trace.objects.get().verdict == "pass"
    assert client.get(f"/skylane/traces/{trace}").text.count("zebra") >= 2
    assert "Disagreements to adjudicate" in client.get("/skylane/review/refunds").text


def test_nothing_is_promoted_out_of_an_open_blind_item(client, project, trace, maja):
    client.force_login(maja)
    url = f"/skylane/traces/{trace}/review"
    answer = client.post(url, {"verdict": "fail", "promote": "on", "new_set": "Refunds"})
    assert answer.status_code == 422
    assert "blind queue" in answer.text
    assert not Review.objects.exists()


def test_reviews_are_read_through_the_querysets_alone():
    from pathlib import Path

    import tracehub

    allowed = {"web/panel.py", "web/trace_bulk.py", "cli/demo/reviews.py"}  # by key, of one's own
    # What masks or erases must reach sealed ones as well; neither shows any to anybody.
    allowed |= {"digest/remasking/work.py", "digest/erasure/elsewhere.py", "cli/project_archive.py"}
    root = Path(tracehub.__file__).parent
    found = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if "Review.objects" in file.read_text() or "reviews__withdrawn_at" in file.read_text()
    }
    assert {f for f in found if not f.startswith("review/")} <= allowed
