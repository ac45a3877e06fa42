"""`pytest --tracehub-set SET`: each case a parametrised test, the results a run.

A test that takes `tracehub_case` runs once per case; `tracehub_check(output)` holds an answer
against its assertions. The cases come from, and the run goes to, whatever `tracehub` itself uses:
the server that TRACEHUB_URL names, else the local installation, in a process of its own so that
nothing meets the Django of the tests.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from decimal import Decimal
from typing import Any

import pytest

RESULTS = pytest.StashKey[list[dict[str, Any]]]()
CASES = pytest.StashKey[list[dict[str, Any]]]()
RUN_ID = pytest.StashKey[str]()
OPTIONS = ("name", "branch", "commit", "project")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options, which all begin with --tracehub."""
    group = parser.getgroup("tracehub", "eval sets of TraceHub")
    group.addoption("--tracehub-set", metavar="SET[@VERSION]", help="Run tests over its cases.")
    for name in OPTIONS:
        group.addoption(f"--tracehub-{name}", metavar=name.upper(), help=f"The run's {name}.")


def pytest_configure(config: pytest.Config) -> None:
    """Load the cases, once, before tests are collected."""
    config.stash[RESULTS] = []
    config.stash[CASES] = []
    if wanted := config.getoption("--tracehub-set"):
        lines = _tracehub(config, "export", "evals", wanted, "--format", "native", "--out", "-")
        config.stash[CASES] = [json.loads(line) for line in lines.splitlines() if line]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test that takes `tracehub_case` one call per case, whose id is the case's."""
    if "tracehub_case" in metafunc.fixturenames:
        cases = metafunc.config.stash[CASES]
        metafunc.parametrize("tracehub_case", cases, ids=[case["id"] for case in cases])


@pytest.fixture
def tracehub_check(
    request: pytest.FixtureRequest,
    tracehub_case: dict[str, Any],
    record_property: Callable[[str, object], None],
) -> Callable[..., None]:
    """`tracehub_check(output, tool_calls=(), cost=None, latency_ms=None, trace_id=None)`.

    Notes the answer for the run, and fails the test when an assertion of the case fails. Without
    `latency_ms` the time since the test began counts.
    """
    from tracehub.core.assess.checks import Answer
    from tracehub.core.assess.tries import judge_answer

    begun = time.perf_counter()
    record_property("tracehub_case", tracehub_case["id"])
    results = request.config.stash[RESULTS]

    def check(
        output: Any,
        *,
        tool_calls: Sequence[dict[str, Any]] = (),
        cost: Decimal | float | str | None = None,
        latency_ms: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        took = (time.perf_counter() - begun) * 1000 if latency_ms is None else latency_ms
        known = None if cost is None else Decimal(str(cost))
        answer = Answer(output, list(tool_calls), known, took)
        status, said = judge_answer(tracehub_case, answer)
        result = {
            "case": tracehub_case["id"], "output": output, "tool_calls": list(tool_calls),
            "cost": None if known is None else f"{known:f}", "latency_ms": took,
            "trace_id": trace_id, "assertions": said, **_verdict(status, said),
        }  # fmt: skip
        results.append(result)
        _tell(status, said)

    return check


def _tell(status: str, said: Sequence[dict[str, str]]) -> None:
    """End the test as its answer deserves."""
    if status == "skipped":
        pytest.skip("no assertion of this case can be checked here")
    if status != "pass":
        lines = [
            f"{line['id']}: {line['message']} {line['got']}".rstrip()
            for line in said
            if line["status"] in {"fail", "error"}
        ]
        pytest.fail("\n".join(lines), pytrace=False)


def _verdict(status: str, said: Sequence[dict[str, str]]) -> dict[str, Any]:
    if status == "skipped":
        return {"skipped": True}
    if status == "error":
        return {"error": next(line["message"] for line in said if line["status"] == "error")}
    return {"passed": status == "pass"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note an error of the program: a test that raised before it could check an answer."""
    report = yield
    called = getattr(item, "callspec", None)
    case = called.params.get("tracehub_case") if called else None
    results = item.config.stash[RESULTS]
    checked = case and any(one["case"] == case["id"] for one in results)
    if case and not checked and report.failed:
        results.append({"case": case["id"], "error": str(call.excinfo and call.excinfo.value)})
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Store the results as a run."""
    config, results = session.config, session.config.stash[RESULTS]
    if not results:
        return
    wanted = str(config.getoption("--tracehub-set"))
    version = config.stash[CASES][0]["version"]
    about = [f"--{name}={value}" for name in ("name", "branch", "commit")
             if (value := config.getoption(f"--tracehub-{name}"))]  # fmt: skip
    lines = "\n".join(json.dumps(result) for result in results)
    slug = wanted.partition("@")[0]
    try:
        stored = _tracehub(
            config, "run", f"{slug}@{version}", "--results", "-", *about, given=lines
        )
    except pytest.UsageError as error:
        pytest.exit(str(error), returncode=pytest.ExitCode.USAGE_ERROR)
    config.stash[RUN_ID] = stored.strip()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say which run the results became."""
    if number := config.stash.get(RUN_ID, ""):
        terminalreporter.write_line(f"TraceHub: stored as run {number}.")


def _tracehub(config: pytest.Config, *arguments: str, given: str = "") -> str:
    """Run a `tracehub` command; end the tests with its message when it fails."""
    project = config.getoption("--tracehub-project")
    more = ["--project", project] if project else []
    done = subprocess.run(
        [sys.executable, "-m", "tracehub.cli.main", *arguments, *more],
        input=given.encode(),
        capture_output=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()
        raise pytest.UsageError(f"tracehub {arguments[0]}: {said}")
    return done.stdout.decode()
