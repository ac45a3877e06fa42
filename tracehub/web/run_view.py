"""Runs and gates in words, marks and tables for the pages. Reads nothing by itself."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tracehub.core.gating import COUNTS, NAMES, more_cases
from tracehub.core.trace import Json
from tracehub.evals.models import Case, Run, RunResult
from tracehub.web import case_view, copy, word_diff
from tracehub.web.trace_view.code import laid_out
from tracehub.web.trace_view.code import parsed as parsed_json
from tracehub.web.trace_view.text import visible

NOT_KNOWN = "none"
TONES = {"passed": "pass", "failed": "fail", "undecided": "unsure"}
WORDS = {"pass": "pass", "fail": "fail", "error": "error", "skipped": "skipped"}
PIP_TONES = {"pass": "pass", "fail": "fail", "error": "neutral", "skipped": ""}
BADGES = {
    "regressed": ("fail", "Regressed"), "both_fail": ("neutral", "Still failing"),
    "failed": ("fail", "Failed"),
    "error": ("unsure", "Error"), "flaky": ("unsure", "Flaky"), "fixed": ("pass", "Fixed"),
    "skipped": ("neutral", "Skipped"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of a gate: its tone, what it asks, what it found in short and in full."""

    tone: str
    title: str
    short: str
    message: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A gate for a page: the verdict as a sentence with its tone, and the rules."""

    tone: str
    headline: str
    rules: list[Rule]
    few: str = ""  # what so few changes cannot tell
    more: int = 0  # cases that the set lacks to tell it
    regressed: int = 0


def panel(gate: Mapping[str, Any]) -> Panel:
    """Return a gate as it is kept with its run (`run_actions.stored`)."""
    rules = [
        Rule(
            "unsure" if r["ok"] is None or r["unsure"] else "pass" if r["ok"] else "fail",
            r["title"] or r["rule"], r["short"], r["message"],
        )
        for r in gate["reasons"]
    ]  # fmt: skip
    few = next((r["message"] for r in gate["reasons"] if r["rule"] == "drop" and r["unsure"]), "")
    counts = gate.get("counts") or dict.fromkeys(COUNTS, 0)  # the gate of a rollout has none
    common = sum(counts.values()) - counts["only_run"] - counts["only_baseline"]
    return Panel(
        TONES[gate["verdict"]], gate["headline"], rules, few,
        more=more_cases(common) if few else 0, regressed=counts["regressed"],
    )  # fmt: skip


def comparison(run: Run, baseline: Run | None, gate: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the rows of the table that compares a run with its baseline."""
    kinds = gate["by_kind"]
    compared = all(part["baseline"] is not None for part in kinds.values())
    total = {
        "cases": sum(part["cases"] for part in kinds.values()),
        "now": sum(part["now"] for part in kinds.values()),
        "baseline": sum(part["baseline"] for part in kinds.values()) if compared else None,
        "regressed": 0,
    }
    rows = [_row("Cases passed", total)]
    rows += [_row(name, kinds[kind]) for kind, name in NAMES.items() if kind in kinds]
    typical = _typical(run)
    if typical != NOT_KNOWN:
        before = _typical(baseline) if baseline else NOT_KNOWN
        rows.append(
            {
                "name": "Cost, median latency",
                "before": before,
                "now": typical,
                "change": ", ".join(_changes(run, baseline)) if baseline else "",
                "tone": "neutral",
            }
        )
    return rows


def _typical(run: Run) -> str:
    """Return what a case costs and how long it takes, of what is known."""
    cost = [copy.money(run.case_cost)] if run.case_cost is not None else []
    time = [copy.duration(run.latency_ms)] if run.latency_ms is not None else []
    return ", ".join(cost + time) or NOT_KNOWN


def _changes(run: Run, baseline: Run) -> Iterator[str]:
    """Yield by how much cost and latency changed, where both runs know them."""
    pairs = ((baseline.case_cost, run.case_cost), (baseline.latency_ms, run.latency_ms))
    for before, now in pairs:
        if before and now is not None:
            yield f"{(now / before - 1) * 100:+.0f}%".replace("-", copy.MINUS)


def _row(name: str, part: Mapping[str, Any]) -> dict[str, str]:
    now, before, cases = part["now"], part["baseline"], part["cases"]
    change = 0 if before is None else now - before
    words = f"{change:+d}".replace("-", "−") if change else "same" if before is not None else ""
    if part["regressed"]:
        words = f"{words}, {part['regressed']} regressed"
    tone = "fail" if change < 0 or part["regressed"] else "pass" if change else "neutral"
    return {
        "name": name,
        "before": "none" if before is None else f"{before} of {cases}",
        "now": f"{now} of {cases}",
        "change": words,
        "tone": tone,
    }


