"""The coverage page: holes, what would fill them, balance, traffic without a case, staleness."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core import cases, coverage
from tracehub.evals import actions
from tracehub.failures.actions import save_contract
from tracehub.review import actions as reviews

PAGE = "/skylane/evals/refunds/coverage"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def viewer(project, client):
    client.force_login(stories.member(project, "viewer"))
    return client


def add(project, **fields):
    made, _ = actions.create_set(project, "Refunds")
    content = {"input": {"variables": {"a": fields.get("title", "")}}, **fields}
    actions.add_cases(made, [cases.read(content)])
    return made


def test_a_mode_that_happens_without_a_case_is_a_hole_with_traces_that_fill_it(
    project, viewer, django_assert_max_num_queries
):
    trace = stories.refund_trace(project)
    factory.digest_now(project, trace)
    reviews.create_mode(project, "Wrong amount", slug="wrong-amount")
    reviews.create_mode(project, "Never seen", slug="never-seen")
    author = stories.member(project, "reviewer")
    reviews.submit_review(project, UUID(hex=trace), "fail", author=author, modes=["wrong-amount"])
    factory.digest_now(project, trace)
    add(project, title="one", kind="format", failure_modes=["wrong-amount"],
        prompt={"name": "old-prompt", "version": "v1"})  # fmt: skip
    with django_assert_max_num_queries(45):
        page = viewer.get(f"{PAGE}?mode=wrong-amount&kind=known_failure").text
    assert 'aria-label="Wrong amount, Known failure: hole. Find traces"' in page
    assert 'aria-label="Wrong amount, Format: 1 case"' in page
    assert "Never seen, Known failure: hole" not in page
    assert f"/skylane/traces/{trace}?q=" in page
    assert "No success: a program that refuses everything would pass." in page
    assert '<span class="mono">old-prompt</span> sent no trace for 30 days' in page
    assert ">get_booking</span>" in page  # a tool that no case records
    other = viewer.get(f"{PAGE}?by=prompt:nothing").text
    assert "0 cases" in other
    assert 'aria-label="Wrong amount, Format: hole. Find traces"' in other
    listed = viewer.get("/skylane/evals/refunds?kind=format&mode=wrong-amount").text
    assert "one" in listed
    viewer.force_login(author)  # who may also make a case of it
    case = f"/skylane/traces/{trace}/case?set=refunds&amp;kind=risky_edge"
    assert case in viewer.get(f"{PAGE}?mode=wrong-amount&kind=risky_edge").text
    form = viewer.get(case.replace("&amp;", "&")).text
    assert '<option value="refunds" selected>' in form
    assert 'value="risky_edge" checked' in form
    assert "c_0001" not in viewer.get("/skylane/evals/refunds?mode=never-seen").text


def test_cases_of_an_older_contract_are_stale(project, viewer):
    for schema in ({"type": "object"}, {"type": "array"}):
        save_contract(project, "refund-reply", schema, prompt="refund")
    about = {"type": "json_schema", "schema": {}, "contract": "refund-reply/1"}
    add(project, title="one", assertions=[about], kind="success")
    assert '<span class="mono">refund-reply/1</span> is no longer in force' in viewer.get(PAGE).text


def test_a_kind_below_a_tenth_is_told():
    found = coverage.imbalance({"known_failure": 20, "success": 1, "risky_edge": 3, "format": 3})
    assert found == ["Only 1 of 27 cases are of the kind success."]
    assert coverage.imbalance({}) == []
