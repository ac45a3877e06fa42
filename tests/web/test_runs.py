"""The pages of runs: who may, what they show, and how many queries they take."""

from __future__ import annotations

import html
import re

import pytest

from tests import trace_factory as factory
from tests.web import run_story, stories
from tracehub.core import gate_rules, gating
from tracehub.core.outcomes import CHANGES
from tracehub.evals import querysets, run_actions, run_querysets
from tracehub.evals.models import Run, RunResult
from tracehub.projects.models import AuditEntry
from tracehub.web import run_cases
from tracehub.web.word_diff import compare

SET = "/skylane/evals/refund-regressions"


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def broken(project):
    return run_story.history(project)[1]


@pytest.fixture
def reviewer(project, client):
    client.force_login(stories.member(project, "reviewer"))
    return client


@pytest.fixture
def admin(project, client):
    client.force_login(stories.member(project, "admin"))
    return client


def test_the_set_shows_the_gate_of_its_newest_run(reviewer, broken, django_assert_max_num_queries):
    with django_assert_max_num_queries(26):
        page = reviewer.get(SET).text
    assert "GATE FAILED: 2 known failures regressed: c_0001, c_0002" in page
    assert "refund v12" in page
    assert "−2, 2 regressed" in page
    assert "Run v1<kbd" in page
    assert "Override with a reason" not in page  # for admins
    assert page.count('aria-label="run 1: pass, run 2: pass, run 3: fail"') == 2
    assert "run 1: pass, run 2: pass, run 3: flaky" in page
    assert page.count(">Regressed</span>") == 2
    assert 'runs/3?only=regressed" data-key="o">Show the 2</a>' in page
    row = page.split("Cost, median latency")[1].split("</tr>")[0]
    assert re.findall(r">([^<>]+)<", row) == ["$0.0194, 6.1 s", "$0.0194, 6.1 s", "+0%, +0%"]
    listed = reviewer.get(f"{SET}/runs/3?only=regressed").text
    assert "Regressed 2</a>" in listed
    assert "My father passed away" not in listed
    assert "Cannot tell with 6 cases" in listed
    assert "Find 44 candidates" in listed


def test_a_set_without_runs_says_how_to_run(reviewer, project):
    run_story.refunds(project)
    page = reviewer.get(SET).text
    assert "No run of v1 yet." in page
    assert "tracehub run refund-regressions@1" in page
    assert "run comparison" not in page.lower()


def test_a_run_shows_what_failed_first_and_the_words_that_differ(
    reviewer, broken, django_assert_max_num_queries
):
    with django_assert_max_num_queries(28):
        page = reviewer.get(f"{SET}/runs/3").text
    assert page.index("I was charged twice") < page.index("Refund a single Economy")
    assert "<mark>38</mark>" in page
    assert "<mark>76</mark>" in page
    assert "Flaky 1 of 2" in page
    assert "Still failing" not in page
    fixed = reviewer.get(f"{SET}/runs/3?only=fixed").text
    assert "My father passed away" in fixed
    assert "Refund quote" not in fixed
    other = reviewer.get(f"{SET}/runs/3?baseline=2&case=c_0005").text
    assert "Baseline run 2" in other
    assert "Refund quote for a booking in NOK, see the attachment." in other


def test_the_junit_file_comes_as_a_download(reviewer, broken):
    file = reviewer.get(f"{SET}/runs/3/junit")
    assert file.headers["Content-Disposition"] == (
        'attachment; filename="refund-regressions-run-3.xml"'
    )
    assert '<failure type="regression"' in file.text


@pytest.mark.parametrize(
    "path", ["/runs/9", "/runs/9/junit", "/runs/3?baseline=77", "/runs/3?baseline=x"]
)
def test_what_is_not_there_is_404(reviewer, broken, path):
    assert reviewer.get(SET + path).status_code == 404


def test_outsiders_and_other_projects_find_no_run(client, broken):
    other = stories.project("other")
    client.force_login(stories.member(other, "admin", "out@side.example"))
    assert client.get(f"{SET}/runs/3").status_code == 404
    assert client.get("/other/evals/refund-regressions/runs/3").status_code == 404


