"""The page of labels under an older rule, and what merging modes does to eval cases."""

from __future__ import annotations

import pytest

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.core import cases
from tracehub.evals import actions as evals
from tracehub.evals.models import Case
from tracehub.review import actions, coding, queueing
from tracehub.review.models import Recoding

pytestmark = pytest.mark.django_db
PAGE = "/skylane/review/modes/format/recheck"


@pytest.fixture
def project():
    return stories.project()


@pytest.fixture
def maja(project, client):
    user = stories.member(project, "reviewer", "maja@skylane.example")
    client.force_login(user)
    return user


@pytest.fixture
def reviews(project, maja):
    mode, _ = actions.create_mode(project, "Format", definition="Is text.")
    given = [
        actions.submit_review(
            project, trace_row(project).trace_id, "fail", author=maja, modes=["format"],
            note=f"<i>note {number}</i>",
        )[0]
        for number in range(3)
    ]  # fmt: skip
    actions.edit_mode(mode, "Format", "Breaks its contract.")
    return given


def test_old_labels_are_checked_on_one_page_and_that_is_undone(client, project, reviews):
    actions.create_mode(project, "Tone")
    queueing.create_queue(project, "Refunds")
    said = "3 old labels of Format may no longer hold"
    assert said in client.get("/skylane/review/refunds").text
    assert said in client.get("/skylane/settings").text
    page = client.get(PAGE).text
    assert "&lt;i&gt;note 1&lt;/i&gt;" in page
    assert "Its rule was changed" in page
    first, second, third = (review.pk for review in reviews)
    client.post(PAGE, {f"review-{first}": "keep", f"review-{second}": "to:tone", "review-x": "off"})
    names = [set(r.modes.values_list("slug", flat=True)) for r in reviews]
    assert names == [{"format"}, {"tone"}, {"format"}]
    page = client.get(PAGE).text
    assert f'name="review-{third}"' in page
    assert f'name="review-{first}"' not in page
    change = Recoding.objects.get()
    client.post(f"{PAGE}/undo/{change.pk}")
    assert client.get(PAGE).text.count('value="keep"') == 3
    client.post(PAGE, {f"review-{number}": "off" for number in (first, second, third)})
    assert "Every label was made under the rule of today" in client.get(PAGE).text


def test_viewers_and_others_do_not_get_there(client, project, reviews):
    client.force_login(stories.member(project, "viewer"))
    assert client.get(PAGE).status_code == 403
    client.force_login(stories.member(stories.project("other"), "admin"))
    assert client.get(PAGE).status_code == 404


def test_merged_modes_are_merged_in_drafts_too_and_fixed_versions_stay(client, project, reviews):
    actions.create_mode(project, "Schema")
    eval_set, _ = evals.create_set(project, "Refunds")
    content = {"kind": "known_failure", "title": "x", "input": {"variables": {"pnr": "X7K2QD"}}}
    evals.add_cases(eval_set, [cases.read(content | {"failure_modes": ["schema", "format"]})])
    evals.fix(eval_set)
    evals.add_cases(eval_set, [cases.read(content | {"title": "y", "failure_modes": ["format"]})])
    queueing.create_queue(project, "Board")
    merging = {"act": "merge", "mode": "format", "into": "schema"}
    client.post("/skylane/review/board/coding/change", merging)
    fixed = Case.objects.get(number=1, added_in=1)
    assert fixed.failure_modes == ["schema", "format"]
    draft = Case.objects.filter(removed_in=None).order_by("number")
    assert [case.failure_modes for case in draft] == [["schema"], ["schema"]]
    change = Recoding.objects.get()
    client.post(f"/skylane/review/board/coding/undo/{change.pk}")
    assert [case.failure_modes for case in draft.all()] == [["schema", "format"], ["format"]]
    coding.undo(change)
