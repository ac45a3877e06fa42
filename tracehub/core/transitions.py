"""Where traces break: from the last good step to the first failing one.

The method is the transition failure matrix of Husain and Shankar's error analysis
(https://hamel.dev/blog/posts/evals-faq/): agents fail in few places, and the step before tells why.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from tracehub.core.trace import Kind, SpanDigest

START = "start"
WORKING: frozenset[str] = frozenset(
    {"llm", "tool", "retriever", "embedding", "reranker", "guardrail", "evaluator"}
)


@dataclass(frozen=True, slots=True)
class Step:
    """One span that does something, in the order of start."""

    name: str
    kind: Kind
    span_id: str
    failed: bool


@dataclass(frozen=True, slots=True)
class Path:
    """The steps of one trace up to where it first failed. `failing` is None when it did not."""

    trace_id: str
    passed: tuple[str, ...]
    failing: Step | None


@dataclass(slots=True)
class Matrix:
    """Counts over traces. `passed[step]` is how many got through it, START included.

    `names` are in the order in which traces come to them.
    """

    names: list[str]
    kinds: dict[str, Kind]
    passed: Counter[str]
    cells: dict[tuple[str, str], list[Path]] = field(default_factory=dict)

    def rate(self, before: str, failing: str) -> float:
        """Return the share of the traces that passed `before` which then failed at `failing`."""
        return len(self.cells.get((before, failing), ())) / max(1, self.passed[before])


def steps(spans: Iterable[SpanDigest], blamed: Collection[str] = ()) -> list[Step]:
    """Return what a trace did, one after the other. `blamed` are ids of spans with a grave signal.

    Spans that only hold others, such as agents and chains, are no steps.
    """
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    return [
        Step(
            span.name,
            span.kind,
            span.span_id,
            span.error or bool(span.validation_errors) or span.span_id in blamed,
        )
        for span in ordered
        if span.kind in WORKING
    ]


def path(trace_id: str, done: Sequence[Step], *, failing: bool, pinned: str = "") -> Path:
    """Return where a trace first failed: at the step that a reviewer pinned, else at the first bad.

    A trace that is not failing passed all its steps, whatever went wrong and was mended on the way.
    """
    at = None
    if failing:
        at = next((i for i, step in enumerate(done) if step.span_id == pinned), None)
        if at is None:
            at = next((i for i, step in enumerate(done) if step.failed), None)
    before = done if at is None else done[:at]
    names = tuple(dict.fromkeys([START, *(step.name for step in before)]))
    # What came just before goes last, also when the trace had been there earlier.
    if before:
        last = before[-1].name
        names = (*(name for name in names if name != last), last)
    return Path(trace_id, names, None if at is None else done[at])


def matrix(paths: Iterable[Path], kinds: dict[str, Kind]) -> Matrix:
    """Return how often each step failed first after each other.

    >>> bad = Step("check", "guardrail", "2", True)
    >>> paths = [Path("a", ("start", "write"), bad), Path("b", ("start", "write"), None)]
    >>> found = matrix(paths, {})
    >>> found.rate("write", "check"), found.passed["write"]
    (0.5, 2)
    """
    places: dict[str, list[int]] = defaultdict(list)
    passed: Counter[str] = Counter()
    cells: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for one in paths:
        passed.update(one.passed)
        for place, name in enumerate(one.passed):
            places[name].append(place)
        if one.failing is not None:
            places[one.failing.name].append(len(one.passed))
            cells[one.passed[-1], one.failing.name].append(one)
    names = sorted(places, key=lambda name: (sum(places[name]) / len(places[name]), name))
    return Matrix([name for name in names if name != START], kinds, passed, dict(cells))
