"""`tracehub run` and `tracehub gate` as CI uses them: over HTTP with a key, and locally."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.etree import ElementTree

import pytest

from tests import server
from tracehub.core import cases
from tracehub.evals import actions
from tracehub.evals.models import Run
from tracehub.projects.actions import create_key, create_project

pytestmark = pytest.mark.processes
PROGRAM = """
import json, os, pathlib, sys
case = json.load(sys.stdin)
here = pathlib.Path(os.environ["PLACE"])
with (here / "asked").open("a") as file:
    file.write(case["id"] + "\\n")
assert os.environ["TRACEHUB_CASE"] == case["id"]
mode = (here / "mode").read_text()
if mode == "crash" and case["id"] == "c_0003":
    sys.exit("while asking\\nout of tokens")
amount = "38 EUR" if mode == "broken" and case["kind"] == "known_failure" else 38
tried = (here / "asked").read_text().split().count(case["id"])
if mode == "flaky" and tried == 1 and case["id"] == "c_0001":
    amount = 76
print(json.dumps({"output": {"amount": amount}, "cost": 0.01, "tool_calls": []}))
"""


def content(kind: str, n: int):
    return cases.read({
        "kind": kind, "title": f"Seat 14C {n}", "input": {"variables": {"n": n}},
        "assertions": [{"type": "json_pointer_equals", "pointer": "/amount", "value": 38},
                       {"type": "max_cost", "usd": "0.02"}],
    })  # fmt: skip


@pytest.fixture
def project(committed_db):
    made = create_project("skylane")
    eval_set, _ = actions.create_set(made, "Refunds")
    kinds = ("known_failure", "success", "format")
    actions.add_cases(eval_set, [content(kind, n) for n in (1, 2) for kind in kinds])
    actions.fix(eval_set)
    return made


@pytest.fixture
def remote(project):
    """The environment of CI: an address and a key, no database."""
    with server.running() as url:
        yield {"TRACEHUB_URL": url, "TRACEHUB_API_KEY": create_key(project, "reviewer", "CI")[1]}


@pytest.fixture
def program(tmp_path):
    """A program whose answers follow the file `mode`; gives the option and the file."""
    (tmp_path / "program.py").write_text(PROGRAM)
    mode = tmp_path / "mode"
    mode.write_text("good")
    return f"{sys.executable} {tmp_path / 'program.py'}", mode


@pytest.fixture
def tracehub(run_command, folder, tmp_path):
    def call(*arguments: str, **env: str):
        here = {"TRACEHUB_DATA_DIR": str(folder), "PLACE": str(tmp_path)}
        return run_command(*arguments, **(here | env))

    return call


def test_a_program_breaks_fails_the_gate_and_passes_once_mended(
    tracehub, remote, program, tmp_path
):
    command, mode = program
    go = ("run", "refunds@1", "--command", command, "--concurrency", "2")
    first = tracehub(*go, "--branch", "main", **remote)
    assert (first.returncode, first.stdout) == (0, "1\n"), first.stderr
    assert "Run 1 of refunds@1: 6 of 6 cases passed." in first.stderr
    undecided = tracehub("gate", "refunds", **remote)
    assert (undecided.returncode, undecided.stdout) == (2, "undecided\n")
    assert "There is no baseline to compare with." in undecided.stderr
    mode.write_text("broken")
    assert tracehub(*go, "--prompt-version", "refund@v13", **remote).stdout == "2\n"
    files = ("--junit", f"{tmp_path}/g.xml", "--summary", f"{tmp_path}/g.md",
             "--json", f"{tmp_path}/g.json")  # fmt: skip
    failed = tracehub("gate", "refunds", *files, **remote)
    assert (failed.returncode, failed.stdout) == (1, "failed\n")
    assert "FAIL 2 known failures regressed: c_0001, c_0004." in failed.stderr
    found = json.loads((tmp_path / "g.json").read_text())
    assert (found["schema"], found["baseline"], found["counts"]["regressed"]) == (
        "tracehub.gate/1", 1, 2,
    )  # fmt: skip
    assert (tmp_path / "g.md").read_text().startswith("**GATE FAILED: 2 known failures regressed")
    assert ElementTree.parse(tmp_path / "g.xml").getroot().get("failures") == "4"
    mode.write_text("good")
    tracehub(*go, **remote)
    passed = tracehub("gate", "refunds", "--summary", f"{tmp_path}/g.md", **remote)
    assert (passed.returncode, passed.stdout) == (0, "passed\n"), passed.stderr
    assert "GATE FAILED" in (tmp_path / "g.md").read_text()  # a summary is appended
    assert tracehub("gate", "refunds", "--run", "2", "--baseline", "3", **remote).returncode == 1


def test_the_local_installation_does_the_same_without_a_server(
    tracehub, project, committed_db, program
):
    command, mode = program
    here = {"DATABASE_URL": committed_db}
    go = ("run", "refunds", "--command", command, "--project", "skylane")
    assert tracehub(*go, "--baseline", **here).returncode == 0
    mode.write_text("broken")
    tracehub(*go, **here)
    failed = tracehub("gate", "refunds", "--project", "skylane", **here)
    assert (failed.returncode, failed.stdout) == (1, "failed\n"), failed.stderr
    nowhere = tracehub("gate", "nothing", "--project", "skylane", **here)
    assert nowhere.returncode == 2
    assert "There is no eval set 'nothing' in project skylane." in nowhere.stderr


def test_a_flaky_case_is_tried_again_and_a_crash_is_an_error(tracehub, remote, program):
    command, mode = program
    mode.write_text("flaky")
    flaky = tracehub("run", "refunds", "--command", command, **remote)
    assert "6 of 6 cases passed, 1 flaky." in flaky.stderr
    mode.write_text("crash")
    crashed = tracehub("run", "refunds", "--command", command, "--retries", "0", **remote)
    assert "5 of 6 cases passed, 1 with an error." in crashed.stderr
    result = Run.objects.get(number=2).results.get(number=3)
    assert result.tries[0]["error"] == "The command exited with 1. out of tokens\nwhile asking"
    undecided = tracehub("gate", "refunds", "--baseline", "1", **remote)
    assert undecided.returncode == 2
    assert "1 of 6 cases gave an error or no result, more than 5 %." in undecided.stderr


def test_a_stopped_run_goes_on_where_it_was(tracehub, remote, project, program, tmp_path):
    command, _ = program
    go = ("run", "refunds", "--command", command, "--concurrency", "1")
    away = remote | {"TRACEHUB_API_KEY": create_key(project, "viewer", "no writing")[1]}
    refused = tracehub(*go, **away)  # every case ran, but nothing could be stored
    assert refused.returncode == 1
    assert "A key of scope viewer may not do this." in refused.stderr
    asked = (tmp_path / "asked").read_text()
    again = tracehub(*go, **remote)
    assert again.returncode == 0
    assert "Going on: 6 of 6 cases were done before." in again.stderr
    assert (tmp_path / "asked").read_text() == asked
    tracehub(*go, **remote)
    assert len((tmp_path / "asked").read_text().split()) == 12


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        case = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({"output": {"amount": 38}, "cost": "0.01"}).encode()
        status = 500 if case["id"] == "c_0006" else 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_an_endpoint_is_asked_by_post(tracehub, remote):
    with ThreadingHTTPServer(("127.0.0.1", 0), _Answers) as endpoint:
        threading.Thread(target=endpoint.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{endpoint.server_port}/answer?x=1"
        done = tracehub("run", "refunds", "--url", url, "--repeats", "2", **remote)
        endpoint.shutdown()
    assert "5 of 6 cases passed, 1 with an error." in done.stderr, done.stderr
    run = Run.objects.get()
    assert run.tries == 3  # two repeats and a retry of the one that failed
    assert run.results.get(number=6).tries[0]["error"].startswith("It answered 500.")


def test_results_of_other_tools_come_in_by_file(tracehub, remote, tmp_path):
    rows = [{"case": f"c_000{n}", "passed": n != 2} for n in range(1, 7)]
    (tmp_path / "r.jsonl").write_text("\n".join(map(json.dumps, rows)))
    done = tracehub("run", "refunds", "--results", f"{tmp_path}/r.jsonl", **remote)
    assert "5 of 6 cases passed." in done.stderr
    (tmp_path / "j.xml").write_text(
        '<testsuites><testsuite name="x"><testcase name="test[c_0001]" time="0.1"/>'
        "</testsuite></testsuites>"
    )
    done = tracehub("run", "refunds", "--results", f"{tmp_path}/j.xml", **remote)
    assert "1 of 1 cases passed, 5 without a result." in done.stderr
    (tmp_path / "bad.jsonl").write_text("{")
    bad = tracehub("run", "refunds", "--results", f"{tmp_path}/bad.jsonl", **remote)
    assert bad.returncode == 1
    assert "line 1 is not JSON" in bad.stderr


def test_sets_are_exported_over_http_too(tracehub, remote, tmp_path):
    lines = tracehub("export", "evals", "refunds", "--out", "-", **remote)
    assert len(lines.stdout.splitlines()) == 6, lines.stderr
    assert lines.stderr == "native: 6 cases; 0 lost\n"
    several = tracehub("export", "evals", "refunds@1", "--format", "promptfoo",
                       "--out", f"{tmp_path}/p", **remote)  # fmt: skip
    assert several.returncode == 0, several.stderr
    assert sorted(file.name for file in (tmp_path / "p").iterdir()) == [
        "promptfooconfig.yaml", "tests.jsonl", "tracehub_assert.cjs",
    ]  # fmt: skip
    missing = tracehub("export", "evals", "refunds@9", "--out", "-", **remote)
    assert missing.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "env", "message"),
    [
        (("run", "refunds"), {}, "Give one of --command, --url and --results."),
        (("run", "refunds@x", "--command", "a"), {}, "must be a number"),
        (("run", "refunds", "--url", "file:///etc/passwd"), {}, "must be an http or https"),
        (("gate", "refunds", "--baseline", "main"), {}, "must be auto or a number"),
        (("gate", "refunds"), {"TRACEHUB_API_KEY": ""}, "TRACEHUB_API_KEY is not"),
        (("gate", "refunds"), {"TRACEHUB_URL": "http://127.0.0.1:9"}, "cannot be reached"),
        (("gate", "refunds"), {"TRACEHUB_API_KEY": "th_api_x"}, "The key is not valid"),
        (("gate", "refunds", "--run", "99"), {}, "There is no such run"),
        (("gate", "refunds"), {}, "refunds has no run yet"),
    ],
)
def test_wrong_use_and_an_absent_server_exit_with_2(tracehub, remote, arguments, env, message):
    wrong = tracehub(*arguments, **(remote | env))
    assert wrong.returncode == 2, wrong.stderr
    assert message in wrong.stderr


def test_a_judge_scores_rubrics_when_there_is_one(tracehub, remote, program, project):
    class Judge(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert asked["model"] == "judge-1"
            score = 0.9 if "38" in asked["messages"][1]["content"] else 0.1
            reply = {"choices": [{"message": {"content": json.dumps({"score": score})}}]}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(reply).encode())

        def log_message(self, *_):
            pass

    eval_set, _ = actions.create_set(project, "Kind")
    rubric = {"type": "llm_rubric", "rubric": "It is kind.", "threshold": 0.8}
    actions.add_cases(eval_set, [cases.read({**content("success", 1), "assertions": [rubric]})])
    actions.fix(eval_set)
    command, _ = program
    skipped = tracehub("run", "kind", "--command", command, **remote)
    assert "0 of 0 cases passed, 1 without a result." in skipped.stderr
    with ThreadingHTTPServer(("127.0.0.1", 0), Judge) as judge:
        threading.Thread(target=judge.serve_forever, daemon=True).start()
        there = {"TRACEHUB_JUDGE_URL": f"http://127.0.0.1:{judge.server_port}/v1",
                 "TRACEHUB_JUDGE_MODEL": "judge-1"}  # fmt: skip
        judged = tracehub("run", "kind", "--command", command, **remote, **there)
        judge.shutdown()
    assert "1 of 1 cases passed." in judged.stderr, judged.stderr


ASKS_TOOL = """
import json, os, sys, urllib.error, urllib.request
case = json.load(sys.stdin)
def tool(name, **arguments):
    asked = json.dumps({"name": name, "arguments": arguments}).encode()
    try:
        with urllib.request.urlopen(os.environ["TRACEHUB_TOOLS_URL"], asked) as answer:
            return json.load(answer)["result"]
    except urllib.error.HTTPError as error:
        return error.code
