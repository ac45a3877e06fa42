"""The page on which a trace becomes a case: preview, masking, fewer turns, another input, undo."""

from __future__ import annotations

import re

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.core import cases
from tracehub.evals import actions, querysets
from tracehub.evals.models import Case

pytestmark = pytest.mark.django_db


@pytest.fixture
def project(client):
    made = stories.project()
    client.force_login(stories.member(made, "reviewer"))
    return made


@pytest.fixture
def eval_set(project):
    return actions.create_set(project, "Refunds")[0]


@pytest.fixture
def trace_id(project) -> str:
    talk = factory.chat(
        ("system", "You help."), ("user", "Baggage limit?"), ("assistant", "23 kg."),
        ("user", "Refund X7K2QD, write to jane@example.org"),
    )  # fmt: skip
    return factory.trace(project, input=talk, output=factory.chat(("assistant", "No.")))


def draft(eval_set) -> list[Case]:
    return list(querysets.in_version(eval_set, querysets.draft_number(eval_set)))


def send(client, trace_id, **more):
    form = {"eval_set": "refunds", "kind": "known_failure", "mask": "on", "do": "add"}
    return client.post(f"/skylane/traces/{trace_id}/case", form | more, follow=True)


def test_the_preview_shows_what_is_masked_and_what_the_draft_has_already(
    client, eval_set, trace_id
):
    actions.add_case(eval_set, cases.read({"title": "Told twice", "input": {"messages": [
        {"role": "user", "content": "Baggage limit?"},
        {"role": "user", "content": "Refund Q1W2E3 write to masked:email"}]}}))  # fmt: skip
    page = client.get(f"/skylane/traces/{trace_id}/case").content.decode()
    assert "[masked:email]" in page
    assert "Mask personal data: 2 email" in page
    assert re.search(r"\d+% the words of <a[^>]+>c_0001", page)
    assert "Told twice" in page
    assert len(draft(eval_set)) == 1  # a preview adds nothing
    whole = client.get(f"/skylane/traces/{trace_id}").content.decode()
    assert f'href="/skylane/traces/{trace_id}/case"' in whole
    span = re.search(rf'href="(/skylane/traces/{trace_id}/case\?span=\w+)" title="Keep this', whole)
    assert span  # the step that is open, from its head
    assert "Refund X7K2QD" in client.get(span[1]).content.decode()


def test_a_corrected_input_travels_with_the_case_and_undo_takes_it_back(client, eval_set, trace_id):
    done = send(client, trace_id, asked="Refund X7K2QD to card ending 4242", turns="2")
    said = done.content.decode()
    assert "Kept as c_0001 of Refunds" in said
    [case] = draft(eval_set)
    assert case.input["messages"][-1]["content"] == "Refund X7K2QD to card ending 4242"
    assert case.source_trace_id.hex == trace_id
    undo = re.search(r'action="(/skylane/traces/undo/[^"]+)"', said)
    assert undo
    client.post(undo[1])
    assert draft(eval_set) == []


def test_the_first_turns_make_a_case_that_expects_what_is_not_written_yet(
    client, eval_set, trace_id
):
    send(client, trace_id, turns="1", kind="success")
    send(client, trace_id, mask="", asked="")  # whole, and as it was: another case of the step
    first, whole = draft(eval_set)
    assert [m["role"] for m in first.input["messages"]] == ["system", "user"]
    assert (first.recorded_output, first.expected_output) == ("23 kg.", None)
    assert first.kind == "success"
    assert "jane@example.org" in whole.input["messages"][-1]["content"]
    again = send(client, trace_id, mask="", asked="").content.decode()
    assert "c_0002 says the same" in again


def test_a_new_set_is_made_and_what_is_wrong_is_named(client, project, trace_id):
    wrong = send(client, trace_id, eval_set="")
    assert wrong.status_code == 422
    assert "Choose an eval set, or name a new one." in wrong.content.decode()
    send(client, trace_id, eval_set="", new_set="Fresh")
    assert len(draft(project.eval_sets.get(slug="fresh"))) == 1
    assert client.get(f"/skylane/traces/{trace_id}/case?span=00000000000000ff").status_code == 404
