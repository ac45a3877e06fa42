"""The commands beside `up`: while it runs, and without it."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from click.testing import CliRunner

from tracehub.cli.main import main

pytestmark = pytest.mark.processes
KEY = re.compile(r"th_(ing|api)_\w{10}_\w{38}\n")
TRACE = {
    "name": "airline-support",
    "model": "gpt-4o",
    "prompt": "refund@v12",
    "input": "Refund X7K2QD",
    "output": "=418.60 EUR",
}


def send(url: str, key: str, body: object) -> dict[str, object]:
    request = urllib.request.Request(
        f"{url}/api/v1/traces",
        data=json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def test_commands_start_the_database_for_themselves(run_command, home):
    here = ("--data", str(home))
    assert run_command("createproject", "land", "--name", "Landlane", *here).stdout == "land\n"
    taken = run_command("createproject", "land", *here)
    assert taken.returncode == 1
    assert taken.stderr == "Error: slug 'land' is taken.\n"
    assert run_command("prune", "--project", "land", *here).returncode == 0


def test_commands_work_while_up_runs(start_up, run_command, home, wait_for):
    up = start_up(home)
    here = ("--data", str(home))
    assert run_command("createproject", "sky", *here).stdout == "sky\n"
    made = run_command("createkey", "--project", "sky", "--scope", "ingest", *here)
    assert KEY.fullmatch(made.stdout)
    accepted = send(up.url, made.stdout.strip(), TRACE)
    assert accepted["accepted"] == 1

    def exported(*more: str) -> str:
        ask = ("export", "traces", "--project", "sky", "--out", "-", *more)
        done = run_command(*ask, *here)
        assert done.returncode == 0, done.stderr
        return done.stdout

    line = wait_for(exported, seconds=20, why="the trace in the export")
    trace = json.loads(line)
    assert trace["trace_id"] == accepted["trace_ids"][0]
    assert trace["spans"][0]["model"] == "gpt-4o"
    assert ",'=418.60 EUR," in exported("--format", "csv")
    assert exported("--q", "model:claude*") == ""
    assert exported("--q", "model:gpt*", "--from", "1h") == line
    person = run_command("createuser", "ann@example.com", "--project", "sky", *here)
    assert person.stdout.startswith(f"{up.url}/accounts/link/")
    assert len(person.stdout.splitlines()) == 1
    doctor = run_command("doctor", *here)
    assert doctor.returncode == 0, doctor.stdout
    assert f"process {up.process.pid}" in doctor.stdout
    unknown = run_command("createkey", "--project", "no", "--scope", "ingest", *here)
    assert unknown.returncode == 1
    assert "There is no project 'no'. Known: default, " in unknown.stderr
    wrong = run_command(
        "export", "traces", "--q", "modle:x", "--project", "sky", "--out", "-", *here
    )
    assert wrong.returncode == 2
    assert "Error: " in wrong.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("createkey", "--scope", "everything"),
        ("createuser", "ann@example.com", "--role", "admin"),
        ("up", "--port", "70000"),
        ("fly",),
    ],
)
def test_wrong_use_exits_with_2_and_says_how(folder, arguments):
    wrong = CliRunner().invoke(main, [*arguments, "--data", str(folder / "data")])
    assert wrong.exit_code == 2
    assert "Error: " in wrong.stderr
    assert not (folder / "data").exists()


@pytest.mark.parametrize(
    "command",
    ["up", "createuser", "createproject", "createkey", "prune", "doctor", "demo", "export evals",
     "export traces"],
)  # fmt: skip
def test_every_command_has_help_with_an_example_and_takes_data(command):
    shown = CliRunner().invoke(main, [*command.split(), "--help"], prog_name="tracehub")
    assert shown.exit_code == 0
    assert "Example:" in shown.stdout
    assert f"tracehub {command}" in shown.stdout
    assert "--data DIR" in shown.stdout
