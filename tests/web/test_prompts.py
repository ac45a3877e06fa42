"""The prompts pages: what ran, version by version, with what changed and what came with it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.failures.test_worker import RIGHT, SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.core.metrics import Sums
from tracehub.failures import actions
from tracehub.traces.actions import save_prompt
from tracehub.web import prompt_view, word_diff

OLD = "Answer from the fare rules.\n\n\n\n## Output\nThe amount is a number in major units.\nEnd."
NEW = "Answer from the fare rules.\n\n\n\n## Output\nThe amount is as the customer reads it.\nEnd."


@pytest.fixture
def project(db):
    made = stories.project()
    actions.save_contract(made, "refund-reply", SCHEMA, prompt="refund")
    return made


@pytest.fixture
def client(client, project):
    client.force_login(stories.member(project, "viewer"))
    return client


@pytest.fixture
def story(project):
    """Version 12 breaks the amount for the canary; version 11 serves control well."""
    save_prompt(project, "refund", "v11", OLD, author="Maja")
    save_prompt(project, "refund", "v12", NEW, author="Tor", message="Shorter replies")
    for n in range(1, 25):
        reply(project, WRONG if n % 2 else RIGHT, number=n, facts={"cohort": "canary"})
    for n in range(41, 81):
        reply(
            project, RIGHT, number=n, version="v11", ago=timedelta(hours=n % 9 + 1),
            facts={"cohort": "control"},
        )  # fmt: skip


def test_the_list_tells_how_each_prompt_does(client, project, story):
    text = client.get("/skylane/prompts").text
    assert "2 versions, contract refund-reply/1" in text
    assert "18.8%" in text and "11.1% to 30.0%" in text  # 12 of 64


def test_a_version_stands_beside_the_one_before(
    client, project, story, django_assert_max_num_queries
):
    with django_assert_max_num_queries(42):
        text = client.get("/skylane/prompts/refund").text
    assert "What changed" in text
    assert '<ins data-tone="pass">as the customer reads it</ins>' in text
    assert "Lines 1 to 2 are the same" not in text  # two lines are no fold
    assert "12 of 24" not in text and "50.0%" in text
    assert "refund.amount: must be number, got a string" in text and "line 6" in text
    assert "Canary" in text and "Tor" in text and "Shorter replies" in text
    assert "v12 against v11" in text and "+50.0 pts" in text
    assert 'href="/skylane/traces?q=prompt%3Arefund%40v12&amp;from=14d"' in text
    assert "style=" not in text


def test_a_stage_says_what_part_of_the_traces_it_has():
    day = datetime(2026, 11, 23, tzinfo=UTC)
    shares = [prompt_view.Share("control", 0.9, 90), prompt_view.Share("canary", 0.1, 10)]
    canary = {day: Sums({"requests": 10, "failing": 1})}
    found = prompt_view.stages({"canary": canary}, shares)
    assert [(each.title, each.now, each.part) for each in found] == [
        ("Internal", False, None), ("Canary", True, 10), ("All", False, 90),
    ]  # fmt: skip


def test_another_version_and_the_full_text_have_their_own_address(client, project, story):
    text = client.get("/skylane/prompts/refund?version=v11").text
    assert "Text of v11" in text and "First seen in v11" in text and "None." in text
    text = client.get("/skylane/prompts/refund?version=v12&view=full").text
    assert "<ins" not in text and "Text of v12" in text
    assert client.get("/skylane/prompts/refund?version=v99").status_code == 404
    assert client.get("/skylane/prompts/nothing").status_code == 404


def test_a_name_may_hold_any_character(client, project):
    save_prompt(project, "team/refund 50%", "v1 β", "Say <b>no</b>.")
    text = client.get("/skylane/prompts").text
    assert "/skylane/prompts/team/refund%2050%25" in text
    text = client.get("/skylane/prompts/team/refund%2050%25").text
    assert "Say &lt;b&gt;no&lt;/b&gt;." in text and "not seen yet" in text


def test_without_prompts_it_says_how_one_comes(client, project):
    assert "No prompt yet" in client.get("/skylane/prompts").text


def test_a_likely_line_is_named_only_when_one_line_shares_most_words():
    rows = word_diff.unified(["a"], ["the amount", "the currency", "a"])
    changed = [row for row in rows if row.kind == "ins"]
    assert prompt_view.likely_line("refund.amount: expected number", changed) == (1, "amount")
    assert prompt_view.likely_line("the refund", changed) == (None, "")
    assert prompt_view.likely_line("tool failed", changed) == (None, "")


def test_equal_lines_far_from_a_change_are_folded():
    one = [f"line {n}" for n in range(1, 21)]
    rows = word_diff.unified(one, [*one[:9], "new", *one[10:]])
    kinds = [row.kind for row in rows]
    assert kinds == ["fold", *["same"] * 3, "del", "ins", *["same"] * 3, "fold"]
    assert rows[0].runs[0][0] == "Lines 1 to 6 are the same"
