"""A set with runs: what worked, what a prompt broke, and an answer that attacks its reader."""

from __future__ import annotations

from tests.web import stories
from tracehub.core import cases
from tracehub.evals import actions, run_actions
from tracehub.evals.models import EvalSet, Run
from tracehub.projects.models import Project

EXPECTED = {
    "refund": {"amount": 38, "currency": "EUR", "passengers": ["Ida Holm"]},
    "reply": "I have refunded the second charge for seat 14C.",
}
WRONG = {
    "refund": {"amount": 76, "currency": "EUR", "passengers": ["Ida Holm"]},
    "reply": "I have refunded both charges for seat 14C.",
}
ASKED = (
    ("known_failure", "I was charged twice for seat 14C"),
    ("known_failure", "Two of four passengers want to rebook"),
    ("risky_edge", "My father passed away and I can no longer travel"),
    ("success", "Refund a single Economy Flex ticket"),
    ("format", "Refund quote for a booking in NOK"),
    ("success", "Can I move my refund to a voucher?"),
)


def refunds(project: Project) -> EvalSet:
    """Six cases, fixed as version 1."""
    trace = stories.refund_trace(project)
    made, _ = actions.create_set(project, "Refund regressions")
    wanted = {"type": "json_pointer_equals", "pointer": "/refund/amount", "value": 38}
    contents = [
        {
            "kind": kind, "title": title, "expected_output": EXPECTED,
            "input": {"messages": [{"role": "user", "content": f"{title}, see the attachment."}]},
            "assertions": [wanted, {"type": "contains", "value": "seat 14C"}],
            "source": {"trace_id": trace, "span_id": "0000000100000009"},
        }
        for kind, title in ASKED
    ]  # fmt: skip
    actions.add_cases(made, [cases.read(content) for content in contents])
    actions.fix(made)
    return made


def run(eval_set: EvalSet, name: str, *, wrong=(), flaky=(), error=(), output=None, **candidate):
    """Store a run in which the cases of these numbers go wrong; return it."""
    results = []
    for n in range(1, len(ASKED) + 1):
        about = {"case": f"c_{n:04d}", "cost": "0.0194", "latency_ms": 6100}
        if n in error:
            results.append({**about, "error": "openai.RateLimitError: 429"})
        elif n in flaky:
            results += [{**about, "output": WRONG}, {**about, "output": EXPECTED}]
        else:
            results.append({**about, "output": (output or WRONG) if n in wrong else EXPECTED})
    body = {"version": 1, "candidate": {"name": name, **candidate}, "results": results}
    return run_actions.add_run(eval_set, body)[0]


def history(project: Project) -> tuple[EvalSet, Run]:
    """Three runs: the baseline on main, one that mends a case, and one that breaks two."""
    eval_set = refunds(project)
    run(eval_set, "refund v12", wrong=[3], branch="main", commit="51aa0b2")
    run(eval_set, "refund v12b", branch="feature", commit="77ae190")
    broken = run(eval_set, "refund v13", wrong=[1, 2], flaky=[4], branch="feature",
                 commit="9a02c1e", model="gpt-4o", prompt_version="refund@v13")  # fmt: skip
    return eval_set, broken
