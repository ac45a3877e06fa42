"""Any order of adding, changing, removing, restoring and fixing, against a model in memory."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracehub.core import cases
from tracehub.evals import actions, querysets
from tracehub.projects.actions import ActionError
from tracehub.projects.models import Project

_names = count(1)
steps = st.lists(
    st.tuples(
        st.sampled_from(["add", "add", "update", "remove", "restore", "fix"]), st.integers(1, 4)
    ),
    max_size=14,
)


def content(title: str) -> cases.Case:
    return cases.read({"input": {"variables": {"title": title}}, "title": title})


def titles(eval_set, version: int) -> dict[int, str]:
    return {case.number: case.title for case in querysets.in_version(eval_set, version)}


def take(step: str, number: int, eval_set, draft: dict[int, str], gone: dict[int, str]) -> None:
    """Do one step to the set and to the model of its draft; refusals must agree."""
    title = f"title {next(_names)}"
    if step == "add":
        draft[actions.add_case(eval_set, content(title))[0].number] = title
    elif step == "restore":
        if number in draft or number in gone:
            actions.restore_case(eval_set, number)
            draft.setdefault(number, gone.get(number))
        else:
            with pytest.raises(ActionError):
                actions.restore_case(eval_set, number)
    elif number not in draft:
        with pytest.raises(ActionError):
            actions.remove_case(eval_set, number)
    elif step == "update":
        actions.update_case(eval_set, number, {"title": title})
        draft[number] = title
    else:
        actions.remove_case(eval_set, number)
        gone[number] = draft.pop(number)


@pytest.mark.django_db
@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps)
def test_the_draft_follows_every_step_and_fixed_versions_follow_none(taken):
    project = Project.objects.create(slug=f"p{next(_names)}", name="P")
    eval_set, _ = actions.create_set(project, "Set")
    draft: dict[int, str] = {}
    gone: dict[int, str] = {}
    fixed: list[dict[int, str]] = []
    for step, number in taken:
        if step != "fix":
            take(step, number, eval_set, draft, gone)
        elif draft and querysets.draft_changes(eval_set):
            actions.fix(eval_set)
            fixed.append(dict(draft))
        else:
            with pytest.raises(ActionError):
                actions.fix(eval_set)
        assert titles(eval_set, len(fixed) + 1) == draft
        assert [titles(eval_set, n + 1) for n in range(len(fixed))] == fixed
    removed = {case.number for case in querysets.removed_from_draft(eval_set)}
    assert removed.isdisjoint(draft)
    assert (fixed[-1].keys() if fixed else set()) - draft.keys() <= removed
