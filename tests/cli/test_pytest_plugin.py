"""The pytest plug-in: cases become tests, answers a run."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests import server
from tracehub.core import cases
from tracehub.evals import actions
from tracehub.evals.models import Run
from tracehub.projects.actions import create_key, create_project

pytestmark = pytest.mark.processes
TESTS = """
def answer(case):
    n = case["input"]["variables"]["n"]
    if n == 3:
        raise RuntimeError("no tokens left")
    return {"amount": 76 if n == 2 else 38}

def test_amount(tracehub_case, tracehub_check):
    tracehub_check(answer(tracehub_case), cost="0.002", latency_ms=12)

def test_something_else():
    pass
"""


@pytest.fixture
def ci(committed_db):
    made = create_project("skylane")
    eval_set, _ = actions.create_set(made, "Refunds")
    wanted = {"type": "json_pointer_equals", "pointer": "/amount", "value": 38}
    contents = [
        cases.read({"kind": "success", "input": {"variables": {"n": n}}, "assertions": [wanted]})
        for n in (1, 2, 3)
    ]
    actions.add_cases(eval_set, contents)
    actions.fix(eval_set)
    with server.running() as url:
        yield {"TRACEHUB_URL": url, "TRACEHUB_API_KEY": create_key(made, "reviewer", "CI")[1]}


def run_pytest(folder, env, *options):
    clean = {k: v for k, v in os.environ.items()
             if not k.startswith(("TRACEHUB_", "DATABASE_", "DJANGO_"))}  # fmt: skip
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:django", "-p", "no:randomly", "-q", *options],
        check=False, capture_output=True, text=True, timeout=90, cwd=folder,
        env=clean | env | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip


PLUGIN = ("-p", "tracehub.cli.pytest_plugin")


def test_each_case_is_a_test_and_the_answers_a_run(ci, tmp_path):
    (tmp_path / "test_refunds.py").write_text(TESTS)
    done = run_pytest(
        tmp_path, ci, *PLUGIN, "--tracehub-set", "refunds", "--tracehub-name", "v13",
        "--tracehub-branch", "main",
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "2 failed, 2 passed" in done.stdout
    assert "test_refunds.py::test_amount[c_0002]" in done.stdout
    assert "a1: /amount must be 38. 76" in done.stdout
    assert "TraceHub: stored as run 1." in done.stdout
    run = Run.objects.get()
    assert (run.name, run.branch, run.passed, run.errors) == ("v13", "main", 1, 1)
    assert run.results.get(number=3).tries[0]["error"] == "no tokens left"
    assert run.results.get(number=1).tries[0]["cost"] == "0.002"


def test_without_the_option_the_tests_are_left_out_and_nothing_is_sent(ci, tmp_path):
    (tmp_path / "test_refunds.py").write_text(TESTS)
    done = run_pytest(tmp_path, ci, *PLUGIN)
    assert done.returncode == 0
    assert "1 passed, 1 skipped" in done.stdout
    assert not Run.objects.exists()


def test_an_unknown_set_is_wrong_use(ci, tmp_path):
    (tmp_path / "test_refunds.py").write_text(TESTS)
    done = run_pytest(tmp_path, ci, *PLUGIN, "--tracehub-set", "nothing")
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "There is no such eval set" in done.stderr
