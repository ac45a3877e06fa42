"""The eval set pages in Chromium: from a draft to a fixed version, narrow and dark."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import server
from tests.browser import Signed, chromium
from tests.web import stories
from tests.web.test_rollouts import serve
from tracehub.core import cases
from tracehub.evals import actions, importing, rollouts, run_actions
from tracehub.evals.models import Case, EvalSet
from tracehub.review.actions import create_mode
from tracehub.traces.actions import save_prompt

pytestmark = pytest.mark.browser

TITLES = (
    ("known_failure", "SK 482 to Lisbon was cancelled, I want the money back", ["wrong-amount"]),
    ("known_failure", "Two of four passengers want to rebook", ["wrong-scope"]),
    ("success", "Refund a single Economy Flex ticket", []),
    ("risky_edge", "My father passed away and I can no longer travel", ["wrong-tone"]),
    ("format", "Refund quote for a booking in NOK", ["wrong-amount"]),
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@pytest.fixture
def base(committed_db):
    with server.running() as url:
        yield url


@pytest.fixture
def project(committed_db):
    return stories.project()


@pytest.fixture
def reviewer(project):
    return stories.member(project, "reviewer")


@pytest.fixture
def open_page(browser, base, reviewer):
    opened = []

    def start(*, width: int = 1440, dark: bool = False) -> Signed:
        opened.append(Signed(browser, base, reviewer, width=width, dark=dark))
        return opened[-1]

    yield start
    for signed in opened:
        signed.context.close()


def fill(project) -> None:
    """A set with five cases, the first version fixed, and one more in the draft."""
    trace = stories.refund_trace(project)
    for name in ("Wrong amount", "Wrong scope", "Wrong tone", "Tool loop"):
        create_mode(project, name)
    made, _ = actions.create_set(project, "Refund regressions", description="What went wrong once")
    equals = {"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 418.6}
    messages = [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Refund"}]
    contents = [
        cases.read(
            {
                "kind": kind, "title": title, "failure_modes": modes, "assertions": [equals],
                "input": {"messages": messages}, "expected_output": {"refund": {"amount": 418.6}},
                "context": [{"id": "policy-118", "content": "Refund in full.", "score": 0.9}],
                "source": {"trace_id": trace, "span_id": "0000000100000009"},
            }
        )
        for kind, title, modes in TITLES
    ]  # fmt: skip
    actions.add_cases(made, contents[:4])
    actions.fix(made, note="Before refund v13")
    actions.add_cases(made, contents[4:])


def roll_out(project) -> None:
    """A version that was rolled back, and one that the stop rule holds in the canary."""
    eval_set = EvalSet.objects.get(project=project)
    for version in ("v11", "v12", "v13"):
        save_prompt(project, "refund", version, "Refund what was paid.")
    results = [{"case": f"c_{n:04d}", "passed": n != 2, "output": "x"} for n in range(1, 5)]
    body = {"version": 1, "candidate": {"name": "refund v12", "branch": "main",
            "prompt_version": "refund@v12"}, "results": results}  # fmt: skip
    run_actions.add_run(eval_set, body)
    first = rollouts.start(project, eval_set, "refund@v12", "refund@v11")
    rollouts.roll_back(first, "Amounts come back as text, as in the cases below")
    passing = [{**one, "passed": True} for one in results]
    for candidate in ("refund@v12", "refund@v13"):
        told = {"name": candidate, "branch": "main", "prompt_version": candidate}
        run_actions.add_run(eval_set, {**body, "candidate": told, "results": passing})
    second = rollouts.start(project, eval_set, "refund@v13", "refund@v12")
    rollouts.advance(second, [rollouts.run_reason(second, rollouts.newest_run(second))])
    serve(project, "v12", traces=120, failing=3)
    serve(project, "v13", traces=110, failing=12)


def left_import(reviewer):
    """A file that was read and not added yet: a near-duplicate, a bad line, a key not taken."""
    lines = ['{"input": "Refund"}', '{"input": "Which seat has a window?", "owner": "mina"}',
             '{"input": "Baggage?", "severity": "huge"}']  # fmt: skip
    eval_set = EvalSet.objects.select_related("project").get()
    return importing.read(eval_set, "cases.jsonl", "\n".join(lines).encode(), by=reviewer)


@pytest.mark.parametrize(("width", "dark"), [(1440, False), (1440, True), (390, False)])
def test_the_pages_are_accessible_and_quiet(open_page, project, reviewer, width, dark):
    signed = open_page(width=width, dark=dark)
    look = f"{width}-{'dark' if dark else 'light'}"
    signed.open("/skylane/evals")
    assert signed.accessibility() == []
    signed.shot(f"evals-empty-{look}")
    fill(project)
    roll_out(project)
    for name, path in (
        ("evals", "evals"),
        ("evalset", "evals/refund-regressions"),
        ("evalset-draft", "evals/refund-regressions?version=draft"),
        ("diff", "evals/refund-regressions/diff?from=1&to=draft"),
        ("case", "evals/refund-regressions/cases/c_0001"),
        ("coverage", "evals/refund-regressions/coverage?mode=wrong-amount&kind=success"),
        ("rollout", "rollout"),
        ("rollout-back", "rollout?id=1"),
        ("import", "evals/refund-regressions/import"),
        ("import-preview", f"evals/refund-regressions/import/{left_import(reviewer).pk}"),
        ("promote", f"traces/{stories.refund_trace(project, 2)}/case"),
    ):
        page = signed.open(f"/skylane/{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert signed.accessibility() == [], path
        signed.shot(f"{name}-{look}")
    assert signed.errors == []


def test_a_draft_is_pruned_fixed_and_downloaded(open_page, project):
    fill(project)
    signed = open_page()
    page = signed.open("/skylane/evals/refund-regressions")
    expect(page.locator(".bar")).to_contain_text("v2 draft has 1 new case")
    page.get_by_role("link", name="Open v2 draft").click()
    page.get_by_role("button", name="Remove c_0002 from the draft").click()
    expect(page.locator("#toast")).to_contain_text("Removed c_0002 from the draft")
    assert page.locator("tbody tr").count() == 4
    page.keyboard.press("z")
    expect(page.locator("#toast")).to_contain_text("c_0002 is back in the draft")
    assert page.locator("tbody tr").count() == 5
    page.get_by_text("Fix v2", exact=True).click()
    page.get_by_label("What is it for?").fill("With the NOK quote")
    page.get_by_role("button", name="Fix 5 cases as v2").click()
    expect(page.locator("#toast")).to_contain_text("Fixed as v2")
    page.get_by_text("Export", exact=True).click()
    with page.expect_download() as download:
        page.get_by_role("button", name="JSONL One case per line").click()
    assert download.value.suggested_filename == "refund-regressions-v2.jsonl"
    lines = Path(download.value.path()).read_text().splitlines()
    assert [json.loads(line)["version"] for line in lines] == [2] * 5
    assert Case.objects.filter(removed_in=None).count() == 5
    assert signed.errors == []
