"""The pages of review queues: who may do what, and what each shows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.review import actions, measuring, progress, querysets, queueing
from tracehub.review.models import Queue, Review, Seat

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def reviewer(project, client):
    user = stories.member(project, "reviewer")
    client.force_login(user)
    return user


@pytest.fixture
def queue(project, reviewer):
    other = stories.member(project, "reviewer", "tor@skylane.example")
    for _ in range(4):
        trace_row(project)
    return queueing.create_queue(
        project, "Refund canary", blind=True, overlap=50, reviewers=[reviewer, other]
    )[0]


def test_a_queue_is_made_by_the_form(client, project, reviewer):
    trace_row(project)
    answer = client.post(
        "/skylane/review", {"name": "Refund canary", "size": 5, "blind": "on", "overlap": 20}
    )
    assert answer["Location"] == "/skylane/review/refund-canary"
    made = Queue.objects.get()
    assert (made.size, made.blind, made.overlap, made.items.count()) == (5, True, 20, 1)
    page = client.get("/skylane/review/refund-canary").text
    assert "Blind, 20% overlap" in page
    assert "Start reviewing" in page
    assert "Refund canary" in client.get("/skylane/review").text


def test_the_list_tells_how_queues_stand_without_asking_for_each(
    client, project, queue, django_assert_num_queries
):
    done, half = [item for item in queue.items.all() if item.seats.count() == 2][:2]
    for seat in (*done.seats.all(), half.seats.first()):
        actions.submit_review(
            project, seat.item.trace_id, "pass", author=seat.reviewer, took_ms=4000
        )
    [row] = querysets.standing_queues(project)
    stands = progress.progress(queue, now=timezone.now())
    assert (row.all_items, row.closed, row.left, row.median_ms) == (
        stands.items, stands.closed, stands.left, stands.median_ms
    )  # fmt: skip
    assert (row.all_items, row.closed, row.median_ms) == (4, 1, 4000)
    client.get("/skylane/review")
    with CaptureQueriesContext(connection) as one:
        client.get("/skylane/review")
    for number in range(3):
        queueing.create_queue(project, f"More {number}")
    with django_assert_num_queries(len(one)):
        client.get("/skylane/review")


def test_what_is_wrong_with_the_rules_is_said_in_place(client, project, reviewer):
    answer = client.post("/skylane/review", {"name": "x", "q": "latencie:>5s"})
    assert answer.status_code == 422
    assert "latencie" in answer.text
    assert not Queue.objects.exists()


def test_rules_are_changed_but_not_blindness_of_a_filled_queue(client, queue):
    url = "/skylane/review/refund-canary/rules"
    assert 'value="Refund canary"' in client.get(url).text
    assert "blind cannot change" in client.post(url, {"name": "Refunds"}).text
    client.post(url, {"name": "Refunds", "blind": "on", "size": 2})
    queue.refresh_from_db()
    assert (queue.name, queue.size) == ("Refunds", 2)


def test_next_goes_to_the_persons_trace_and_at_the_end_to_the_queue(client, queue, reviewer):
    mine = Seat.objects.filter(reviewer=reviewer).count()
    for _ in range(mine):
        answer = client.get("/skylane/review/refund-canary/next")
        assert answer["Location"].endswith("?queue=refund-canary")
        trace = answer["Location"].split("/")[3].split("?")[0]
        actions.submit_review(queue.project, _uuid(trace), "pass", author=reviewer)
    answer = client.get("/skylane/review/refund-canary/next")
    assert answer["Location"] == "/skylane/review/refund-canary?done=1"
    assert "Nothing is left for you" in client.get(answer["Location"]).text


def test_skipping_goes_on_and_can_be_undone(client, queue, reviewer):
    seat = Seat.objects.filter(reviewer=reviewer).first()
    trace = seat.item.trace_id.hex
    answer = client.post(f"/skylane/review/refund-canary/skip/{trace}", {"reason": "Latin"})
    assert answer["Location"] == f"/skylane/review/refund-canary/next?after={trace}"
    seat.refresh_from_db()
    assert seat.skip_reason == "Latin"
    client.post(f"/skylane/review/refund-canary/unskip/{seat.pk}")
    seat.refresh_from_db()
    assert seat.skipped_at is None


def test_buttons_pause_fill_deal_and_only_admins_close(client, queue, project):
    url = "/skylane/review/refund-canary/change"
    for act in ("pause", "resume", "fill", "deal"):
        assert client.post(url, {"act": act}).status_code == 302
    item = queue.items.first()
    assert client.post(url, {"act": "close", "item": item.pk}).status_code == 403
    client.force_login(stories.member(project, "admin"))
    client.post(url, {"act": "close", "item": item.pk})
    item.refresh_from_db()
    assert item.closed_at is not None
    assert client.post(url, {"act": "burn"}).status_code == 400


def test_a_disagreement_is_decided_and_both_originals_stay(client, queue, project, reviewer):
    mode, _ = actions.create_mode(project, "Wrong amount")
    item = next(i for i in queue.items.all() if i.seats.count() == 2)
    other = item.seats.exclude(reviewer=reviewer).get().reviewer
    actions.submit_review(
        project, item.trace_id, "fail", author=reviewer, modes=[mode.slug], note="Sum <b>is</b> off"
    )
    actions.submit_review(project, item.trace_id, "pass", author=other)
    page = client.get("/skylane/review/refund-canary").text
    assert "Disagreements to adjudicate" in page
    url = "/skylane/review/refund-canary/disagreements"
    page = client.get(url).text
    assert "Sum &lt;b&gt;is&lt;/b&gt; off" in page
    client.post(f"{url}/{item.pk}", {"verdict": "fail", "modes": [mode.slug]})
    item.refresh_from_db()
    assert item.adjudication.verdict == "fail"
    assert Review.objects.filter(withdrawn_at=None).count() == 3
    undo = f"/skylane/reviews/{item.adjudication.pk}/withdraw?stay=1"
    page = client.get(url).text
    assert "Decided" in page and undo in page
    from tracehub.review.querysets import standing

    assert standing(project.pk, [item.trace_id])[item.trace_id].verdict == "fail"
    labels = client.get("/skylane/review/refund-canary/labels.csv").text
    assert len(labels.splitlines()) == 4
    assert client.post(undo, {"next": url})["Location"] == url
    item.refresh_from_db()
    assert item.adjudication is None


def test_open_items_cannot_be_decided(client, queue):
    item = queue.items.first()
    url = f"/skylane/review/refund-canary/disagreements/{item.pk}"
    client.post(url, {"verdict": "fail"})
    assert not Review.objects.exists()


def test_reviewers_see_their_own_work_with_what_is_sealed_or_taken_back(client, queue, reviewer):
    assert "No review of yours yet" in client.get("/skylane/reviews").text
    first, second = list(queue.items.all()[:2])
    for item in (first, second):
        actions.submit_review(
            queue.project, item.trace_id, "fail", author=reviewer, note="<i>odd</i>", took_ms=4000
        )
    sealed = Review.objects.latest("pk")
    Review.objects.filter(pk=sealed.pk).update(sealed=True)
    actions.withdraw(Review.objects.earliest("pk"))
    page = client.get("/skylane/reviews").text
    assert "&lt;i&gt;odd&lt;/i&gt;" in page
    assert "2 in 7 days, 4" in page
    assert "1 taken back" in page
    assert page.count("Taken back") == 1
    assert page.count("Sealed") == 1
    assert client.get(f"/skylane/reviews?before={sealed.pk}").text.count("odd") == 2
    client.force_login(stories.member(queue.project, "admin"))
    assert "odd" not in client.get("/skylane/reviews").text


def test_the_page_measures_itself_only_where_the_project_wants_it(client, queue, reviewer):
    change, url = "/skylane/review/refund-canary/change", "/skylane/review/refund-canary"
    assert client.post(change, {"act": "measure"}).status_code == 403
    seats = Seat.objects.filter(reviewer=reviewer).select_related("item", "item__queue")[:2]
    review, other = (
        actions.submit_review(queue.project, seat.item.trace_id, "pass", author=reviewer)[0]
        for seat in seats
    )
    measuring.note(review, "refund-canary", "80,900,")
    assert measuring.medians(queue) is None
    client.force_login(stories.member(queue.project, "admin"))
    client.post(change, {"act": "measure"})
    measuring.note(review, "refund-canary", "80,900,")
    measuring.note(other, "refund-canary", "120,1100,60")
    actions.withdraw(other)
    found = measuring.medians(queue)
    assert (found.open_ms, found.first_key_ms, found.save_ms, found.undone) == (100, 1000, 60, 0.5)
    assert "first key" in client.get(url).text
    client.post(change, {"act": "unmeasure"})
    assert not measuring.measures(queue.project)


def test_viewers_read_and_outsiders_find_nothing(client, queue, project):
    client.force_login(stories.member(project, "viewer"))
    for page in ("", "/refund-canary", "/refund-canary/disagreements", "/refund-canary/labels.csv"):
        assert client.get(f"/skylane/review{page}").status_code == 200
    assert client.get("/skylane/review/refund-canary/next").status_code == 403
    assert client.post("/skylane/review", {"name": "x"}).status_code == 403
    client.force_login(stories.member(stories.project("other"), "admin"))
    for page in ("", "/refund-canary", "/refund-canary/next", "/refund-canary/disagreements"):
        assert client.get(f"/skylane/review{page}").status_code == 404
        assert client.get(f"/other/review{page}").status_code == (200 if not page else 404)


def _uuid(text):
    from uuid import UUID

    return UUID(hex=text)
