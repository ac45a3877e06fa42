"""Files of cases into a draft: shown first, bad lines and near-duplicates named, undone."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from tests.web import stories
from tracehub.core import cases
from tracehub.core.exports import download, find
from tracehub.evals import actions, importing, querysets
from tracehub.evals.models import Case, CaseImport
from tracehub.projects.models import AuditEntry, MaskKind

pytestmark = pytest.mark.django_db
PAGE = "/skylane/evals/refunds/import"
FILE = (
    '{"input": "Refund booking X7K2QD to my card please", "expected_output": "418.60 EUR"}\n'
    '{"input": "Baggage limit on a Flex fare?", "kind": "success", "owner": "mina"}\n'
    '{"input": "Which seat?", "severity": "huge"}\n'
)


@pytest.fixture
def eval_set(client):
    project = stories.project()
    client.force_login(stories.member(project, "reviewer"))
    return actions.create_set(project, "Refunds")[0]


def send(client, text, name="cases.jsonl"):
    return client.post(PAGE, {"file": SimpleUploadedFile(name, text.encode())}, follow=True)


def asked(eval_set) -> list[str]:
    rows = querysets.in_version(eval_set, querysets.draft_number(eval_set))
    return [cases.asked({"input": row.input}) for row in rows]


def test_a_file_is_shown_before_it_is_added_and_can_be_taken_back(client, eval_set):
    actions.add_case(eval_set, cases.read(
        {"input": {"variables": {"q": "Refund booking M3A9TT to my card, please"}}}
    ))  # fmt: skip
    page = send(client, FILE)
    text = page.content.decode()
    assert len(asked(eval_set)) == 1  # nothing is added yet
    assert "Line 3" in text
    assert "severity must be one of low, medium, high, critical. Got &#x27;huge&#x27;." in text
    assert ">owner<" in text  # not taken, and said so
    assert "100% the words of" in text
    assert "c_0001" in text
    here = page.request["PATH_INFO"]
    done = client.post(here, {"skip": "on"}, follow=True)
    assert "1 case added to the draft of Refunds" in done.content.decode()
    assert asked(eval_set)[1:] == ["Baggage limit on a Flex fare?"]
    assert CaseImport.objects.get().contents == []  # not kept twice
    assert AuditEntry.objects.filter(action="evalset.imported").count() == 1
    client.post(here, {})  # again: nothing more
    assert len(asked(eval_set)) == 2
    client.post(f"{here}/undo")
    assert len(asked(eval_set)) == 1


def test_an_export_comes_back_into_another_set_once(client, eval_set):
    for n in range(3):
        actions.add_case(eval_set, cases.read(
            {"title": f"Case {n}", "input": f"Ask {n}"} | {"input": {"variables": {"n": n}}}
        ))  # fmt: skip
    exported = download(find("csv"), querysets.bundle(eval_set, 1)).body.decode()
    page = send(client, exported, "cases.csv")
    done = client.post(page.request["PATH_INFO"], {}, follow=True)
    assert "0 cases added to the draft of Refunds, 3 there already" in done.content.decode()
    other, _ = actions.create_set(eval_set.project, "Others")
    user = stories.member(eval_set.project, "admin")
    assert importing.add(importing.read(other, "x.csv", exported.encode(), by=user), by=user) == 3
    with pytest.raises(actions.ActionError, match=r"x\.csv is empty"):
        importing.read(other, "x.csv", b"", by=user)


def test_adding_many_cases_takes_as_many_statements_as_one(eval_set, django_assert_max_num_queries):
    many = [cases.read({"input": {"variables": {"n": n}}}) for n in range(400)]
    with django_assert_max_num_queries(14):
        added = actions.add_cases(eval_set, [*many, many[0]])
    assert [new for _, new in added] == [True] * 400 + [False]
    assert len({row.pk for row, _ in added}) == 400
    assert Case.objects.latest("number").case_id == "c_0400"


def test_personal_data_is_masked_before_the_file_is_kept(client, eval_set):
    eval_set.project.mask_rules.create(name="email", kind=MaskKind.EMAIL)
    page = send(client, '{"input": "Write to jane@example.org"}')
    assert "jane@example.org" not in page.content.decode()
    assert "[masked:email]" in str(CaseImport.objects.get().contents)


def test_a_file_without_cases_says_why_and_viewers_cannot_send_one(client, eval_set):
    answer = client.post(PAGE, {"pasted": "a,a\n1,2"})
    assert answer.status_code == 422
    assert "pasted text has the column &#x27;a&#x27; twice." in answer.content.decode()
    client.force_login(stories.member(eval_set.project, "viewer"))
    assert client.get(PAGE).status_code in {403, 404}
