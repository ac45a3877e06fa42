"""Erasure inside fixed versions: nothing of the person stays, ids and kinds do, hashes are kept."""

from __future__ import annotations

from uuid import UUID

import pytest

from tests.web import stories
from tracehub.core import cases
from tracehub.evals import actions, erasing, querysets, run_actions
from tracehub.evals.models import Case, RunResult
from tracehub.projects.models import AuditEntry

TRACE = "9f" * 16


def add(made, words, trace=None):
    return actions.add_case(made, cases.read({
        "kind": "risky_edge", "title": words, "expected_output": words,
        "input": {"messages": [{"role": "user", "content": words}]},
        "assertions": [{"type": "contains", "value": words}],
        "source": {"trace_id": trace} if trace else {}, "reviewer": words, "tags": [words],
    }))[0]  # fmt: skip


@pytest.mark.django_db
def test_a_case_is_emptied_in_every_version_and_the_versions_say_so(client):
    project = stories.project()
    made, _ = actions.create_set(project, "Refunds")
    add(made, "of nobody")
    first = actions.fix(made)
    number = add(made, "Ida Holm", TRACE).number
    second = actions.fix(made)
    change = cases.read_change({"title": "Ida Holm again", "source": {}})
    actions.update_case(made, number, change)
    third = actions.fix(made)
    results = [{"case": f"c_{number:04d}", "output": "Dear Ida Holm", "trace_id": TRACE}]
    run_actions.add_run(made, {"version": 2, "candidate": {"name": "v"}, "results": results})

    assert erasing.erase_traces(project, [UUID(TRACE)]) == 1
    assert erasing.erase_traces(project, [UUID(TRACE)]) == 0
    for row in Case.objects.filter(number=number):
        assert "Ida" not in str(querysets.content(row, "skylane"))
        assert (row.kind, row.case_id) == ("risky_edge", f"c_{number:04d}")
    assert "Ida" not in str(RunResult.objects.get().tries)
    assert RunResult.objects.get().status == "pass"  # what the run came to stays

    before = [first.content_hash, second.content_hash, third.content_hash]
    for version in (first, second, third):
        version.refresh_from_db()
    assert first.content_hash == before[0]
    assert first.redactions == []
    for version, old in ((second, before[1]), (third, before[2])):
        (told,) = version.redactions
        assert (told["old_hash"], told["new_hash"]) == (old, version.content_hash)
        assert told["old_hash"] != told["new_hash"]
    assert AuditEntry.objects.filter(action="evalset.redacted").count() == 2
    client.force_login(stories.member(project, "viewer"))
    page = client.get("/skylane/evals/refunds?version=2").text
    assert ">redacted</span>" in page
    assert ">redacted</span>" not in client.get("/skylane/evals/refunds?version=1").text
    assert client.get(f"/skylane/evals/refunds/cases/c_{number:04d}?version=2").status_code == 200


@pytest.mark.django_db
def test_the_answer_of_an_erased_trace_goes_and_the_other_tries_stay():
    project = stories.project()
    made, _ = actions.create_set(project, "Refunds")
    number = add(made, "of nobody").number
    actions.fix(made)
    tries = [{"case": f"c_{number:04d}", "output": said, "trace_id": trace}
             for said, trace in (("Dear Ida Holm", TRACE), ("Dear guest", "7c" * 16))]  # fmt: skip
    run_actions.add_run(made, {"version": 1, "candidate": {"name": "v"}, "results": tries})

    assert erasing.erase_traces(project, [UUID(TRACE)]) == 0  # no case came from it
    result = RunResult.objects.get()
    assert [one["output"] for one in result.tries] == [None, "Dear guest"]
    assert result.trace_ids == [UUID("7c" * 16)]
