"""Verdicts from the trace page: who may give one, what is kept, and taking it back."""

from __future__ import annotations

import uuid

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.evals import actions as evals
from tracehub.evals.models import Case, EvalSet
from tracehub.projects.models import AuditEntry, Project
from tracehub.review import actions
from tracehub.review.models import FailureMode, Review

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def trace(project) -> str:
    return stories.refund_trace(project)


@pytest.fixture
def reviewer(project, client):
    user = stories.member(project, "reviewer")
    client.force_login(user)
    return user


@pytest.fixture
def submit(client, trace):
    def send(*, htmx: bool = False, **fields):
        headers = {"hx-request": "true", "hx-target": "div#review"} if htmx else {}
        return client.post(f"/skylane/traces/{trace}/review", fields, headers=headers)

    return send


def test_a_plain_form_goes_on_to_the_next_trace(client, reviewer, trace, submit):
    answer = submit(verdict="pass", next="/skylane/traces/other?from=7d")
    assert (answer.status_code, answer["Location"]) == (302, "/skylane/traces/other?from=7d")
    review = Review.objects.get()
    assert (review.verdict, review.author) == ("pass", reviewer)
    page = client.get(f"/skylane/traces/{trace}").text
    assert "Marked as pass" in page
    assert "Reviewer (you)" in page


def test_a_span_that_comes_after_a_review_is_marked_late(client, project, reviewer, trace, submit):
    submit(verdict="pass")
    assert "came late" not in client.get(f"/skylane/traces/{trace}").text
    factory.trace(project, factory.span(trace, name="log-refund"))
    page = client.get(f"/skylane/traces/{trace}").text
    assert "Given on 11 of 12 spans: the others came late." in page
    submit(verdict="fail")
    assert client.get(f"/skylane/traces/{trace}").text.count("came late") == 1


def test_htmx_is_told_where_to_go(reviewer, submit):
    answer = submit(htmx=True, verdict="unsure", next="/skylane/traces/other")
    assert (answer.status_code, answer["HX-Redirect"]) == (204, "/skylane/traces/other")


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "/\\evil.example"])
def test_next_never_leaves_the_site(reviewer, trace, submit, target):
    answer = submit(htmx=True, verdict="pass", next=target)
    assert answer["HX-Redirect"] == f"/skylane/traces/{trace}"


def test_everything_that_was_said_is_kept(project, reviewer, submit):
    actions.create_mode(project, "Wrong amount")
    submit(
        verdict="fail", modes=["wrong-amount"], new_mode="Wrong scope", severity="high",
        note="<b>Not a number</b>", corrected='{"refund": {"amount": 418.6}}',
    )  # fmt: skip
    review = Review.objects.get()
    assert [mode.slug for mode in review.modes.all()] == ["wrong-amount", "wrong-scope"]
    assert (review.severity, review.note) == ("high", "<b>Not a number</b>")
    assert review.corrected_output == {"refund": {"amount": 418.6}}
    assert AuditEntry.objects.filter(action="mode.created", object="wrong-scope").exists()


def test_a_note_is_shown_as_text(client, reviewer, trace, submit):
    submit(verdict="fail", note="<b>Not a number</b>")
    page = client.get(f"/skylane/traces/{trace}").text
    assert "&lt;b&gt;Not a number&lt;/b&gt;" in page
    assert "<b>Not" not in page


def test_the_same_submission_twice_is_one_review(reviewer, submit):
    submission = str(uuid.uuid4())
    for _ in range(2):
        submit(verdict="fail", submission=submission, promote="on", new_set="Refunds")
    assert (Review.objects.count(), Case.objects.count()) == (1, 1)


def test_promoting_makes_a_case_of_the_chosen_set_and_kind(project, reviewer, trace, submit):
    evals.create_set(project, "Refund regressions")
    submit(verdict="fail", promote="on", eval_set="refund-regressions", kind="format")
    case = Case.objects.get()
    assert (case.kind, case.source_trace_id.hex) == ("format", trace)
    assert case.source_span_id == "0000000100000009"


def test_a_new_set_is_made_in_the_same_step(reviewer, submit):
    submit(verdict="pass", promote="on", eval_set="+", new_set="Refund successes")
    assert EvalSet.objects.get().slug == "refund-successes"
    assert Case.objects.get().kind == "success"


def test_undo_takes_back_the_review_and_its_case(client, reviewer, trace, submit):
    submit(verdict="fail", promote="on", new_set="Refunds")
    page = client.get(f"/skylane/traces/{trace}").text
    undo = page.split('action="/skylane/reviews/')[1].split('"')[0]
    answer = client.post(f"/skylane/reviews/{undo}")
    assert answer["Location"] == f"/skylane/traces/{trace}"
    assert Review.objects.get().withdrawn_at is not None
    assert not Case.objects.filter(removed_in=None).exists()
    assert "Nobody has reviewed this trace yet." in client.get(answer["Location"]).text


