"""The failures pages: groups by impact, one beside them, and decisions that can be undone."""

from __future__ import annotations

import re
from datetime import timedelta
from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.failures.test_worker import RIGHT, SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.core.trace import Prompt, ToolUse
from tracehub.evals.models import Case
from tracehub.failures import actions, querysets
from tracehub.failures.models import Failure
from tracehub.traces.actions import save_prompt

HX = {"hx-request": "true", "hx-target": "main#main"}


@pytest.fixture
def project(db):
    made = stories.project()
    actions.save_contract(made, "refund-reply", SCHEMA, prompt="refund")
    return made


@pytest.fixture
def reviewer(project):
    return stories.member(project, "reviewer")


@pytest.fixture
def client(client, reviewer):
    client.force_login(reviewer)
    return client


@pytest.fixture
def story(project):
    """Version 12 breaks the amount; versions 11 and 12 time out now and then."""
    for n in range(1, 13):
        said = WRONG if n % 2 else RIGHT
        reply(project, said, number=n, version="v12", user=f"u{n}", ago=timedelta(hours=n % 9))
    for n in range(41, 53):
        reply(project, RIGHT, number=n, version="v11", ago=timedelta(hours=n % 9 + 9))
    factory.trace(project, trace_id=f"{99:032x}", name="plan", finish_reasons=["length"])
    return Failure.objects.get(kind="schema_error")


def act(client, project, key, act, **more):
    path = f"/{project.slug}/failures/act"
    back = f"/{project.slug}/failures"
    return client.post(path, {"key": key, "act": act, "next": back, **more}, follow=True)


def undo_url(page):
    return re.search(r'action="([^"]*/failures/undo/[^"]+)"', page.text)[1]


def test_groups_are_listed_by_impact_with_the_first_one_open(
    client, project, story, django_assert_max_num_queries
):
    with django_assert_max_num_queries(36):
        page = client.get(f"/{project.slug}/failures")
    text = page.text
    assert text.index("refund.amount: must be number, got a string") < text.index("plan stopped")
    assert "2 groups need a decision" in text
    assert 'aria-current="true"' in text and story.key in text
    assert "style=" not in text


def test_the_suspect_is_the_version_that_separates_failing_from_passing(client, project, story):
    save_prompt(project, "refund", "v11", "Answer.\nThe amount is a number.", author="Tor")
    save_prompt(project, "refund", "v12", "Answer.\nThe amount is a text.", author="Tor")
    text = client.get(f"/{project.slug}/failures?group={story.key}").text
    assert "refund v11 → v12" in text
    assert "fails this way in 6 of 12 traces: 50.0%, other versions in 0 of 12: 0.0%." in text
    assert "rate 21.1% to 78.9%, share of events 54.1% to 100.0%" in text
    assert '<ins data-tone="pass">text</ins>' in text
    assert "<div>Answer.</div>" in text and "Full diff, 2 lines" in text


def test_a_version_of_a_tool_can_be_the_suspect(client, project):
    """Both are called by one prompt version, and one trace in two fails for another reason."""
    for n in range(1, 21):
        broken = n % 2
        fare = ToolUse("fare", None, {}, None, version="2.4.0" if broken else "2.3.1")
        down = {"error": True, "error_message": "503"} if broken else {}
        spans = [
            factory.span(f"{n:032x}", span_id=f"{n:016x}", prompt=Prompt("refund", "v12")),
            factory.tool_span(f"{n:032x}", parent_id=f"{n:016x}", name="fare", tool=fare, **down),
        ]
        factory.trace(project, *spans)
    key = Failure.objects.get(kind="tool_error").key
    text = client.get(f"/{project.slug}/failures?group={key}").text
    assert "tool fare@2.4.0" in text
    assert "fails this way in 10 of 10 traces: 100.0%, other versions in 0 of 10: 0.0%." in text
    assert "rate 69.2% to 100.0%, share of events 69.2% to 100.0%" in text
    assert "fare@2.3.1" in text, "it stands in where it happens"


def test_without_a_difference_it_says_so(client, project):
    for n in range(1, 9):
        reply(project, WRONG if n % 2 else RIGHT, number=n, version=f"v{n // 5}")
    text = client.get(f"/{project.slug}/failures").text
    assert "No prompt version, model, release, cohort or tool version stands out" in text


def test_tabs_count_and_filter(client, project, story):
    actions.resolve(story, by=None)
    text = client.get(f"/{project.slug}/failures?status=resolved").text
    assert re.search(r'aria-current="page"[^>]*>Resolved <span class="num">1<', text)
    assert "plan stopped" not in text
    assert "plan stopped" in client.get(f"/{project.slug}/failures?q=PLAN").text
    assert "No group matches" in client.get(f"/{project.slug}/failures?q=zebra").text


