"""Versions of the taxonomy, and notes that are put off."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.projects.actions import ActionError
from tracehub.projects.models import AuditEntry
from tracehub.review import actions, coding, taxonomy
from tracehub.review.models import LaterNote, Queue, QueueItem, Seat

pytestmark = pytest.mark.django_db
CHANGE = "/skylane/review/refunds/coding/change"


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@skylane.example")


@pytest.fixture
def notes(project, maja):
    """Seven failing reviews of a queue: four say one thing, three another; none has a mode."""
    queue = Queue.objects.create(project=project, slug="refunds", name="Refunds")
    made = []
    for number in range(7):
        trace = trace_row(project).trace_id
        said = "Invents the 24 h rule" if number < 4 else f"Voucher sold as cash {number}"
        review, _ = actions.submit_review(project, trace, "fail", author=maja, note=said)
        item = QueueItem.objects.create(
            queue=queue, project=project, trace_id=trace, reason="", closed_at=review.created_at
        )
        Seat.objects.create(item=item, reviewer=maja, review=review)
        made.append(review)
    return made


def test_a_published_taxonomy_holds_what_was_agreed_and_the_next_draft_what_changed(
    project, maja, notes
):
    with pytest.raises(ActionError, match="nothing to publish"):
        taxonomy.publish(project, by=maja)
    mode, change = coding.name_group(project, "Policy", "No document.", [notes[0].pk], by=maja)
    assert [one.pk for one in taxonomy.changes(project)] == [change.pk]
    first = taxonomy.publish(project, by=maja)
    assert (first.number, first.modes[0]["name"]) == (1, "Policy")
    assert not taxonomy.changes(project).exists()
    with pytest.raises(ActionError, match="Nothing has changed since v1"):
        taxonomy.publish(project, by=maja)
    moved = coding.assign(project, [notes[1].pk], mode, by=maja)
    assert taxonomy.changes(project).get() == moved
    coding.undo(moved)
    assert not taxonomy.changes(project).exists()
    taxonomy.give_examples(mode, " two  lines ", "none")
    assert taxonomy.publish(project, by=maja).modes[0]["bad"] == "two lines"
    assert AuditEntry.objects.filter(action="taxonomy.published").count() == 2


def test_the_board_suggests_splits_and_asks_only_the_rest_again(client, project, maja, notes):
    client.force_login(maja)
    ids = [str(note.pk) for note in notes]
    client.post(CHANGE, {"act": "name", "name": "Policy", "review": ids, "bad": "24 h"})
    page = client.get("/skylane/review/refunds/coding").text
    assert "4 of 7 name " in page
    assert page.count('value="1" checked') == 4
    sides = {f"side-{note.pk}": "1" if n < 4 else "2" for n, note in enumerate(notes)}
    client.post(CHANGE, {"act": "split", "mode": "policy", "name": "24 h rule", **sides})
    page = client.get("/skylane/review/refunds/coding").text
    assert "Recode 3 traces" in page
    assert "Undo: split" in page
    assert "2 changes, all undoable" in page
    assert list(notes[0].modes.values_list("slug", flat=True)) == ["24-h-rule"]
    client.post(CHANGE, {"act": "publish"})
    assert "Taxonomy v2" in client.get("/skylane/review/refunds/coding").text


def test_notes_put_off_wait_at_the_end_and_are_taken_up_again(client, project, maja, notes):
    client.force_login(maja)
    answer = client.post(CHANGE, {"act": "later", "review": [notes[0].pk], "order": "newest"})
    assert answer["Location"].endswith("/coding?order=newest")
    assert "1 for later" in client.get(answer["Location"]).text
    client.post(CHANGE, {"act": "later", "review": [notes[0].pk]})
    assert not LaterNote.objects.exists()
    client.post(CHANGE, {"act": "later"})
    assert "Choose notes first." in client.get("/skylane/review/refunds/coding?order=step").text
