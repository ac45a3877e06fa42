"""A failure found once never ships again: trace, case, fixed version, gate; browser and CI."""

from __future__ import annotations

import json
import sys

import pytest
from django.db import transaction
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import stories
from tracehub.projects.actions import create_key

pytestmark = [pytest.mark.browser, pytest.mark.processes]
CORRECT = {"refund": {"amount": 418.6, "method": "original_payment"}}
PROGRAM = """
import json, pathlib, sys
case = json.load(sys.stdin)
assert case["input"]["messages"][-1]["content"]
print(pathlib.Path(sys.argv[1]).read_text())
"""


@pytest.fixture
def project(committed_db):
    return stories.project()


@pytest.fixture
def signed(project):
    with server.running() as base, chromium() as browser:
        one = Signed(browser, base, stories.member(project, "admin"), width=1440, dark=False)
        yield one
        one.context.close()


@pytest.fixture
def ci(run_command, project, signed, folder, tmp_path):
    """`ci("gate", …)`: the command as CI runs it, and `answers`: what the program says."""
    (tmp_path / "program.py").write_text(PROGRAM)
    key = create_key(project, "reviewer", "CI")[1]
    env = {"TRACEHUB_URL": signed.base, "TRACEHUB_API_KEY": key, "TRACEHUB_DATA_DIR": str(folder)}
    answers = tmp_path / "answers.json"
    command = f"{sys.executable} {tmp_path / 'program.py'} {answers}"

    def run(answer: object, *options: str) -> None:
        answers.write_text(json.dumps(answer))
        done = run_command("run", "refunds", "--command", command, *options, **env)
        assert done.returncode == 0, done.stderr

    def gate(*options: str) -> tuple[int, str]:
        done = run_command("gate", "refunds", *options, **env)
        return done.returncode, done.stderr

    return run, gate


def test_a_failing_trace_becomes_a_gate_that_fails_until_the_program_is_mended(signed, project, ci):
    run, gate = ci
    with transaction.atomic():
        trace_id = stories.refund_trace(project)
    promote(signed, trace_id)
    assert gate()[0] == 2  # nothing ran yet

    # The program still has the fault of the trace: the known failure fails.
    broken = json.loads(stories.REPLY)
    run(broken, "--branch", "main")
    code, said = gate()
    assert code == 1, said
    assert "FAIL Known failures: 0 of 1 passed" in said

    # Mended, it passes against that run, and is the baseline of what follows.
    run(CORRECT, "--branch", "main", "--prompt-version", "refund@v13")
    assert gate("--baseline", "1")[0] == 0
    run(broken, "--branch", "feature", "--prompt-version", "refund@v14")
    code, said = gate()
    assert code == 1, said
    assert "FAIL 1 known failure regressed: c_0001." in said
    page = signed.open("/skylane/evals/refunds")
    expect(page.locator(".gate__verdict")).to_contain_text("GATE FAILED: 1 known failure regressed")
    page.get_by_role("link", name="Show the 1").click()
    expect(page.locator(".versus-io mark", has_text="EUR")).to_be_visible()

    run(CORRECT, "--branch", "feature", "--prompt-version", "refund@v15")
    assert gate()[0] == 0
    page = signed.open("/skylane/evals/refunds/runs/4")
    expect(page.locator(".gate__note")).to_contain_text("GATE PASSED")
    assert signed.errors == []


def promote(signed: Signed, trace_id: str) -> None:
    """Mark the trace as failed with its corrected output, keep it as a case, fix version 1."""
    page = signed.open("/skylane/evals")
    page.get_by_label("Name", exact=True).fill("Refunds")
    page.get_by_role("button", name="Make set").click()
    page.wait_for_url("**/evals/refunds*")
    page = signed.open(f"/skylane/traces/{trace_id}?span=0000000100000009")
    page.keyboard.press("f")
    page.locator("#new-mode").fill("Wrong amount")
    page.keyboard.press("Enter")
    page.get_by_text("Corrected output").first.click()
    page.locator("#corrected").fill(json.dumps(CORRECT))
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#toast")).to_contain_text("Marked as fail")
    page = signed.open("/skylane/evals/refunds?version=draft")
    page.get_by_text("Fix v1", exact=True).click()
    page.get_by_role("button", name="Fix 1 case as v1").click()
    expect(page.locator("#toast")).to_contain_text("Fixed as v1")