def test_an_admin_overrides_with_a_reason_that_the_audit_log_keeps(admin, broken):
    short = admin.post(f"{SET}/runs/3/override", {"reason": "ok"}, follow=True)
    assert "reason must have 10 to 2000 characters" in short.text
    done = admin.post(f"{SET}/runs/3/override", {"reason": "Fix is due in v14."}, follow=True)
    assert "GATE PASSED: overridden by admin@skylane.example" in done.text
    broken.refresh_from_db()
    assert (broken.verdict, broken.fit) == ("passed", True)
    entry = AuditEntry.objects.get(action="gate.overridden")
    assert entry.detail == {"before": "failed", "reason": "Fix is due in v14."}
    undone = admin.post(f"{SET}/runs/3/override/undo", follow=True)
    assert "GATE FAILED" in undone.text
    assert AuditEntry.objects.filter(action="gate.override_withdrawn").exists()


def test_a_reviewer_may_not_override(reviewer, broken):
    assert reviewer.post(f"{SET}/runs/3/override", {"reason": "x" * 20}).status_code == 403
    assert "Override gate" not in reviewer.get(f"{SET}/runs/3").text


def test_rules_are_changed_and_the_newest_runs_decided_again(reviewer, broken):
    page = reviewer.get(f"{SET}/gate").text
    assert 'name="floor_format" value="100.0"' in page
    wrong = reviewer.post(f"{SET}/gate", {"minimum": 0, "retries": 1, "floor_format": 101})
    assert wrong.status_code == 422
    assert "less than or equal to 100" in wrong.text
    done = reviewer.post(f"{SET}/gate", {"minimum": 0, "retries": 2}, follow=True)
    assert "GATE PASSED" in done.text
    broken.refresh_from_db()
    assert broken.verdict == "passed"
    assert AuditEntry.objects.get(action="gate.rules").detail["after"]["retries"] == 2


def test_hostile_outputs_and_names_stay_text(reviewer, project):
    attack = "<script>window.attacked = 1</script> {{ 7 }} " + "\x1b[31m"
    eval_set = run_story.refunds(project)
    run_story.run(eval_set, attack, wrong=[1], output=attack, branch=attack[:40], commit=attack[:9])
    for path in ("", "/runs/1", "/runs/1?case=c_0001&only=failed"):
        page = reviewer.get(SET + path).text
        assert "<script>window" not in page
        assert "\x1b" not in page


def test_a_run_of_an_empty_baseline_is_undecided_but_may_be_one(project):
    eval_set = run_story.refunds(project)
    first = run_story.run(eval_set, "first", branch="main")
    assert (first.verdict, first.fit) == ("undecided", True)
    bad = run_story.run(eval_set, "bad", wrong=[5], branch="main")  # below the floor of format
    assert (bad.verdict, bad.fit) == ("failed", False)
    assert Run.objects.count() == 2
    run_actions.set_rules(eval_set, run_story_rules(), by=None)
    bad.refresh_from_db()
    assert (bad.verdict, bad.fit) == ("passed", True)


def run_story_rules():
    from tracehub.core import gate_rules

    return gate_rules.read({"block": False, "floors": {"known_failure": None, "format": None}})


def test_lines_are_compared_by_words():
    left, right = compare(["same", "a b c", "gone"], ["same", "a x c"])
    assert [line.differs for line in left] == [False, True, True]
    assert left[1].runs == (("a ", False), ("b", True), (" c", False))
    assert right[1].runs == (("a ", False), ("x", True), (" c", False))
    long = [str(n) for n in range(500)]
    assert not any(line.differs for line in compare(long, ["0"])[0])


def test_an_answer_is_accepted_as_expected_in_the_draft_and_taken_back(reviewer, broken):
    def expected(number=1):
        rows = querysets.in_version(broken.eval_set, querysets.draft_number(broken.eval_set))
        return rows.get(number=number).expected_output

    assert "Accept as expected" in reviewer.get(f"{SET}/runs/3?case=c_0001").text
    reviewer.post(f"{SET}/runs/3/accept/c_0001")
    assert expected() == run_story.WRONG
    reviewer.post(f"{SET}/runs/3/accept/c_0001/undo")
    assert expected() == run_story.EXPECTED
    assert "try 1 of 2" in reviewer.get(f"{SET}/runs/3?case=c_0004").text
    reviewer.post(f"{SET}/runs/3/accept/c_0004")
    assert expected(4) == run_story.WRONG  # of the try that is shown, not of the last one
    assert reviewer.post(f"{SET}/runs/3/accept/c_0099").status_code == 404


