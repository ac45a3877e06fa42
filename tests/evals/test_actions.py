from __future__ import annotations

import hashlib
from uuid import UUID

import pytest

from tests import trace_factory as factory
from tracehub.core import cases, exports
from tracehub.core.trace import ValidationError
from tracehub.evals import actions, promoting, querysets
from tracehub.evals.models import EvalSet
from tracehub.projects.actions import ActionError, Conflict
from tracehub.projects.models import AuditEntry, Project, User
from tracehub.review.actions import create_mode, submit_review
from tracehub.traces import reading
from tracehub.traces.models import Arrival, Trace

pytestmark = pytest.mark.django_db

SCHEMA = {"type": "object", "properties": {"refund": {"type": "object"}}}
BROKEN = '{"refund": {"amount": "418.60 EUR"}}'
MENDED = {"refund": {"amount": 418.6}}


@pytest.fixture
def project() -> Project:
    return Project.objects.create(slug="skylane", name="Skylane support")


@pytest.fixture
def mina() -> User:
    return User.objects.create_user("mina@skylane.example")


@pytest.fixture
def eval_set(project) -> EvalSet:
    return actions.create_set(project, "Refund regressions")[0]


def content(words: str = "Refund X7K2QD", **fields) -> cases.Case:
    return cases.read({"input": {"messages": [{"role": "user", "content": words}]}, **fields})


def ids(eval_set: EvalSet, version: int) -> list[str]:
    return [case.case_id for case in querysets.in_version(eval_set, version)]


def test_a_set_is_made_once_and_its_slug_is_its_own(project):
    first, new = actions.create_set(project, " Refund  regressions ")
    again, new_again = actions.create_set(project, "Refund regressions")
    assert (first.slug, first.name) == ("refund-regressions", "Refund regressions")
    assert (new, new_again, again.pk) == (True, False, first.pk)
    with pytest.raises(Conflict, match="taken by"):
        actions.create_set(project, "Other", slug="refund-regressions")
    with pytest.raises(ActionError, match="Send one"):
        actions.create_set(project, "返金")


def test_a_fixed_version_never_changes_whatever_happens_to_the_draft(eval_set):
    for words in ("one", "two", "three"):
        actions.add_case(eval_set, content(words))
    assert actions.fix(eval_set).number == 1
    before = list(querysets.bundle(eval_set, 1).cases)
    actions.update_case(eval_set, 1, {"title": "Renamed"})
    actions.remove_case(eval_set, 2)
    actions.add_case(eval_set, content("four"))
    assert list(querysets.bundle(eval_set, 1).cases) == before
    assert ids(eval_set, 2) == ["c_0001", "c_0003", "c_0004"]
    changes = querysets.draft_changes(eval_set)
    assert (changes.added, changes.changed, changes.removed) == (1, 1, 1)
    assert actions.fix(eval_set).number == 2
    assert list(querysets.bundle(eval_set, 1).cases) == before
    assert ids(eval_set, 2) == ["c_0001", "c_0003", "c_0004"]
    assert not querysets.draft_changes(eval_set)


def test_a_removed_case_comes_back_under_its_own_id(eval_set):
    for words in ("one", "two"):
        actions.add_case(eval_set, content(words))
    actions.remove_case(eval_set, 2)  # undone inside the first draft
    assert [case.number for case in querysets.removed_from_draft(eval_set)] == [2]
    actions.restore_case(eval_set, 2)
    actions.fix(eval_set)
    actions.remove_case(eval_set, 1)
    actions.fix(eval_set)
    actions.restore_case(eval_set, 1)  # after a version without it
    assert [ids(eval_set, version) for version in (1, 2, 3)] == [
        ["c_0001", "c_0002"],
        ["c_0002"],
        ["c_0001", "c_0002"],
    ]
    with pytest.raises(ActionError, match="has no case c_0009"):
        actions.restore_case(eval_set, 9)


def test_an_edit_of_a_draft_case_makes_no_second_revision(eval_set):
    actions.add_case(eval_set, content("one"))
    actions.update_case(eval_set, 1, {"title": "First"})
    actions.update_case(eval_set, 1, {"title": "Second"})
    assert [case.title for case in eval_set.cases.all()] == ["Second"]


def test_the_same_content_is_one_case_and_numbers_are_never_used_again(eval_set):
    first, new = actions.add_case(eval_set, content("one"))
    again, new_again = actions.add_case(eval_set, content("one"))
    assert (new, new_again, again.pk) == (True, False, first.pk)
    actions.remove_case(eval_set, 1)
    after, _ = actions.add_case(eval_set, content("one"))
    assert after.case_id == "c_0002"


def test_many_cases_are_added_all_or_none(eval_set):
    with pytest.raises(ActionError, match="names 'nowhere'"):
        actions.add_cases(eval_set, [content("one"), content("two", failure_modes=["nowhere"])])
    assert not eval_set.cases.exists()


def test_an_empty_or_unchanged_draft_cannot_be_fixed(eval_set):
    with pytest.raises(ActionError, match="has no cases"):
        actions.fix(eval_set)
    actions.add_case(eval_set, content("one"))
    actions.fix(eval_set)
    with pytest.raises(Conflict, match="the same as version 1"):
        actions.fix(eval_set)