def test_the_form_starts_from_ones_own_newest_review(client, reviewer, trace, submit):
    submit(verdict="fail", severity="high", note="First look.")
    page = client.get(f"/skylane/traces/{trace}").text
    assert 'value="fail" required checked' in page
    assert "First look." in page


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "Choose a verdict: fail, pass or unsure."),
        ({"verdict": "great"}, "Select a valid choice"),
        ({"verdict": "fail", "modes": ["unknown"]}, "Select a valid choice"),
        ({"verdict": "fail", "note": "x" * 10_001}, "at most 10000 characters"),
        ({"verdict": "fail", "promote": "on"}, "Choose an eval set, or name a new one."),
        ({"verdict": "fail", "promote": "on", "eval_set": "gone"}, "has no such eval set"),
        ({"verdict": "fail", "new_mode": "返金"}, "slug may hold letters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(reviewer, submit, fields, said):
    for htmx in (True, False):
        answer = submit(htmx=htmx, **fields)
        assert answer.status_code == 422
        assert said in answer.text
        assert ("<h1" in answer.text) is not htmx
    assert (Review.objects.count(), FailureMode.objects.count()) == (0, 0)


def test_a_viewer_cannot_review_or_take_back(client, project, trace, submit):
    author = stories.member(project, "reviewer")
    client.force_login(author)
    submit(verdict="fail")
    client.force_login(stories.member(project, "viewer"))
    assert submit(verdict="pass").status_code == 403
    assert client.post(f"/skylane/reviews/{Review.objects.get().pk}/withdraw").status_code == 403
    assert Review.objects.get().withdrawn_at is None


def test_a_reviewer_cannot_take_back_what_another_said_but_an_admin_can(client, project, submit):
    client.force_login(stories.member(project, "reviewer"))
    submit(verdict="fail")
    url = f"/skylane/reviews/{Review.objects.get().pk}/withdraw"
    client.force_login(stories.member(project, "reviewer", "other@skylane.example"))
    assert client.post(url).status_code == 404
    client.force_login(stories.member(project, "admin"))
    assert client.post(url).status_code == 302


def test_an_outsider_reaches_neither_traces_nor_reviews(client, project, trace, submit, reviewer):
    submit(verdict="fail")
    other = stories.project("other")
    client.force_login(stories.member(other, "admin"))
    review = Review.objects.get()
    for slug in ("skylane", "other"):
        answer = client.post(f"/{slug}/traces/{trace}/review", {"verdict": "pass"})
        assert answer.status_code == 404
        assert client.post(f"/{slug}/reviews/{review.pk}/withdraw").status_code == 404
    assert Review.objects.count() == 1


def test_undo_removes_only_a_case_of_the_reviewed_trace(client, project, reviewer, submit):
    submit(verdict="fail")
    chosen, _ = evals.create_set(project, "Other")
    case, _ = evals.add_case(chosen, _content())
    client.post(f"/skylane/reviews/{Review.objects.get().pk}/withdraw?case={case.pk}")
    assert Case.objects.get(removed_in=None).pk == case.pk


def _content():
    from tracehub.core import cases

    return cases.read({"input": {"messages": [{"role": "user", "content": "hi"}]}})


def test_a_corrected_output_is_checked_while_it_is_typed(client, reviewer, project, trace):
    def says(text: str) -> str:
        answer = client.post(f"/skylane/traces/{trace}/corrected", {"corrected": text})
        assert answer.status_code == 200
        return " ".join(answer.text.split())

    assert says(" ") == ""
    assert "No contract is for this output." in says("Two tickets refunded.")
    stories.refund_contract(project)
    assert "The output must be JSON. Got text: `Two tickets" in says("Two tickets refunded.")
    wrong = says('{"refund": {"amount": "1 EUR"}}')
    assert "`/refund/amount` must be number. Got the string" in wrong
    assert "type, refund-reply/1" in wrong
    assert "column 12: Expecting value. It would be kept as text." in says('{"refund": }')
    right = says(stories.REPLY.replace('"418.60 EUR"', "418.6"))
    assert "Follows refund-reply/1" in right
    assert "2 lines changed against the output" in right
    assert '<del data-tone="fail">' in right
    Project.objects.update(hides_content=True)
    hidden = says('{"refund": {"amount": 1}}')
    assert "Follows refund-reply/1" in hidden
    assert "lines changed" not in hidden
    assert "Visa" not in hidden