@dataclass(frozen=True, slots=True)
class Pips:
    """Small marks in a row, and the same in words."""

    marks: list[tuple[str, str]]  # tone, title
    label: str


def pips_of_runs(runs: Sequence[Run], found: Mapping[int, RunResult]) -> Pips:
    """Return the marks of one case over some runs, the oldest first."""
    marks = []
    for run in reversed(runs):
        result = found.get(run.pk)
        tone, word = ("", "no result") if result is None else (tone_of(result), word_of(result))
        marks.append((tone, f"run {run.number}: {word}"))
    return Pips(marks, ", ".join(title for _, title in marks))


def command_again(run: Run) -> list[str]:
    """Return the lines of a command that runs the version of a run again, as that candidate.

    Only where the program lives can it run; how it was called is not kept.
    """
    options = {
        "--name": run.name, "--prompt-version": run.prompt_version, "--model": run.model,
        "--commit": run.commit, "--branch": run.branch,
    }  # fmt: skip
    lines = [
        f"tracehub run {run.eval_set.slug}@{run.version}",
        '--command "python -m your.program"',
    ]
    lines += [f"{name} {shlex.quote(value)}" for name, value in options.items() if value]
    lines += ["--baseline"] if run.is_baseline else []
    return [*lines, f"--repeats {run.tries}"] if run.gate["repeats"] else lines


def history(runs: Sequence[Run], found: Mapping[int, RunResult]) -> list[tuple[Run, str, str]]:
    """Return the runs that had a case, the newest first, each with tone and word of its result."""
    return [
        (run, tone_of(found[run.pk]), word_of(found[run.pk])) for run in runs if run.pk in found
    ]


def answered(results: Iterable[RunResult]) -> list[tuple[RunResult, str, str]]:
    """Return the results that a trace was sent for, each with its tone and word."""
    return [(one, tone_of(one), word_of(one)) for one in results]


def tone_of(result: RunResult) -> str:
    return "unsure" if result.flaky else PIP_TONES[result.status]


def word_of(result: RunResult) -> str:
    return "flaky" if result.flaky else WORDS[result.status]


def pips_of_tries(statuses: Iterable[str]) -> Pips:
    """Return the marks of one case over its tries."""
    marks = [(PIP_TONES[status], WORDS[status]) for status in statuses]
    tries = "1 try" if len(marks) == 1 else f"{len(marks)} tries"
    return Pips(marks, f"{tries}: {', '.join(word for _, word in marks)}")


def badge(change: str, tries: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Return tone and words of the badge of a case, two empty texts for none."""
    if change == "only_run" and len({one["status"] for one in tries}) > 1:
        change = "flaky"
    tone, words = BADGES.get(change, ("", ""))
    if change == "flaky":
        passed = sum(one["status"] == "pass" for one in tries)
        words = f"Flaky {passed} of {len(tries)}"
    return tone, words


def lines_of(value: Json) -> list[str]:
    """Return an output as lines: JSON laid out, text as it is."""
    if isinstance(value, str):
        inner, is_json = parsed_json(value)
        if not is_json:
            return visible(value).splitlines() or [""]
        value = inner
    return [line.text for line in laid_out(value).lines]


def versus(expected: Json, got: Json) -> dict[str, Any]:
    """Return both outputs as lines, with what differs marked when both are there."""
    if expected is None:
        return {"expected": None, "got": word_diff.plain(lines_of(got))}
    left, right = word_diff.compare(lines_of(expected), lines_of(got))
    return {"expected": left, "got": right}


def assertion_rows(case: Case, tries: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return a row per assertion: what it asks, what came, how each try went."""
    known = {a["id"]: a for a in case.assertions}
    rows: list[dict[str, Any]] = []
    ids = dict.fromkeys(line["id"] for one in tries for line in one["assertions"])
    for name in ids:
        lines = [line for one in tries for line in one["assertions"] if line["id"] == name]
        worst = next((line for line in lines if line["status"] != "pass"), lines[0])
        about = known.get(name)
        asked = case_view.assertion_line(about) if about else name
        if name == "expected" and about is None:
            asked = "output is the expected output"
        subject, kind, expected = case_view.assertion_parts(about) if about else (asked, "", "")
        rows.append(
            {
                "asked": visible(asked),
                "about": visible(subject),
                "type": kind or "equals",
                "expected": visible(expected) or "as beside",
                "tone": {"pass": "pass", "fail": "fail"}.get(worst["status"], "unsure"),
                "word": WORDS[worst["status"]],
                "message": visible(worst["message"]),
                "got": visible(worst["got"]),
                "pips": pips_of_tries(line["status"] for line in lines),
            }
        )
    rank = {"fail": 0, "unsure": 1, "pass": 2}
    return sorted(rows, key=lambda row: rank[row["tone"]])
