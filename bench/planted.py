"""Faults planted among healthy traces and near-misses: what detectors find and groups make of it.

  python bench/planted.py [--traces 20000] [--seed 7]

Half of the traces hold one of 28 faults; a quarter holds something that looks like one and is none.
Both were written beside the detectors, so these numbers show that they do what they say, not how
they do on other people's traces: for that, Settings › Signals has precision from reviews.

Everything runs in this process, from spans to groups. Printed: precision and recall of each
detector, and purity and completeness of the groups. Detectors that go by words alone (HEURISTIC)
are reported without a target.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from planted_faults import FAULTS, NEAR  # noqa: E402
from planted_traces import Planted, healthy  # noqa: E402

from tracehub.core.contracts.checking import Contract, signals  # noqa: E402
from tracehub.core.digest import digest  # noqa: E402
from tracehub.core.grouping import v1  # noqa: E402
from tracehub.core.signals.base import Asked, Contents, Evidence  # noqa: E402
from tracehub.core.signals.rules import Baseline, Rules, baseline_key  # noqa: E402
from tracehub.core.signals.run import detect, detect_late  # noqa: E402
from tracehub.core.summary import summarise  # noqa: E402
from tracehub.core.trace import Signal, Span  # noqa: E402

HEURISTIC = frozenset({"low_grounding", "rephrased", "wrong_language", "repetition"})
TARGET = 0.95
CONTRACT = Contract(
    "refund-reply/3",
    "refund",
    None,
    {
        "type": "object",
        "required": ["refund", "reason", "reply"],
        "properties": {
            "refund": {
                "type": "object",
                "required": ["amount"],
                "properties": {"amount": {"type": "number"}},
            },
            "reason": {"type": "string"},
            "reply": {"type": "string"},
        },
    },
    {"/reason": ["cancelled", "delayed", "missed", "not_refundable"]},
)


@dataclass
class Score:
    """How a detector did: right, wrong, missed."""

    hit: int = 0
    false: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        return self.hit / (self.hit + self.false) if self.hit + self.false else 1.0

    @property
    def recall(self) -> float:
        return self.hit / (self.hit + self.missed) if self.hit + self.missed else 1.0


@dataclass
class Result:
    """Scores by kind, and how the groups fit the causes: both from 0 to 1."""

    scores: dict[str, Score] = field(default_factory=lambda: defaultdict(Score))
    purity: float = 0.0
    completeness: float = 0.0
    groups: int = 0
    causes: int = 0
    seconds: float = 0.0


def baselines(traces: list[Planted]) -> dict[str, Baseline]:
    """Return the 95th percentiles of the calls of these traces, as the worker keeps them."""
    calls: dict[str, list[Span]] = defaultdict(list)
    for trace in traces:
        for span in trace.spans:
            if span.kind == "llm":
                label = span.prompt.label if span.prompt else None
                calls[baseline_key(label, span.name)].append(span)
    return {
        key: Baseline(
            len(spans),
            _p95([float(s.duration_ns or 0) for s in spans]),
            _p95([float(s.cost or 0) for s in spans]),
            _p95([float(s.tokens.total or 0) for s in spans if s.tokens]),
        )
        for key, spans in calls.items()
    }


def _p95(values: list[float]) -> float:
    return sorted(values)[int(0.95 * (len(values) - 1))]


def look(trace: Planted, rules: Rules) -> tuple[list[Signal], list[v1.Group]]:
    """Return signals and groups of a trace, as both passes of the worker give them."""
    spans = sorted(trace.spans, key=lambda span: (span.start_ns, span.span_id))
    digests = [digest(span) for span in spans]
    summary = summarise(digests)
    earlier = [Asked("0" * 32, text) for text in trace.earlier]
    late = detect_late(Contents(summary, spans, rules, earlier))
    broken = [
        signal
        for span, narrow in zip(spans, digests, strict=True)
        if narrow.has_output and not narrow.error and CONTRACT.applies(narrow)
        for signal in signals(CONTRACT, narrow, span.output)
    ]
    found = detect(Evidence(summary, digests, trace.feedback, True, broken, rules, late))
    names = {span.span_id: span.name for span in digests}
    return found, v1.groups(found, names, trace=summary.name)


def make(count: int, seed: int) -> list[Planted]:
    """Return `count` traces: a half with a fault, a quarter near-misses, a quarter healthy."""
    rng = random.Random(seed)
    faults, near = list(FAULTS), list(NEAR)
    made = []
    for number in range(count):
        trace = healthy(rng, number)
        if number % 2 == 0:
            FAULTS[faults[number // 2 % len(faults)]](rng, trace)
        elif number % 4 == 1:
            NEAR[near[number // 4 % len(near)]](rng, trace)
        made.append(trace)
    return made


def measure(count: int, seed: int) -> Result:
    """Plant, detect, group and compare."""
    rng = random.Random(seed + 1)
    rules = Rules(baselines=baselines([healthy(rng, -n) for n in range(1, 501)]))
    traces = make(count, seed)
    result = Result()
    groups: dict[str, Counter[str]] = defaultdict(Counter)
    causes: dict[str, Counter[str]] = defaultdict(Counter)
    measured = {kind for trace in traces for kind in trace.kinds}
    began = time.perf_counter()
    for trace in traces:
        found, own = look(trace, rules)
        kinds = {signal.kind for signal in found}
        for kind in measured:
            score = result.scores[kind]
            score.hit += kind in kinds and kind in trace.kinds
            score.false += kind in kinds and kind not in trace.kinds
            score.missed += kind not in kinds and kind in trace.kinds
        for group in own:
            cause = f"{group.kind} {trace.cause}" if group.kind in trace.kinds else "other"
            groups[group.fingerprint][cause] += 1
            causes[cause][group.fingerprint] += 1
    result.seconds = time.perf_counter() - began
    causes.pop("other", None)
    result.purity = _share(groups)
    result.completeness = _share(causes)
    result.groups, result.causes = len(groups), len(causes)
    return result


def _share(parts: dict[str, Counter[str]]) -> float:
    """Return the share of events that lie where most of their like do."""
    total = sum(sum(one.values()) for one in parts.values())
    return sum(max(one.values()) for one in parts.values()) / total if total else 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--traces", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=7)
    asked = parser.parse_args()
    result = measure(asked.traces, asked.seed)
    below = []
    print(f"{'signal':<24}{'planted':>8}{'found':>8}{'precision':>11}{'recall':>8}")
    for kind, score in sorted(result.scores.items()):
        planted = score.hit + score.missed
        note = "  by words, no target" if kind in HEURISTIC else ""
        if not note and min(score.precision, score.recall) < TARGET:
            below.append(kind)
            note = f"  below {TARGET}"
        print(
            f"{kind:<24}{planted:>8,}{score.hit + score.false:>8,}{score.precision:>11.3f}"
            f"{score.recall:>8.3f}{note}"
        )
    print(
        f"groups: {result.groups} for {result.causes} causes, purity {result.purity:.3f}, "
        f"completeness {result.completeness:.3f}"
    )
    print(f"both passes: {1000 * result.seconds / asked.traces:.2f} ms of CPU a trace of 5 spans")
    if below or min(result.purity, result.completeness) < TARGET:
        sys.exit(1)


if __name__ == "__main__":
    main()