print(json.dumps([tool("price", seat="14C"), tool("price", seat="1A"), tool("pay", n=7),
                  tool("fly")]))
"""


def test_recorded_tool_results_are_served_back(tracehub, remote, project, tmp_path):
    calls = [
        {"name": "price", "arguments": {"seat": "1A"}, "result": 90},
        {"name": "price", "arguments": {"seat": "14C"}, "result": 38},
        {"name": "pay", "arguments": {}, "result": {"paid": True}},
    ]
    eval_set, _ = actions.create_set(project, "Tools")
    case = {"input": {"variables": {"n": 1}}, "tool_calls": {"recorded": calls},
            "expected_output": [38, 90, {"paid": True}, 404]}  # fmt: skip
    actions.add_cases(eval_set, [cases.read(case)])
    actions.fix(eval_set)
    (tmp_path / "asks.py").write_text(ASKS_TOOL)
    done = tracehub("run", "tools", "--command", f"{sys.executable} {tmp_path}/asks.py", **remote)
    assert "1 of 1 cases passed." in done.stderr, Run.objects.get().results.get().tries


def test_a_run_stops_at_once_and_goes_on_later(remote, folder, tmp_path, wait_for):
    program = (
        "import json, pathlib, sys, time; case = json.load(sys.stdin); "
        f"pathlib.Path({str(tmp_path)!r}, case['id']).touch(); "
        "time.sleep(0 if case['id'] < 'c_0004' or len(sys.argv) > 1 else 300); print('{}')"
    )
    (tmp_path / "slow.py").write_text(program)
    words = [sys.executable, "-m", "tracehub.cli.main", "run", "refunds", "--concurrency", "2",
             "--retries", "0", "--timeout", "300"]  # fmt: skip
    env = os.environ | remote | {"TRACEHUB_DATA_DIR": str(folder)}
    command = ["--command", f"{sys.executable} {tmp_path}/slow.py"]
    # In the background of a shell, Ctrl-C is ignored by all that is started.
    begun = subprocess.Popen(
        words + command,
        env=env,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_for((tmp_path / "c_0005").exists, seconds=30)
        begun.send_signal(signal.SIGINT)
        _, said = begun.communicate(timeout=20)
    finally:
        begun.kill()
    assert begun.returncode == 1
    assert "Stopped after 3 of 6 cases. The same command goes on from here." in said
    assert not Run.objects.exists()