def test_resolving_in_the_next_version_and_back(client, project, story):
    page = act(client, project, story.key, "resolve:next")
    story.refresh_from_db()
    assert (story.status, story.resolved_in) == ("resolved", ">refund@v12")
    assert "Resolved, after v12" in page.text
    page = client.post(undo_url(page), {"next": f"/{project.slug}/failures"}, follow=True)
    story.refresh_from_db()
    assert (story.status, story.resolved_in) == ("new", "")
    assert "Undone" in page.text


def test_several_are_assigned_merged_and_ignored_at_once(client, project, story, reviewer):
    other = Failure.objects.get(kind="truncated")
    act(client, project, [story.key, other.key], f"assign:{reviewer.pk}")
    assert set(Failure.objects.values_list("assignee", flat=True)) == {reviewer.pk}
    page = act(client, project, [story.key, other.key], "merge")
    other.refresh_from_db()
    assert other.merged_into == story
    assert f"{other.key} merged into {story.key}" in page.text
    act(client, project, other.key, "split")
    other.refresh_from_db()
    assert other.merged_into is None
    act(client, project, other.key, "ignore:7d")
    other.refresh_from_db()
    assert other.status == "ignored" and other.ignored_until is not None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"act": "merge", "value": "TH-99"}, "There is no failure"),
        ({"act": "merge"}, "Choose two failures"),
        ({"act": "resolve", "value": "x" * 400}, "300 characters"),
        ({"act": "explode"}, "Say what to do"),
        ({"act": "assign:999999"}, "There is no such person. Got &#x27;999999&#x27;."),
        ({"act": "assign:²"}, "There is no such person. Got &#x27;²&#x27;."),
        ({"act": "assign:"}, "assigned to nobody"),
    ],
)
def test_what_cannot_be_done_is_said(client, project, story, given, said):
    assert said in act(client, project, story.key, given["act"], value=given.get("value", "")).text


def test_examples_are_promoted_with_the_key_of_their_failure(client, project, story):
    text = client.get(f"/{project.slug}/failures?group={story.key}").text
    chosen = re.findall(r'name="trace" value="([0-9a-f]{32})"', text)
    assert len(chosen) == 5
    given = {"trace": chosen, "new_set": "Refunds", "next": f"/{project.slug}/failures"}
    client.post(f"/{project.slug}/traces/bulk", given | {"near": "keep"})
    assert set(Case.objects.values_list("source_failure", flat=True)) == {story.key}
    assert "5 cases" in client.get(f"/{project.slug}/failures").text


def test_a_group_has_a_page_of_its_own(client, project, story):
    page = client.get(f"/{project.slug}/failures/{story.key}")
    assert page.status_code == 200 and "Why these are together" in page.text
    assert "/refund/amount" in page.text
    assert client.get(f"/{project.slug}/failures/TH-999").status_code == 404
    assert client.get(f"/{project.slug}/failures/odd").status_code == 404


def test_outsiders_and_viewers_are_kept_out(client, project, story, django_user_model):
    viewer = stories.member(project, "viewer")
    client.force_login(viewer)
    assert "failures/act" not in client.get(f"/{project.slug}/failures").text
    path = f"/{project.slug}/failures/act"
    assert client.post(path, {"key": story.key, "act": "resolve"}).status_code == 403
    client.force_login(stories.member(stories.project("other"), "admin", "o@other.example"))
    assert client.get(f"/{project.slug}/failures").status_code == 404
    assert client.get(f"/{project.slug}/failures/{story.key}").status_code == 404


def test_an_undo_is_of_the_person_who_did_it(client, project, story):
    url = undo_url(act(client, project, story.key, "resolve:now"))
    client.force_login(stories.member(project, "admin"))
    assert client.post(url, {}).status_code == 404


def test_markup_in_a_trace_stays_text(client, project):
    stories.attack_trace(project)
    text = client.get(f"/{project.slug}/failures").text
    assert "<script>window" not in text and "<img src=x" not in text


def test_an_empty_project_offers_a_step(client, project):
    text = client.get(f"/{project.slug}/failures").text
    assert "No failures yet" in text and f"/{project.slug}/traces" in text


def test_a_regression_is_hot_from_its_day_on(client, project, story):
    actions.resolve(story, by=None, where="now")
    reply(project, WRONG, number=200, version="v12", ago=timedelta(seconds=-20))
    text = client.get(f"/{project.slug}/failures?status=regressed").text
    assert "bar--hot" in text and "Regressed" in text
    assert querysets.get(project, story.number).activities.count() == 2
    assert UUID(int=200)
