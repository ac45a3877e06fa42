"""The eval set pages: sets, versions, cases, coverage, and what changes them."""

from __future__ import annotations

import json
import re

import pytest

from tests.web import stories
from tracehub.core import cases
from tracehub.evals import actions
from tracehub.evals.models import Case, EvalSet, EvalSetVersion
from tracehub.projects.models import AuditEntry
from tracehub.review.actions import create_mode, submit_review
from tracehub.web import case_view

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
def eval_set(project) -> EvalSet:
    return actions.create_set(project, "Refund regressions", description="Money back")[0]


def add(eval_set, words="Refund X7K2QD", **fields):
    content = {"input": {"messages": [{"role": "user", "content": words}]}, **fields}
    return actions.add_case(eval_set, cases.read(content))[0]


def test_without_a_set_the_page_says_what_one_is_and_how_to_make_it(client, reviewer):
    page = client.get("/skylane/evals").text
    assert "No eval set yet" in page
    assert "Make the first set" in page


def test_a_set_is_made_and_opened(client, reviewer):
    answer = client.post("/skylane/evals", {"name": "Refund regressions"})
    assert answer["Location"] == "/skylane/evals/refund-regressions"
    page = client.get(answer["Location"]).text
    assert "No cases yet" in page
    assert "v1 draft" in page


@pytest.mark.parametrize(
    ("name", "said"),
    [("", "Give the set a name"), ("返金", "Send one"), ("x" * 121, "at most 120 characters")],
)
def test_a_bad_name_is_explained(client, reviewer, name, said):
    answer = client.post("/skylane/evals", {"name": name})
    assert answer.status_code == 422
    assert said in answer.text


def test_the_list_shows_cases_and_versions(client, reviewer, eval_set):
    add(eval_set)
    actions.fix(eval_set)
    add(eval_set, "another")
    page = client.get("/skylane/evals").text
    assert "Money back" in page
    assert "1 case, fixed" in page


def test_a_set_opens_in_its_newest_fixed_version_and_tells_of_the_draft(client, reviewer, eval_set):
    add(eval_set, "first")
    actions.fix(eval_set)
    add(eval_set, "second")
    page = client.get("/skylane/evals/refund-regressions").text
    assert "first" in page
    assert "second" not in page
    assert re.search(r"v2 draft has <a [^>]*>\s*1 new case\s*</a>", page)
    assert "Version 1 never changes. Edit in the v2 draft." in page
    draft = client.get("/skylane/evals/refund-regressions?version=draft").text
    assert "second" in draft
    assert "Remove c_0002 from the draft" in draft