def test_fixing_leaves_a_hash_of_the_export_and_an_audit_entry(eval_set, mina):
    actions.add_case(eval_set, content("one"))
    version = actions.fix(eval_set, note="first", by=mina)
    body = exports.download(exports.find("jsonl"), querysets.bundle(eval_set, 1)).body
    assert version.content_hash == hashlib.sha256(body).hexdigest()
    assert (version.case_count, version.fixed_by) == (1, mina)
    entry = AuditEntry.objects.get(action="evalset.fixed")
    assert (entry.object, entry.actor) == ("refund-regressions@1", mina.email)


def failing_trace(project, **fields) -> reading.LoadedTrace:
    trace_id = factory.trace(
        project,
        output=factory.chat(("assistant", BROKEN)),
        validation_errors=[ValidationError("/refund/amount", "type", "must be number")],
        **fields,
    )
    return reading.load(project, UUID(hex=trace_id))


def test_a_failing_trace_becomes_a_case_with_what_the_reviewer_said(project, eval_set, mina):
    create_mode(project, "Wrong type")
    trace = failing_trace(project)
    trace_id = UUID(hex=trace.summary.trace_id)
    submit_review(
        project, trace_id, "fail", author=mina, modes=["wrong-type"], severity="high",
        note="Amount comes back as a string\nmore", corrected_output=MENDED,
    )  # fmt: skip
    case, new = promoting.promote_trace(eval_set, trace)
    made = querysets.native(case, eval_set, 1)
    assert new
    assert made["kind"] == "known_failure"
    assert made["title"] == "Amount comes back as a string"
    assert made["input"]["messages"] == [{"role": "user", "content": "Refund X7K2QD"}]
    assert made["expected_output"] == MENDED
    assert made["recorded_output"] == {"refund": {"amount": "418.60 EUR"}}
    assert (made["failure_modes"], made["severity"]) == (["wrong-type"], "high")
    assert made["reviewer"] == mina.email
    assert made["source"]["trace_id"] == trace.summary.trace_id
    assert made["source"]["url"].endswith(f"/skylane/traces/{trace.summary.trace_id}")
    assert [(a["id"], a["type"]) for a in made["assertions"]] == [
        ("a1", "json_schema"),
        ("a2", "json_pointer_equals"),
    ]
    assert made["assertions"][1]["value"] == 418.6


def test_the_schema_that_the_caller_asked_for_becomes_the_assertion(project, eval_set):
    case, _ = promoting.promote_trace(eval_set, failing_trace(project, output_schema=SCHEMA))
    assert case.assertions == [{"id": "a1", "type": "json_schema", "schema": SCHEMA}]
    assert case.expected_output is None


def test_the_same_step_is_promoted_once(project, eval_set):
    trace = failing_trace(project)
    first, new = promoting.promote_trace(eval_set, trace)
    again, new_again = promoting.promote_trace(eval_set, trace)
    assert (new, new_again, first.pk) == (True, False, again.pk)
    with pytest.raises(Conflict, match="c_0001 of refund-regressions comes from the same step"):
        promoting.promote_trace(eval_set, trace, kind="format")
    with pytest.raises(ActionError, match="no span 00000000000000ff"):
        promoting.promote_trace(eval_set, trace, span_id="00000000000000ff")


def test_a_case_carries_context_and_tool_results_of_the_whole_trace(project, eval_set):
    trace_id = "ab" * 16
    found = factory.span(
        trace_id, kind="retriever", name="search", model=None, input="fare rules", output=None,
        context=[{"id": "policy-118", "content": "Refunds are full.", "score": 0.91}],
    )  # fmt: skip
    factory.trace(project, found, factory.tool_span(trace_id), factory.span(trace_id))
    case, _ = promoting.promote_trace(eval_set, reading.load(project, UUID(hex=trace_id)))
    assert [d["id"] for d in case.context] == ["policy-118"]
    assert case.tool_calls["recorded"] == [
        {
            "id": "call_1",
            "name": "get_booking",
            "arguments": {"pnr": "X7K2QD"},
            "result": {"fare": "418.60"},
        }
    ]


def test_promoting_makes_the_trace_promoted_and_removing_takes_it_back(project, eval_set):
    trace = failing_trace(project)
    trace_id = UUID(hex=trace.summary.trace_id)
    promoting.promote_trace(eval_set, trace)
    assert Arrival.objects.get(trace_id=trace_id).dirty_seq is not None
    factory.digest_now(project, trace.summary.trace_id)
    assert Trace.objects.get(project_id=project.pk, trace_id=trace_id).promoted
    actions.remove_case(eval_set, 1)
    factory.digest_now(project, trace.summary.trace_id)
    assert not Trace.objects.get(project_id=project.pk, trace_id=trace_id).promoted


def test_sets_say_their_versions_and_draft_in_few_queries(
    project, eval_set, django_assert_max_num_queries
):
    actions.add_case(eval_set, content("one"))
    actions.fix(eval_set)
    actions.add_case(eval_set, content("two"))
    actions.create_set(project, "Second")
    with django_assert_max_num_queries(3):
        first, second = [querysets.set_json(s) for s in querysets.sets(project)]
    assert first["draft"] == {"version": 2, "cases": 2}
    assert [v["version"] for v in first["versions"]] == [1]
    assert second["draft"] == {"version": 1, "cases": 0}
