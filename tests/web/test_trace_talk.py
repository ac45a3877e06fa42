"""Comments on a trace, notes on passages, and giving it to a person."""

from __future__ import annotations

from uuid import UUID

import pytest
from django.utils import timezone

from tests.web import stories
from tracehub.projects.models import Event
from tracehub.review import talk
from tracehub.review.models import Queue, QueueItem, TraceComment

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def trace(project) -> str:
    return stories.refund_trace(project)


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@skylane.example")


@pytest.fixture
def tor(project):
    return stories.member(project, "reviewer", "tor@skylane.example")


def told() -> list[tuple[str, list[str]]]:
    events = Event.objects.filter(kind__startswith="trace.").order_by("pk")
    rows = events.values_list("kind", "body")
    return [(kind, body["emails"]) for kind, body in rows if "emails" in body]


def test_a_note_on_a_passage_is_kept_with_its_words_and_tells_who_is_named(
    client, trace, maja, tor
):
    client.force_login(maja)
    at = f"/skylane/traces/{trace}"
    note = {"text": "@tor a string", "span": "0" * 7 + "1" + "0" * 7 + "9", "quote": "418.60 EUR"}
    client.post(f"{at}/say", {**note, "prefix": "amount", "next": at})
    one = TraceComment.objects.get()
    assert (one.quote, one.prefix, one.author) == ("418.60 EUR", "amount", maja)
    assert told() == [("trace.mentioned", [tor.email])]
    page = client.get(at).text
    assert '"quote": "418.60 EUR"' in page
    client.post(f"{at}/say", {"remove": one.pk})
    assert "a string" not in client.get(at).text
    client.post(f"{at}/say?remove={one.pk}")
    assert "a string" in client.get(at).text
    client.force_login(tor)
    assert client.post(f"{at}/say", {"remove": one.pk}).status_code == 404
    client.post(f"{at}/say", {"text": " "})
    assert "comment must have 1 to 4,000 characters. Got 0." in client.get(at).text


def test_comments_in_a_blind_queue_are_read_by_their_author_alone(
    client, project, trace, maja, tor
):
    blind = Queue.objects.create(project=project, slug="q", name="Q", blind=True)
    item = QueueItem.objects.create(queue=blind, project=project, trace_id=UUID(trace), reason="")
    client.force_login(maja)
    client.post(f"/skylane/traces/{trace}/say", {"text": "Fails, I say. @tor"})
    assert "Fails, I say" in client.get(f"/skylane/traces/{trace}").text
    assert told() == []
    client.force_login(tor)
    assert "Fails, I say" not in client.get(f"/skylane/traces/{trace}").text
    item.closed_at = timezone.now()
    item.save()
    assert "Fails, I say" in client.get(f"/skylane/traces/{trace}").text


def test_a_trace_is_given_to_a_member_who_finds_it_under_own_work(
    client, project, trace, maja, tor
):
    client.force_login(maja)
    client.post(f"/skylane/traces/{trace}/say", {"assign": tor.email})
    client.post(f"/skylane/traces/{trace}/say", {"assign": tor.email})
    client.post(f"/skylane/traces/{trace}/say", {"assign": "nobody@else.example"})
    assert told() == [("trace.assigned", [tor.email])]
    assert "person must be a member of the project." in client.get(f"/skylane/traces/{trace}").text
    client.force_login(tor)
    assert f"/skylane/traces/{trace}" in client.get("/skylane/reviews").text
    client.post(f"/skylane/traces/{trace}/say", {"assign": ""})
    assert talk.assigned(project, UUID(trace)) is None


def test_what_is_said_goes_with_the_person_whose_data_is_erased(project, trace, maja):
    talk.comment(project, UUID(trace), "Ida again", by=maja, quote="Ida Holm")
    assert talk.forget(project.pk, [UUID(trace)]) == 1
    assert not TraceComment.objects.exists()
