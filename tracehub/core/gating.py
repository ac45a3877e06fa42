"""A run against its baseline: does anything that worked fail now, and can the numbers tell?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from math import ceil
from typing import Any

from tracehub.core.assess.repeats import Repeats, summed
from tracehub.core.assess.tries import ERROR, PASS, SKIPPED
from tracehub.core.cases import KINDS
from tracehub.core.gate_rules import Rules
from tracehub.core.outcomes import Outcomes, change, rank
from tracehub.core.stats import mcnemar_worse, ratio_interval, wilson_interval

SCHEMA_NAME = "tracehub.gate/1"
PASSED, FAILED, UNDECIDED = "passed", "failed", "undecided"
TOO_MANY_ERRORS = 0.05  # share of cases without a result above which a run says nothing
LEVEL = 0.05  # of the test for drift
NET_REGRESSIONS = 2  # fewer are noise, whatever the test says
FEW_CHANGES = 5
FALL = 0.10  # of the pass rate: what a set should be large enough to show
COUNTS = (
    "both_pass", "fixed", "regressed", "both_fail", "flaky", "errors", "only_run", "only_baseline",
)  # fmt: skip
NAMES = {
    "known_failure": "Known failures", "success": "Successes", "risky_edge": "Risky edges",
    "format": "Format",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reason:
    """What one rule found. `ok` is None when it cannot tell for want of something.

    `short` says it in two or three words for a page; `unsure` that it holds for too few changes.
    """

    rule: str
    ok: bool | None
    message: str
    value: float | int | None = None
    limit: float | int | None = None
    short: str = ""
    title: str = ""
    unsure: bool = False

    def as_json(self) -> dict[str, Any]:
        names = ("rule", "ok", "message", "value", "limit")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Slice:
    """The cases of one kind: how many passed before and pass now, of those that were told."""

    cases: int
    before: int | None
    now: int
    fixed: int
    regressed: int
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases, "baseline": self.before, "now": self.now, "fixed": self.fixed,
            "regressed": self.regressed, "low": round(self.low, 4), "high": round(self.high, 4),
        }  # fmt: skip


@dataclass(slots=True)
class Gate:
    """The verdict on a run, with what led to it."""

    verdict: str
    headline: str
    reasons: list[Reason]
    counts: dict[str, int]
    p_value: float | None
    passed: int
    told: int
    by_kind: dict[str, Slice]
    changes: dict[str, str] = field(default_factory=dict)  # case id -> change
    before: dict[str, str] = field(default_factory=dict)  # case id -> status in the baseline
    after: dict[str, str] = field(default_factory=dict)
    repeats: Repeats | None = None  # None without several tries of each case

    def rank(self, case: str) -> int:
        """Return the place of what became of a case in `CHANGES`."""
        return rank(self.changes[case], self.after[case])

    def as_json(self, *, set: str, version: int, run: int, baseline: int | None) -> dict[str, Any]:
        """Return the gate in the form `tracehub.gate/1`; `run` and `baseline` are numbers."""
        rate = None
        if self.told:
            low, high = wilson_interval(self.passed, self.told)
            rate = {
                "value": round(self.passed / self.told, 4),
                "low": round(low, 4),
                "high": round(high, 4),
            }
        return {
            "schema": SCHEMA_NAME,
            "verdict": self.verdict,
            "reasons": [reason.as_json() for reason in self.reasons],
            "set": set,
            "version": version,
            "run": run,
            "baseline": baseline,
            "counts": self.counts,
            "p_value": self.p_value,
            "pass_rate": rate,
            "by_kind": {kind: part.as_json() for kind, part in self.by_kind.items()},
            "cases": [
                {"id": case, "before": self.before.get(case), "after": self.after.get(case),
                 "change": change}
                for case, change in sorted(self.changes.items())
            ],
        }  # fmt: skip


def decide(run: Outcomes, baseline: Outcomes | None, *, expected: int, rules: Rules) -> Gate:
    """Return the verdict on a run of a version with `expected` cases.

    Too many errors decide nothing; else a rule that is broken fails the run; else a rule that
    cannot tell leaves it undecided.
    """
    changes = {case: change(run.get(case), (baseline or {}).get(case)) for case in
               {*run, *(baseline or {})}}  # fmt: skip
    worse = [case for case, change in changes.items() if change == "regressed"]
    better = sum(change == "fixed" for change in changes.values())
    p_value = mcnemar_worse(len(worse), better) if baseline is not None else None
    told = [one for one in run.values() if one.status != SKIPPED]
    repeats = summed((one.tries, one.passes) for one in told)
    reasons = [
        *_enough(run, baseline, expected, rules),
        *_block(run, baseline, rules),
        *_floors(run, rules),
        *_drop(len(worse), better, p_value, len(run.keys() & (baseline or {}).keys()), rules),
        *_ratios(run, baseline, rules),
        *_steady(run, repeats),
    ]
    verdict = _verdict(reasons)
    return Gate(
        verdict=verdict,
        headline=_headline(verdict, reasons),
        reasons=reasons,
        counts=_counts(changes),
        p_value=p_value,
        passed=sum(one.status == PASS for one in told),
        told=len(told),
        by_kind=dict(_slices(run, baseline, changes)),
        changes=changes,
        before={case: one.status for case, one in (baseline or {}).items()},
        after={case: one.status for case, one in run.items()},
        repeats=repeats,
    )


def overridden(gate: Gate, by: str, reason: str) -> Gate:
    """Return the gate as passed, because a person said so; its rules stay as they are."""
    said = Reason("override", True, f"Overridden by {by}: {reason}", title="Overridden", short=by)
    return replace(
        gate,
        verdict=PASSED,
        headline=f"GATE PASSED: overridden by {by}",
        reasons=[said, *gate.reasons],
    )


def _counts(changes: Mapping[str, str]) -> dict[str, int]:
    found = Counter("errors" if change == ERROR else change for change in changes.values())
    return {name: found[name] for name in COUNTS}


def _verdict(reasons: Sequence[Reason]) -> str:
    if any(reason.rule == "errors" for reason in reasons):
        return UNDECIDED
    if any(reason.ok is False for reason in reasons):
        return FAILED
    return UNDECIDED if any(reason.ok is None for reason in reasons) else PASSED


def _headline(verdict: str, reasons: Sequence[Reason]) -> str:
    if verdict == PASSED:
        return "GATE PASSED"
    deciding = next(
        r for r in reasons if r.rule == "errors" or r.ok is (False if verdict == FAILED else None)
    )
    word = "FAILED" if verdict == FAILED else "UNDECIDED"
    return f"GATE {word}: {deciding.message.rstrip('.')}"


def _enough(
    run: Outcomes, baseline: Outcomes | None, expected: int, rules: Rules
) -> Iterator[Reason]:
    """Whether there is enough to compare: results, a baseline, cases in common."""
    errors = sum(one.status == ERROR for one in run.values())
    silent = errors + max(0, expected - len(run))
    if silent > TOO_MANY_ERRORS * expected:
        yield Reason(
            "errors", None,
            f"{silent} of {expected} cases gave an error or no result, more than 5 %.",
            silent, int(TOO_MANY_ERRORS * expected),
            title="Results of at least 95% of cases", short=f"{silent} missing",
        )  # fmt: skip
    title = "A baseline to compare with"
    if baseline is None:
        yield Reason("baseline", None, "There is no baseline to compare with.",
                     title=title, short="none yet")  # fmt: skip
        return
    common = len(run.keys() & baseline.keys())
    if common < max(1, rules.minimum):
        yield Reason(
            "baseline", None, f"{common} cases are in both runs, {max(1, rules.minimum)} needed.",
            common, max(1, rules.minimum), title=title, short=f"{common} in common",
        )  # fmt: skip


def _block(run: Outcomes, baseline: Outcomes | None, rules: Rules) -> Iterator[Reason]:
    """No case that blocks may fail, or give an error, when it passed in the baseline."""
    if not rules.block or baseline is None:
        return
    fell = sorted(
        case
        for case, one in run.items()
        if one.blocks
        and not one.flaky
        and one.status not in {PASS, SKIPPED}
        and (before := baseline.get(case)) is not None
        and before.status == PASS
    )
    known = all(run[case].kind == "known_failure" for case in fell)
    noun = ("known failure" if known else "blocking case") + ("" if len(fell) == 1 else "s")
    message = f"{len(fell)} {noun} regressed: {_listed(fell)}." if fell else (
        "No known failure, format or grave case regressed.")  # fmt: skip
    yield Reason(
        "block", not fell, message, len(fell), 0,
        title="No known failure may regress", short=f"{len(fell)} did" if fell else "none did",
    )  # fmt: skip


def _listed(cases: Sequence[str]) -> str:
    more = f" and {len(cases) - 5} more" if len(cases) > 5 else ""
    return ", ".join(cases[:5]) + more


def _floors(run: Outcomes, rules: Rules) -> Iterator[Reason]:
    """The pass rate of each kind that has a floor; an error is no pass."""
    for kind in ("format", "known_failure", "success", "risky_edge"):
        floor = rules.floors.get(kind)
        told = [o for o in run.values() if o.kind == kind and o.status != SKIPPED]
        if floor is None or not told:
            continue
        passed = sum(one.status == PASS for one in told)
        rate = 100 * passed / len(told)
        yield Reason(
            "floor", rate >= floor,
            f"{NAMES[kind]}: {passed} of {len(told)} passed ({rate:.0f} %), "
            f"{floor:g} % or more needed.",
            round(rate, 2), floor,
            title=f"{NAMES[kind]} {floor:g}%{' or more' if floor < 100 else ''}",
            short=f"{passed} of {len(told)}",
        )  # fmt: skip


def more_cases(common: int) -> int:
    """Return how many more cases a run needs so that a fall of `FALL` would show, 0 for none.

    Where nothing gets better, the fewest that must get worse are those whose exact p is at `LEVEL`.

    >>> more_cases(12), more_cases(60)
    (38, 0)
    """
    fewest = next(n for n in count(NET_REGRESSIONS) if mcnemar_worse(n, 0) <= LEVEL)
    return max(0, ceil(fewest / FALL) - common)


def _drop(
    worse: int, better: int, p_value: float | None, common: int, rules: Rules
) -> Iterator[Reason]:
    """Drift over the whole set: more got worse than chance explains."""
    if not rules.drop or p_value is None:
        return
    chance = f"p = {p_value:.3f}" if p_value >= 0.001 else "p < 0.001"
    found = f"{worse} worse, {better} better, {chance}"
    title = "No fall beyond chance"
    if p_value <= LEVEL and worse - better >= NET_REGRESSIONS:
        yield Reason("drop", False, f"More cases got worse than chance explains: {found}.",
                     round(p_value, 6), LEVEL, title=title, short=f"{worse} worse")  # fmt: skip
        return
    few = worse + better < FEW_CHANGES
    if few and (more := more_cases(common)):
        found += f". About {more} more cases would show a fall of {FALL:.0%}"
    yield Reason(
        "drop", True,
        f"Too few changes to tell: {found}." if few else f"No fall beyond chance: {found}.",
        round(p_value, 6), LEVEL, title=title, short="cannot tell" if few else f"p = {p_value:.2f}",
        unsure=few,
    )  # fmt: skip


def _ratios(run: Outcomes, baseline: Outcomes | None, rules: Rules) -> Iterator[Reason]:
    """Cost and latency against the baseline, on cases whose number both runs know."""
    for rule, limit, part in (("cost", rules.cost, "cost"),
                              ("latency", rules.latency, "latency_ms")):  # fmt: skip
        if limit is None or baseline is None:
            continue
        pairs = [
            (float(before), float(now))
            for case, one in sorted(run.items())
            if (known := baseline.get(case)) is not None
            and (before := getattr(known, part)) is not None
            and (now := getattr(one, part)) is not None
        ]
        yield _ratio(rule, limit, pairs)


def _ratio(rule: str, limit: float, pairs: Sequence[tuple[float, float]]) -> Reason:
    name = rule.capitalize()
    title = f"{name} at most {limit:g} × the baseline"
    before, now = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    if sum(before) <= 0:
        return Reason(rule, None, f"{name} is not known in both runs.", None, limit,
                      title=title, short="not known")  # fmt: skip
    ratio = sum(now) / sum(before)
    low, high = ratio_interval(before, now)
    inside = f"{ratio:.2f} × the baseline, 95 % interval {low:.2f} to {high:.2f}"
    within = ratio <= limit
    return Reason(
        rule, within or low <= 1,
        f"{name} is {inside}{'' if within else f', {limit:g} allowed'}"
        f"{', too few cases to tell' if not within and low <= 1 else ''}.",
        round(ratio, 4), limit, title=title, short=f"{ratio:.2f} ×",
        unsure=not within and low <= 1,
    )  # fmt: skip


def _steady(run: Outcomes, repeats: Repeats | None) -> Iterator[Reason]:
    """Say how steady the answers are, and name the cases that flip; they hold nothing up."""
    if repeats is not None:
        yield Reason(
            "repeats", True, f"{repeats.sentence()}.", round(repeats.pass_hat, 4),
            title=f"All of {repeats.k} tries pass (pass^{repeats.k})",
            short=f"{repeats.pass_hat:.0%}",
        )  # fmt: skip
    flaky = sorted(case for case, one in run.items() if one.flaky)
    if flaky:
        named = [f"{case} ({run[case].passes} of {run[case].tries})" for case in flaky]
        yield Reason(
            "flaky", True, f"Passed and failed within this run: {_listed(named)}.", len(flaky),
            title="Flaky cases, which do not block", short=str(len(flaky)), unsure=True,
        )  # fmt: skip


def _slices(
    run: Outcomes, baseline: Outcomes | None, changes: Mapping[str, str]
) -> Iterator[tuple[str, Slice]]:
    for kind in KINDS:
        told = {c: o for c, o in run.items() if o.kind == kind and o.status != SKIPPED}
        if not told:
            continue
        now = sum(one.status == PASS for one in told.values())
        low, high = wilson_interval(now, len(told))
        yield kind, Slice(
            cases=len(told),
            before=None if baseline is None else sum(
                c in baseline and baseline[c].status == PASS for c in told
            ),
            now=now,
            fixed=sum(changes[case] == "fixed" for case in told),
            regressed=sum(changes[case] == "regressed" for case in told),
            low=low,
            high=high,
        )  # fmt: skip
