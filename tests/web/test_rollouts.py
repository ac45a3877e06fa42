"""The rollout page: a version goes from internal to canary, is stopped, and goes back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from tests.web import run_story, stories
from tracehub.core import rollup as core
from tracehub.evals import rollouts
from tracehub.evals.models import Rollout
from tracehub.metrics import rollup
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry
from tracehub.traces.models import PromptVersion

PAGE = "/skylane/rollout"
START = {"candidate": "refund@v13", "control": "refund@v12", "eval_set": "refund-regressions",
         "limit": "2"}  # fmt: skip


@pytest.fixture
def project(db):
    found = stories.project()
    for n, version in enumerate(("v12", "v13")):
        PromptVersion.objects.create(
            project=found, name="refund", version=version,
            first_seen_at=datetime.now(UTC) - timedelta(days=9 - n),
        )  # fmt: skip
    return found


@pytest.fixture
def eval_set(project):
    return run_story.refunds(project)


@pytest.fixture
def reviewer(project, client):
    client.force_login(stories.member(project, "reviewer"))
    return client


def serve(project, version, *, traces, failing):
    """Serve traces now, the first `failing` of which fail."""
    facts = [
        core.ContributionFacts(
            project_id=project.pk, started_at=datetime.now(UTC), name="support", cohort="canary",
            by_prompt={f"refund@{version}": {"calls": 1}}, duration_ns=10**9, failing=n < failing,
        )
        for n in range(traces)
    ]  # fmt: skip
    with connection.cursor() as cursor:
        rollup.append(cursor, [(project.pk, None, core.contribution(one)) for one in facts])
        rollup.fold(cursor)


def passed(eval_set):
    run_story.run(eval_set, "v12", branch="main", prompt_version="refund@v12")
    run_story.run(eval_set, "v13", branch="feature", prompt_version="refund@v13")


def test_without_rollouts_the_page_says_what_one_is(reviewer, project):
    page = reviewer.get(PAGE).text
    assert "No rollout yet" in page
    assert "Make one first" in page
    assert reviewer.get(f"{PAGE}?id=7").status_code == 404


def test_a_version_goes_on_behind_its_gates_and_back_with_its_failing_cases(
    reviewer, project, eval_set, django_assert_max_num_queries
):
    assert reviewer.post(PAGE, START).status_code == 302
    assert "No run of refund-regressions has the prompt version refund@v13 yet" in (
        reviewer.get(PAGE).text
    )
    refused = reviewer.post(f"{PAGE}/1/move", {"do": "on", "reason": "I say so"}, follow=True)
    assert "Only an admin may go on." in refused.text
    passed(eval_set)
    assert "GATE TO CANARY PASSED" in reviewer.get(PAGE).text
    reviewer.post(f"{PAGE}/1/move", {"do": "on"})
    assert Rollout.objects.get().stage == "canary"
    served = reviewer.get(f"{PAGE}/flags.json").json()["flags"]["prompt.refund"]
    assert served["targeting"]["if"][0]["in"][1] == ["internal", "canary"]

    serve(project, "v12", traces=60, failing=0)
    serve(project, "v13", traces=60, failing=20)
    with django_assert_max_num_queries(35):
        page = reviewer.get(PAGE).text
    assert "GATE TO ALL FAILED" in page
    assert "Held by the stop rule" in page
    assert "Limit +2 pts, now +33.3 pts" in page
    assert "Failing rate" in page
    run_story.run(eval_set, "v13b", wrong=[2], prompt_version="refund@v13")
    assert "Got 3" in reviewer.post(f"{PAGE}/1/move", {"do": "back", "reason": "bad"},
                                    follow=True).text  # fmt: skip
    reviewer.post(f"{PAGE}/1/move", {"do": "back", "reason": "Amounts come back as text"})
    page = reviewer.get(PAGE).text
    assert "Everyone gets refund@v12." in page
    assert "Amounts come back as text" in page
    assert "/evals/refund-regressions/runs/3?case=c_0002" in page
    assert AuditEntry.objects.filter(action="rollout.moved").count() == 3
    reviewer.post(f"{PAGE}/1/undo")
    assert Rollout.objects.get().stage == "canary"


def test_only_an_admin_goes_on_against_the_gate_and_says_why(project, eval_set, client):
    rollout = rollouts.start(project, eval_set, "refund@v13", "refund@v12")
    client.force_login(stories.member(project, "admin"))
    assert "Why go on?" in client.get(PAGE).text
    client.post(f"{PAGE}/1/move", {"do": "on", "reason": "short"})
    rollout.refresh_from_db()
    assert rollout.stage == "internal"
    client.post(f"{PAGE}/1/move", {"do": "on", "reason": "The set has no runs in this branch"})
    rollout.refresh_from_db()
    assert rollout.stage == "canary"
    assert rollout.steps.last().gate[0]["ok"] is None


def test_a_bad_pair_or_a_second_rollout_is_refused_in_place(reviewer, project, eval_set):
    answer = reviewer.post(PAGE, START | {"control": "refund@v13"})
    assert answer.status_code == 422
    assert "control must be another version of the same prompt" in answer.text
    reviewer.post(PAGE, START)
    assert "refund@v13 is still in the stage internal" in reviewer.post(PAGE, START).text


def test_programs_read_rollouts_and_flags_with_a_viewer_key(project, eval_set, client):
    rollouts.start(project, eval_set, "refund@v13", "refund@v12")
    key = actions.create_key(project, "viewer", "flags")[1]
    found = client.get("/api/v1/rollouts", headers={"authorization": f"Bearer {key}"}).json()
    assert found["items"][0] | {"id": 0} == {
        "id": 0, "prompt": "refund", "candidate": "refund@v13", "control": "refund@v12",
        "stage": "internal", "eval_set": "refund-regressions", "limit": 0.02,
    }  # fmt: skip
    told = client.get("/api/v1/rollouts/flags", headers={"authorization": f"Bearer {key}"}).json()
    assert told["flags"]["prompt.refund"]["defaultVariant"] == "control"
