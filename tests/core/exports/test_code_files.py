"""The code that exports ship, run as its users run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest

from tests.core.exports.conftest import TEXT, line
from tracehub.core.exports import Bundle, Tally, find
from tracehub.core.exports.promptfoo_helper import HELPER
from tracehub.core.exports.python_helper import CHECKS

CALL = {"name": "f", "arguments": {"a": 1, "b": {"c": [2]}}}
# assertion, output, whether it passes; tool calls are those of CALL
TABLE = [
    ({"type": "exact", "value": "23 KG"}, "23 kg", False),
    ({"type": "exact", "value": "23 KG", "ignore_case": True}, "23 kg", True),
    ({"type": "exact", "value": {"b": [2], "a": 1}}, '{"a": 1.0, "b": [2]}', True),
    ({"type": "exact", "value": {"a": 1}}, '{"a": true}', False),
    ({"type": "exact", "value": {"a": 1}}, "no JSON", False),
    ({"type": "regex", "pattern": "kg$", "ignore_case": True}, "23 KG", True),
    ({"type": "regex", "pattern": "kg$"}, "23 KG", False),
    (
        {"type": "json_pointer_equals", "pointer": "/r/a~1b/0", "value": 1},
        '{"r":{"a/b":[1]}}',
        True,
    ),
    ({"type": "json_pointer_equals", "pointer": "/r/x", "value": None}, '{"r":{}}', False),
    ({"type": "json_pointer_equals", "pointer": "/x", "value": 1}, '{"__proto__":{"x":1}}', False),
    ({"type": "tool_called", "name": "f", "arguments": {"b": {"c": [2]}}}, "", True),
    ({"type": "tool_called", "name": "f", "arguments": {"a": 1}, "match": "exact"}, "", False),
    ({"type": "tool_called", "name": "g"}, "", False),
    ({"type": "cites_document", "document": "p-22"}, "see p-22", True),
    ({"type": "cites_document", "document": "p"}, {"citations": [{"id": "p"}]}, True),
    ({"type": "cites_document", "document": "p-23"}, '{"citations": ["p-22"]}', False),
]
ONLY_PYTHON = [
    ({"type": "contains", "value": "23 KG", "ignore_case": True}, "the 23 kg", True),
    ({"type": "not_contains", "value": "sorry"}, "Sorry", True),
    ({"type": "max_cost", "usd": "0.05"}, "", True),
    ({"type": "max_latency", "ms": 100}, "", False),
]


@pytest.mark.parametrize(("assertion", "output", "passes"), TABLE + ONLY_PYTHON)
def test_the_python_checks_agree_with_the_table(assertion, output, passes):
    space: dict = {"__name__": "tracehub_checks"}
    exec(CHECKS, space)
    said = space["check"](assertion, output, tool_calls=[CALL], cost=0.04, latency_ms=2500)
    assert (said is None) is passes, said


def test_what_python_cannot_check_is_said_and_does_not_pass():
    space: dict = {"__name__": "tracehub_checks"}
    exec(CHECKS, space)
    for assertion in ({"type": "max_cost", "usd": "1"}, {"type": "llm_rubric", "rubric": "x"}):
        with pytest.raises(space["CannotCheck"]):
            space["check"](assertion, "x")


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
def test_the_javascript_checks_agree_with_the_table(tmp_path):
    (tmp_path / "tracehub_assert.cjs").write_text(HELPER)
    calls = [{"function": {"name": "f", "arguments": json.dumps(CALL["arguments"])}}]
    rows = [[a, calls if a["type"] == "tool_called" else output] for a, output, _ in TABLE]
    code = (
        "const check = require('./tracehub_assert.cjs');"
        "const rows = JSON.parse(require('fs').readFileSync(0));"
        "console.log(JSON.stringify(rows.map(([a, o]) => check(o, {config: a}).pass)))"
    )
    done = subprocess.run(
        ["node", "-e", code], input=json.dumps(rows).encode(), cwd=tmp_path, check=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert json.loads(done.stdout) == [passes for _, _, passes in TABLE]


PROGRAM = """
import json, sys
case = json.load(sys.stdin)
json.dump({"output": case["expected_output"] if sys.argv[1] == "right" else "?"}, sys.stdout)
"""


@pytest.mark.parametrize(("answers", "code", "failures"), [("right", 0, 0), ("wrong", 1, 1)])
def test_the_pytest_files_run_a_program_and_name_cases(tmp_path, answers, code, failures):
    content = {**TEXT, "assertions": [{"type": "contains", "value": "23 kg"}]}
    bundle = Bundle("refund-regressions", 3, [line(content, 1)])
    for name, pieces in find("pytest").write(bundle, Tally()):
        (tmp_path / name).write_bytes(b"".join(pieces))
    (tmp_path / "program.py").write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly",
         "--strict-markers", "--junitxml=j.xml"],
        cwd=tmp_path, stdout=subprocess.PIPE,
        env={"PATH": "", "TRACEHUB_COMMAND": f"{sys.executable} program.py {answers}"},
    )  # fmt: skip
    assert done.returncode == code, done.stdout
    suite = ElementTree.parse(tmp_path / "j.xml").getroot().find("testsuite")
    assert suite.get("failures") == str(failures)
    assert suite.find("testcase").get("name") == "test_case[c_0001]"
    properties = {p.get("name"): p.get("value") for p in suite.iter("property")}
    assert properties["tracehub_case"] == "c_0001"
