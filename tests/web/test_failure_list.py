"""The list of failures: its filter, its range, what stands together, and more of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest

from tests import trace_factory as factory
from tests.failures.test_worker import SCHEMA, WRONG, reply
from tests.web import stories
from tracehub.evals.actions import create_set
from tracehub.evals.models import Case
from tracehub.failures import actions
from tracehub.failures.models import Failure
from tracehub.web import failures as view

PAGE = "/skylane/failures"


@pytest.fixture
def project(db):
    """TH-1: wrong amounts of `refund`. TH-2: `plan` was cut off. TH-3: `sum` was, 20 days ago."""
    made = stories.project()
    actions.save_contract(made, "refund-reply", SCHEMA, prompt="refund")
    for n in range(1, 4):
        reply(made, WRONG, number=n, version="v12", user=f"u{n}", ago=timedelta(hours=n))
    factory.trace(made, trace_id=f"{50:032x}", name="plan", finish_reasons=["length"])
    old = int((datetime.now(UTC) - timedelta(days=20)).timestamp() * 1e9)
    cut = {"finish_reasons": ["length"], "start_ns": old}
    factory.trace(made, trace_id=f"{60:032x}", name="sum", **cut)
    return made


@pytest.fixture
def reviewer(project):
    return stories.member(project, "reviewer")


@pytest.fixture
def client(client, reviewer):
    client.force_login(reviewer)
    return client


def shown(page):
    return re.findall(r'data-group="(TH-\d+)"', page.text)


def test_a_filter_asks_groups_and_the_traces_in_them(client, project, reviewer):
    every = ["TH-1", "TH-2", "TH-3"]
    assert sorted(shown(client.get(PAGE))) == every
    for q, found in (
        ("signal:truncated", ["TH-2", "TH-3"]),
        ("signal:schema,truncated -severity:high", ["TH-2", "TH-3"]),
        ("span:comp*", ["TH-1"]),
        ("failure:TH-2 OR failure:3", ["TH-2", "TH-3"]),
        ("prompt:refund@v12", ["TH-1"]),
        ("user:u2 -name:plan", ["TH-1"]),
        ("name:plan,compose-refund must number", ["TH-1"]),
        ("name:sum", []),  # not in this range
        ("TH-3", ["TH-3"]),
        ("assignee:none", every),
        ("assignee:me", []),
    ):
        assert sorted(shown(client.get(PAGE, {"q": q}))) == found, q
    assert shown(client.get(PAGE, {"q": "name:sum", "from": "30d"})) == ["TH-3"]
    actions.assign(Failure.objects.get(number=2), reviewer, by=None)
    assert shown(client.get(PAGE, {"q": "assignee:me"})) == ["TH-2"]
    assert shown(client.get(PAGE, {"q": f"assignee:{reviewer.email}"})) == ["TH-2"]


def test_a_filter_counts_tabs_and_shows_chips(client, project):
    text = client.get(PAGE, {"q": "signal:truncated name:plan"}).text
    assert '>All <span class="num">1<' in text and "Showing 1 of 1" in text
    assert "2 groups need a decision" in text
    assert text.count('class="chip"') == 2
    joined = client.get(PAGE, {"q": "signal:truncated", "add": "name:plan"})
    assert joined.status_code == 302 and joined.url.endswith("q=signal%3Atruncated+name%3Aplan")


@pytest.mark.parametrize(
    ("q", "said"),
    [
        ("asignee:me", "Did you mean assignee?"),
        ("signal:truncated OR name:plan", "join them by a space, not OR"),
        ("severity:dire", "severity"),
    ],
)
def test_a_bad_filter_stays_in_place_with_its_mend(client, project, q, said):
    page = client.get(PAGE, {"q": q})
    assert page.status_code == 400 and said in page.text
    assert 'id="filter-error"' in page.text and shown(page) == []


def test_suggestions_are_values_of_failures_and_keys_of_traces(client, project):
    def offered(typed):
        page = client.get(f"{PAGE}/suggestions", {"add": typed})
        return re.findall(r'data-text="([^"]*)"', page.text)

    assert offered("signal:t") == ["signal:truncated"]
    assert offered("-span:comp") == ["-span:compose-refund"]
    assert offered("assig") == ["assignee:"]
    assert offered("assignee:m")[0] == "assignee:me"
    assert "model:gpt-4o" in offered("model:")


def test_nothing_to_decide_says_what_was_checked(client, project, reviewer):
    for failure in Failure.objects.order_by("number"):
        actions.resolve(failure, by=None)
    text = client.get(PAGE, {"status": "triage"}).text
    assert "Nothing needs a decision" in text and "Checks ran on" in text
    assert re.search(r"The last failure, TH-3, was resolved\s*<time", text)
    Failure.objects.all().delete()
    text = client.get(PAGE).text
    assert "No failures in the last 14 days" in text and "Review a random sample" in text


def test_groups_stand_together_under_what_they_share(client, project):
    text = client.get(PAGE, {"by": "signal"}).text
    heads = re.findall(r'class="medium ink truncate">([^<]+)<.*?>(\d groups?)<', text)
    assert heads == [("Schema error", "1 group"), ("Truncated", "2 groups")]
    assert "together by signal" in text
    for by in ("span", "prompt", "assignee"):
        assert len(shown(client.get(PAGE, {"by": by}))) == 3
    assert "Nobody assigned" in client.get(PAGE, {"by": "assignee"}).text


def test_a_longer_range_counts_what_is_older(client, project):
    def recent(**given):
        page = client.get(PAGE, given)
        return re.search(
            r'id="g-TH-3".*?title="(\d+) in (\d+) days"', page.text, re.DOTALL
        ).groups()

    assert recent() == ("0", "14")
    assert recent(**{"from": "7d"}) == ("0", "7")
    assert recent(**{"from": "30d"}) == ("1", "30")
    assert recent(**{"from": "90d", "sort": "first_seen"}) == ("1", "90")


def test_more_rows_come_below_and_the_pane_steps_on(client, project, monkeypatch):
    monkeypatch.setattr(view, "PAGE", 2)
    first = client.get(PAGE)
    assert len(shown(first)) == 2 and "Showing 2 of 3" in first.text
    following = re.search(r'id="load-more" href="([^"]+)"', first.text)[1]
    more = client.get(following, headers={"hx-request": "true", "hx-target": "footer#foot"})
    assert "<h1" not in more.text and "hx-partial" in more.text
    assert sorted(shown(first) + shown(more)) == ["TH-1", "TH-2", "TH-3"]
    assert "Showing 3 of 3" in more.text and "load-more" not in more.text
    open_first, open_second = shown(first)
    assert f'group={open_second}" title="Next group (j)"' in first.text
    assert 'title="Previous group: there is none"' in first.text
    second = client.get(PAGE, {"group": open_second}).text
    assert f'group={open_first}" title="Previous group (k)"' in second


def test_examples_of_several_groups_are_promoted_and_cover_them(client, project):
    made, _ = create_set(project, "Refunds")
    assert ">none</span>" in client.get(PAGE, {"q": "TH-1"}).text
    given = {"key": ["TH-1", "TH-2"], "set": made.slug, "near": "keep", "next": PAGE}
    page = client.post(f"{PAGE}/act", given, follow=True)
    assert "4 cases added to the draft of Refunds" in page.text
    assert Case.objects.filter(source_failure="TH-1").count() == 3
    assert 'title="3 cases in 1 of 1 eval set that tests its prompt"' in page.text
    create_set(project, "Unrelated")
    given = {"key": "TH-1", "act": "promote", "new_set": "Others", "near": "keep", "next": PAGE}
    page = client.post(f"{PAGE}/act", given, follow=True)
    assert "6 cases in 2 of 2 eval sets that test its prompt" in page.text