def test_cases_are_listed_by_kind_with_their_expectation_and_source(client, reviewer, project):
    trace = stories.refund_trace(project)
    chosen, _ = actions.create_set(project, "Mixed")
    create_mode(project, "Wrong amount")
    equals = {"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 418.6}
    source = {"trace_id": trace, "span_id": "0" * 15 + "9"}
    add(chosen, kind="known_failure", title="Amount is text", assertions=[equals],
        failure_modes=["wrong-amount"], source=source)  # fmt: skip
    add(chosen, "Just fine", kind="success", expected_output="Refunded.")
    page = client.get("/skylane/evals/mixed").text
    assert "refund.amount = 418.6" in page
    assert "Wrong amount" in page
    assert f"/skylane/traces/{trace}?span=0000000000000009" in page
    assert "Known failure 1" in page
    only = client.get("/skylane/evals/mixed?kind=success").text
    assert "Just fine" in only
    assert "Amount is text" not in only


def test_coverage_counts_cases_and_names_modes_without_one(client, reviewer, project, eval_set):
    for name in ("Wrong amount", "Tool loop"):
        create_mode(project, name)
    from uuid import UUID

    submit_review(project, UUID(int=1), "fail", author=reviewer, modes=["tool-loop"])
    add(eval_set, failure_modes=["wrong-amount"])
    page = client.get("/skylane/evals/refund-regressions").text
    assert "1 of 2 modes" in page
    missing = page.split("Failure modes without a case")[1].split("</section>")[0]
    assert "Tool loop" in missing
    assert "1 review" in missing
    assert "coverage?version=draft&amp;mode=tool-loop&amp;kind=known_failure#hole" in missing


def test_what_changed_between_two_versions_is_shown_case_by_case(client, reviewer, eval_set):
    add(eval_set, title="Stays")
    add(eval_set, title="Amount", expected_output={"amount": 38, "currency": "EUR"})
    add(eval_set, "Which seat?", title="Goes")
    path = "/skylane/evals/refund-regressions/diff"
    actions.fix(eval_set)
    assert "Both versions hold the same cases" in client.get(path).text  # none before the first
    assert client.get(f"{path}?from=7").status_code == 404
    change = cases.read_change({"expected_output": {"amount": 76, "currency": "EUR"}})
    actions.update_case(eval_set, 2, change)
    actions.remove_case(eval_set, 3)
    add(eval_set, "<script>window.attacked = 1</script>", title="Comes")
    assert f'href="{path}?from=1&amp;to=draft">1 new case' in " ".join(
        client.get("/skylane/evals/refund-regressions").text.split()
    )
    page = client.get(f"{path}?from=1&to=draft").text
    assert '<del data-tone="fail">38</del>' in page
    assert '<ins data-tone="pass">76</ins>' in page
    assert re.findall(r">(c_\d+)</a>", page) == ["c_0002", "c_0003", "c_0004"]
    assert re.findall(r">(?:Changed|New|Removed) (\d)</a>", page) == ["1", "1", "1"]
    assert "<script>window" not in page
    assert re.findall(r">(c_\d+)</a>", client.get(f"{path}?from=1&to=draft&only=removed").text) == [
        "c_0003"
    ]
    actions.fix(eval_set)
    assert "v1 → v2" in client.get(path).text
    assert "Both versions hold the same cases" in client.get(f"{path}?from=2&to=2").text


def test_a_removed_case_can_be_brought_back(client, reviewer, eval_set):
    add(eval_set)
    answer = client.post("/skylane/evals/refund-regressions/cases/c_0001/remove")
    assert answer["Location"] == "/skylane/evals/refund-regressions?version=draft"
    page = client.get(answer["Location"]).text
    assert "Removed c_0001 from the draft" in page
    assert 'action="/skylane/evals/refund-regressions/cases/c_0001/restore"' in page
    client.post("/skylane/evals/refund-regressions/cases/c_0001/restore")
    assert Case.objects.get().removed_in is None


def test_fixing_makes_the_next_version_with_its_note(client, reviewer, eval_set):
    add(eval_set)
    answer = client.post("/skylane/evals/refund-regressions/fix", {"note": "Before v13"})
    assert answer["Location"] == "/skylane/evals/refund-regressions?version=1"
    version = EvalSetVersion.objects.get()
    assert (version.note, version.fixed_by) == ("Before v13", reviewer)
    again = client.post("/skylane/evals/refund-regressions/fix", follow=True)
    assert "is the same as version 1" in again.text


def test_a_version_is_exported_as_a_file_and_audited(client, reviewer, eval_set):
    add(eval_set)
    actions.fix(eval_set)
    answer = client.get("/skylane/evals/refund-regressions/export?version=1&format=jsonl")
    assert answer["Content-Disposition"] == 'attachment; filename="refund-regressions-v1.jsonl"'
    (line,) = answer.content.splitlines()
    assert json.loads(line)["id"] == "c_0001"
    assert AuditEntry.objects.filter(action="evalset.exported").count() == 1
    draft = client.get("/skylane/evals/refund-regressions/export?version=draft")
    assert 'filename="refund-regressions-v2-draft.jsonl"' in draft["Content-Disposition"]
    add(eval_set, title="Write to ida@example.org")
    path = "/skylane/evals/refund-regressions/export?version=draft"
    assert b"ida@example.org" in client.get(path).content
    masked = client.get(f"{path}&mask=1").content
    assert b"ida@example.org" not in masked
    assert b"Write to [masked:email]" in masked
    assert AuditEntry.objects.filter(detail__masked=True).count() == 1


def test_an_unknown_format_or_an_empty_set_is_explained(client, reviewer, eval_set):
    for query in ("?format=xml", "?version=draft"):
        url = f"/skylane/evals/refund-regressions/export{query}"
        page = client.get(url, follow=True).text
        assert "format must be one of" in page or "has no cases to export" in page


def test_only_formats_that_exist_are_offered(client, reviewer, eval_set):
    from tracehub.core.exports import FORMATS

    add(eval_set)
    page = client.get("/skylane/evals/refund-regressions").text
    assert page.count('name="format"') == len(FORMATS)


def test_a_case_shows_all_it_holds_as_text(client, reviewer, project, eval_set):
    attack = "<script>window.attacked = 1</script>"
    create_mode(project, "Wrong amount")
    add(
        eval_set, attack, title=attack, expected_output={"a": attack}, recorded_output=attack,
        assertions=[{"type": "contains", "value": attack}], failure_modes=["wrong-amount"],
        context=[{"id": "p-1", "content": attack, "score": 0.9}], tags=["eu"],
        tool_calls={"recorded": [{"name": attack, "arguments": {}, "result": attack}]},
    )  # fmt: skip
    page = client.get("/skylane/evals/refund-regressions/cases/c_0001").text
    assert attack not in page
    assert page.count("&lt;script&gt;") > 6
    assert "Wrong amount" in page
    assert attack not in client.get("/skylane/evals/refund-regressions").text


def test_wrong_versions_cases_and_sets_are_404(client, reviewer, eval_set):
    add(eval_set)
    for path in (
        "?version=1",
        "?version=x",
        "/cases/c_0009",
        "/cases/1",
        "/cases/c_0001?version=7",
    ):
        assert client.get(f"/skylane/evals/refund-regressions{path}").status_code == 404
    assert client.get("/skylane/evals/nothing").status_code == 404


def test_long_sets_come_in_pages(client, reviewer, eval_set):
    actions.add_cases(
        eval_set,
        [
            cases.read({"input": {"messages": [{"role": "user", "content": f"n {n}"}]}})
            for n in range(130)
        ],
    )
    page = client.get("/skylane/evals/refund-regressions").text
    assert page.count('<tr id="c_') == 100
    url = "/skylane/evals/refund-regressions?version=draft&after=100"
    rows = client.get(url, headers={"hx-request": "true", "hx-target": "tr"}).text
    assert rows.count('<tr id="c_') == 30
    assert "<h1" not in rows


def test_pages_cost_few_queries(client, reviewer, eval_set, django_assert_max_num_queries):
    for n in range(5):
        add(eval_set, f"n {n}")
    actions.fix(eval_set)
    for path in ("", "/refund-regressions", "/refund-regressions/cases/c_0001"):
        with django_assert_max_num_queries(19):
            client.get(f"/skylane/evals{path}")


WRITES = (
    ("/skylane/evals", {"name": "New"}),
    ("/skylane/evals/refund-regressions/fix", {}),
    ("/skylane/evals/refund-regressions/cases/c_0001/remove", {}),
    ("/skylane/evals/refund-regressions/cases/c_0001/restore", {}),
)


@pytest.mark.parametrize(("path", "fields"), WRITES)
def test_a_viewer_reads_and_changes_nothing(client, project, eval_set, path, fields):
    add(eval_set)
    client.force_login(stories.member(project, "viewer"))
    assert client.post(path, fields).status_code == 403
    assert client.get("/skylane/evals/refund-regressions").status_code == 200
    assert (EvalSet.objects.count(), EvalSetVersion.objects.count()) == (1, 0)


@pytest.mark.parametrize(("path", "fields"), WRITES)
def test_an_outsider_gets_404_for_everything(client, eval_set, path, fields):
    add(eval_set)
    other = stories.project("other")
    client.force_login(stories.member(other, "admin"))
    assert client.post(path, fields).status_code == 404
    if "refund" in path:
        assert client.post(path.replace("skylane", "other"), fields).status_code == 404
    for page in ("", "/refund-regressions", "/refund-regressions/export"):
        assert client.get(f"/skylane/evals{page}").status_code == 404


@pytest.mark.parametrize(
    ("assertion", "words"),
    [
        ({"type": "exact", "value": {"a": 1}}, 'output is {"a": 1}'),
        ({"type": "contains", "value": "23 kg"}, "output contains 23 kg"),
        ({"type": "not_contains", "value": "voucher"}, "output does not contain voucher"),
        ({"type": "regex", "pattern": "^a"}, "output matches ^a"),
        ({"type": "json_schema", "schema": {}}, "matches its schema"),
        ({"type": "json_schema", "contract": "refund-reply/3"}, "matches refund-reply/3"),
        ({"type": "tool_called", "name": "get_booking"}, "calls get_booking"),
        ({"type": "cites_document", "document": "policy-118"}, "cites policy-118"),
        ({"type": "max_cost", "usd": "0.02"}, "cost at most $0.02"),
        ({"type": "llm_rubric", "rubric": "is kind"}, "judge: is kind"),
        ({"type": "of_the_future"}, "of the future"),
    ],
)
def test_assertions_read_as_words(assertion, words):
    assert case_view.assertion_line(assertion) == words


def test_a_line_says_what_a_case_is_about():
    parts = [{"type": "text", "text": "Look:"}, {"type": "image"}]
    asked = {"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts}]}
    assert case_view.input_line("", asked) == "Look: [image]"
    assert case_view.input_line("Title", asked) == "Title"
    assert case_view.input_line("", {"variables": {"pnr": "X7"}}) == '{"pnr": "X7"}'
    assert case_view.input_line("", {}) == "no input"
    assert case_view.expected_line(None, [], format_only=True) == "keeps its format"
    assert case_view.expected_line(None, [], format_only=False) == "no expected output yet"