def test_further_cases_of_a_run_come_after_the_last_one(reviewer, broken, monkeypatch):
    monkeypatch.setattr(run_cases, "PAGE", 2)
    page = reviewer.get(f"{SET}/runs/3").text
    assert "after=c_0002" in page
    rest = reviewer.get(f"{SET}/runs/3?after=c_0002", headers={"HX-Request": "true"}).text
    assert "Flaky 1 of 2" in rest
    assert "I was charged twice" not in rest
    assert "<html" not in rest
    assert "Refund quote" in reviewer.get(f"{SET}/runs/3?case=c_0005").text


def test_a_page_decides_nothing_anew_and_lists_as_a_fresh_comparison_does(
    reviewer, broken, monkeypatch, django_assert_max_num_queries
):
    run = Run.objects.select_related("eval_set").get(pk=broken.pk)
    baseline = run_querysets.kept_baseline(run)
    fresh = run_cases.Compared(run_querysets.gate(run, baseline))
    kept = run_cases.Kept(run)
    assert (kept.total, kept.counts) == (fresh.total, fresh.counts)
    for only in ("", *run_cases.ONLY):
        listed, more = kept.page(only, None)
        assert (listed, more) == fresh.page(only, None)
        for place in listed:
            assert kept.beside(only, place) == fresh.beside(only, place)
            assert kept.page(only, place) == fresh.page(only, place)
    monkeypatch.setattr(gating, "decide", None)
    with django_assert_max_num_queries(24):
        page = reviewer.get(f"{SET}/runs/{run.number}?only=failed").text
    assert "GATE FAILED" in page


def test_cases_rank_anew_when_a_rule_takes_the_baseline_away(project):
    made = run_story.refunds(project)
    run_story.run(made, "first", wrong=(4,), baseline=True)
    run = run_story.run(made, "second", wrong=(1,))
    ranked = RunResult.objects.filter(run=run).order_by("rank", "number")
    assert [(r.number, CHANGES[r.rank]) for r in ranked[:2]] == [(1, "regressed"), (4, "fixed")]
    run_actions.set_rules(made, gate_rules.read({"floors": {"success": 100}}))
    assert [(r.number, CHANGES[r.rank]) for r in ranked[:2]] == [(1, "failed"), (2, "only_run")]


def test_a_run_says_how_to_run_it_again_and_a_case_how_it_did(reviewer, broken):
    broken.name = "it's v13"
    broken.save()
    page = html.unescape(reviewer.get(f"{SET}/runs/{broken.number}").text)
    assert "tracehub run refund-regressions@1" in page
    assert """--name 'it'"'"'s v13'""" in page
    assert "--prompt-version refund@v13" in page
    case = reviewer.get(f"{SET}/cases/c_0001?version=1").text
    assert "Runs of this case" in case
    found = re.findall(r">Run (\d)</a>.*?data-tone=\"(\w+)\">(\w+)<", case)
    assert found == [("3", "fail", "fail"), ("2", "pass", "pass"), ("1", "pass", "pass")]


def test_a_trace_sent_during_a_run_and_its_answer_lead_to_each_other(reviewer, project):
    eval_set = run_story.refunds(project)
    sent, never = factory.trace(project), "ee" * 16
    results = [{"case": "c_0002", "passed": False, "trace_id": one} for one in (never, sent)]
    body = {"version": 1, "candidate": {"name": "v13"}, "results": results}
    run_actions.add_run(eval_set, body)
    page = reviewer.get(f"{SET}/runs/1?case=c_0002").text
    assert f'href="/skylane/traces/{sent}" aria-label="Trace of try 2">2</a>' in page
    assert never not in page  # it never came
    trace = reviewer.get(f"/skylane/traces/{sent}").text
    assert f'href="{SET}/runs/1?case=c_0002" title="Refund regressions">' in trace
    assert ">c_0002 in run 1</a>" in trace
    other = factory.trace(project)
    assert "in run 1" not in reviewer.get(f"/skylane/traces/{other}").text
