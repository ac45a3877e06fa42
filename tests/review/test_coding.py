"""Notes become modes, modes are merged and split, and every change can be undone."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.projects.actions import ActionError
from tracehub.review import actions, coding, queueing
from tracehub.review.models import FailureMode
from tracehub.review.querysets import modes_to_check, standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def maja(project):
    return stories.member(project, "reviewer", "maja@skylane.example")


@pytest.fixture
def noted(project, maja):
    """Three failing reviews with notes and no mode."""
    return [
        actions.submit_review(project, trace_row(project).trace_id, "fail", author=maja, note=note)[
            0
        ]
        for note in ("Amount is text", "Amount has a currency", "Invents a rule")
    ]


def slugs(review) -> set[str]:
    return set(review.modes.values_list("slug", flat=True))


def test_a_group_gets_a_name_and_undo_takes_it_away(project, maja, noted):
    mode, change = coding.name_group(
        project, "Format", "The reply breaks its contract.", [r.pk for r in noted[:2]], by=maja
    )
    assert [slugs(review) for review in noted] == [{"format"}, {"format"}, set()]
    assert standing(project.pk, [noted[0].trace_id])[noted[0].trace_id].modes == ["format"]
    coding.undo(change)
    coding.undo(change)
    assert slugs(noted[0]) == set()
    mode.refresh_from_db()
    assert mode.archived_at is not None


def test_merging_rewrites_what_reviews_name_and_undo_restores_it(project, maja, noted):
    one, _ = coding.name_group(project, "Format", "", [noted[0].pk, noted[1].pk], by=maja)
    two, _ = coding.name_group(project, "Wrong type", "", [noted[1].pk, noted[2].pk], by=maja)
    change = coding.merge(two, one, by=maja)
    assert [slugs(review) for review in noted] == [{"format"}] * 3
    assert FailureMode.objects.get(pk=two.pk).archived_at is not None
    coding.undo(change)
    assert [slugs(r) for r in noted] == [{"format"}, {"format", "wrong-type"}, {"wrong-type"}]
    assert FailureMode.objects.get(pk=two.pk).archived_at is None
    with pytest.raises(ActionError, match="into itself"):
        coding.merge(one, one, by=maja)


def test_splitting_moves_only_the_chosen_reviews(project, maja, noted):
    mode, _ = coding.name_group(project, "Format", "", [r.pk for r in noted], by=maja)
    coding.split(mode, "Invented policy", "", [noted[2].pk], by=maja)
    assert [slugs(review) for review in noted] == [{"format"}, {"format"}, {"invented-policy"}]
    with pytest.raises(ActionError, match="Choose notes of the mode"):
        coding.split(mode, "Other", "", [noted[2].pk], by=maja)


def test_what_is_sealed_or_of_another_project_is_not_grouped(project, maja, noted):
    trace_row(project)
    tor = stories.member(project, "reviewer", "tor@skylane.example")
    queue, _ = queueing.create_queue(project, "Q", blind=True, overlap=100, reviewers=[maja, tor])
    item = queue.items.get()
    sealed, _ = actions.submit_review(project, item.trace_id, "fail", author=maja, note="zebra")
    other = stories.project("other")
    foreign, _ = actions.submit_review(other, trace_row(other).trace_id, "fail", author=maja)
    with pytest.raises(ActionError, match="Choose notes"):
        coding.name_group(project, "Zebra", "", [sealed.pk, foreign.pk], by=maja)
    assert not FailureMode.objects.exists()


def test_a_new_rule_or_a_split_sends_just_the_old_labels_to_be_checked(project, maja, noted):
    mode, _ = coding.name_group(project, "Format", "Is text.", [r.pk for r in noted[:2]], by=maja)
    other, _ = actions.create_mode(project, "Tone")
    actions.edit_mode(mode, "Format", "Is text.", by=maja)
    assert modes_to_check(project) == []
    actions.edit_mode(mode, "Format", "Breaks its contract.", by=maja)
    coding.assign(project, [noted[2].pk], mode, by=maja)  # under the rule of today
    assert modes_to_check(project) == [(mode, 2)]
    assert mode.versions.get().definition == "Is text."
    chosen = {noted[0].pk: mode, noted[1].pk: other, noted[2].pk: None}
    change = coding.check(mode, chosen, by=maja)
    assert [slugs(review) for review in noted] == [{"format"}, {"tone"}, {"format"}]
    assert modes_to_check(project) == []
    coding.undo(change)
    assert modes_to_check(project) == [(mode, 2)]
    with pytest.raises(ActionError, match="older rule"):
        coding.check(mode, {noted[2].pk: None}, by=maja)


def test_a_split_leaves_the_rest_to_be_checked_and_undo_does_not(project, maja, noted):
    mode, _ = coding.name_group(project, "Format", "Is text.", [r.pk for r in noted], by=maja)
    rest = ("Text, not a number", "The sum is text.")
    _, change = coding.split(mode, "Invented policy", "", [noted[2].pk], by=maja, rest=rest)
    assert modes_to_check(project) == [(mode, 2)]
    now = FailureMode.objects.get(pk=mode.pk)
    assert (now.name, now.definition, now.slug) == (*rest, "format")
    coding.undo(change)
    assert modes_to_check(project) == []
    assert FailureMode.objects.get(pk=mode.pk).name == "Format"
    assert slugs(noted[2]) == {"format"}
