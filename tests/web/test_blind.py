"""Blind queues: what one reviewer said changes nothing that anybody else can read until it closes.

Every page, API answer, feed, export and count is read twice: once when the sealed review says
fail, with modes, note and correction, and once when the same row says pass and nothing more. All
that the others read must be the same to the byte, apart from tokens and the time of day.
"""

from __future__ import annotations

import html
import re
from datetime import timedelta
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core.query import Filter
from tracehub.digest import trace_files, weekly
from tracehub.digest.bulk import actions as bulk
from tracehub.digest.bulk import work
from tracehub.digest.models import BulkJob
from tracehub.evals.models import Case
from tracehub.metrics import rollup
from tracehub.projects.actions import create_key
from tracehub.projects.models import Event
from tracehub.review import actions, coding, queueing
from tracehub.review.models import FailureMode, Review
from tracehub.traces.extent import Range
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
MORE_PAGES = (  # which a browser need not open once more
    "/skylane/review/open", "/skylane/review/open/coding", "/skylane/review/open/labels.csv",
    "/skylane/review/open/disagreements", "/skylane/review/open/next", "/skylane/traces/newer",
    "/skylane/traces/suggestions?q=mode:", "/skylane/traces/suggestions?q=reviewer:",
    "/skylane/traces?from=7d&q=note:zeb", "/skylane/traces/jobs", "/skylane/traces/{trace}/alike",
    "/skylane/traces/{trace}/diff", "/skylane/traces/{trace}/place", "/skylane/traces/{trace}/case",
    "/skylane/sessions", "/skylane/users", "/skylane/prompts", "/skylane/prompts/refund",
    "/skylane/metrics/breakdown", "/skylane/metrics/compare", "/skylane/settings/audit",
    "/skylane/failures/matrix?by=model", "/skylane/contracts", "/skylane/rollout",
)  # fmt: skip
CALLS = (
    "/traces", "/traces?q=verdict:fail", "/traces/{trace}", "/traces/{trace}/raw", "/facets",
    "/failure-modes", "/failures", "/queues", "/queues/refunds/next", "/queues/refunds/stats",
    "/queues/open/stats", "/prompts", "/rollouts",
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
    for name, rules in (("Refunds", {"blind": True, "overlap": 100}), ("Open", {})):
        queue, _ = queueing.create_queue(project, name, reviewers=[maja, aino], **rules)
        assert queue.items.count() == 1
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
    for page in (*PAGES, *MORE_PAGES):
        answer = person.get(page.format(trace=trace))
        found[page] = f"{answer.status_code} {CHANGES.sub('', answer.text)}"
    for call in CALLS:
        path = f"/api/v1{call.format(trace=trace)}"
        answer = program.get(path, headers={"x-api-key": key})
        found[call] = f"{answer.status_code} {CHANGES.sub('', answer.text)}"
    row = Trace.objects.get(trace_id=UUID(hex=trace))
    for kind in trace_files.FORMATS:
        pieces = trace_files.pieces(kind, project, [row], head=True)
        found[kind] = CHANGES.sub("", b"".join(pieces).decode())
    found["contribution"] = str(row.contribution)
    found["weekly mail"] = CHANGES.sub("", str(weekly.parts(project, timezone.now())))
    found["webhooks"] = str(list(Event.objects.order_by("pk").values_list("kind", "body")))
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
    say(project, trace, maja)
    client.post("/skylane/traces/bulk", {"trace": trace, "new_set": "Refunds"})
    _, key = create_key(project, "reviewer", "robot")
    answer = client.post(
        "/api/v1/eval-sets/refunds/cases", {"from_trace": trace}, "application/json",
        headers={"x-api-key": key},
    )  # fmt: skip
    assert "blind queue" in answer.text
    assert not Case.objects.exists()


def test_a_new_mode_waits_until_it_tells_nobody_what_was_seen(client, project, trace, maja, aino):
    client.force_login(maja)
    url = f"/skylane/traces/{trace}/review"
    sent = {"verdict": "fail", "new_mode": "Refunds all four"}
    answer = client.post(url, sent)
    assert answer.status_code == 422
    assert "a new mode would tell them" in html.unescape(answer.text)
    assert 'name="new_mode"' not in answer.text
    assert not Review.objects.exists()
    assert FailureMode.objects.count() == 1
    say(project, trace, maja)
    client.force_login(aino)  # the last one
    assert 'name="new_mode"' in client.get(f"/skylane/traces/{trace}").text
    assert client.post(url, sent).status_code == 302
    assert Review.objects.get(author=aino).modes.get().slug == "refunds-all-four"


def test_a_verdict_on_everything_that_a_filter_finds_leaves_blind_traces_out(project, trace, maja):
    now = timezone.now()
    other = factory.trace(project)
    within = Range(project, now - timedelta(days=3), now + timedelta(hours=1))
    choice = {"verdict": "fail"}
    job = bulk.start(within, Filter(), BulkJob.Kind.REVIEW, choice, by=maja)
    work.work(seconds=5)
    job.refresh_from_db()
    assert (job.state, job.changed) == ("done", 1)
    assert Review.objects.get().trace_id.hex == other


def test_what_an_undone_grouping_leaves_does_not_depend_on_sealed_reviews(project, trace, maja):
    note, _ = actions.submit_review(
        project, UUID(hex=factory.trace(project)), "fail", author=maja, note="Two tickets"
    )
    mode, made = coding.name_group(project, "Tickets", "", [note.pk], by=maja)
    actions.submit_review(project, UUID(hex=trace), "fail", author=maja, modes=[mode.slug])
    coding.undo(made)
    mode.refresh_from_db()
    assert mode.archived_at is not None


def test_reviews_are_read_through_the_querysets_alone():
    from pathlib import Path

    import tracehub

    allowed = {
        "web/panel.py",
        "web/trace_bulk.py",
        "cli/demo/reviews.py",
        "cli/demo/blind.py",
        "cli/demo/judge.py",
    }  # by key, of one's own
    # What masks or erases must reach sealed ones as well; neither shows any to anybody.
    allowed |= {"digest/remasking/work.py", "digest/erasure/elsewhere.py", "cli/project_archive.py"}
    root = Path(tracehub.__file__).parent
    found = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if "Review.objects" in file.read_text() or "reviews__withdrawn_at" in file.read_text()
    }
    assert {f for f in found if not f.startswith("review/")} <= allowed
