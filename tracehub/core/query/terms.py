"""Terms: what the index over traces holds, and what of a filter it can answer.

A term is a 64-bit hash of project, UTC day of the start, key and value, so one index serves all
projects without mixing them, and the list behind a term never grows past a day. Hashes may
collide, and a filter may say more than terms can: whoever reads checks the columns again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from functools import lru_cache
from hashlib import blake2b
from typing import Any

from tracehub.core.query import keys
from tracehub.core.query.nested import leaves
from tracehub.core.query.tree import Absent, Filter, Node, Or, Pattern, Term

Pair = tuple[str, str]  # key and value
Row = Mapping[str, Any]  # a trace row by the names of its columns

MOST = 250  # terms of one trace; one that has more is found by OVERFLOW and checked
OVERFLOW: Pair = ("", "overflow")
LONGEST = 200  # characters of a value that is counted
ALL, FINE = "all", "fine"  # keys under which every trace is counted: by the hour, by 5 minutes

SCALARS = {
    "verdict": "verdict",
    "severity": "severity",
    "name": "name",
    "env": "environment",
    "cohort": "cohort",
    "release": "release",
    "session": "session_id",
    "user": "user_id",
    "outcome": "outcome",
}
LISTS = {
    "signal": "signal_kinds",
    "mode": "failure_modes",
    "reviewer": "reviewers",
    "agent": "agents",
    "model": "models",
    "provider": "providers",
    "tag": "tags",
    "finish": "finish_reasons",
    "kind": "span_kinds",
    "span": "span_names",
}
# Lists of names with a version, such as refund@v12; one without a version is there as it is.
VERSIONED = {"prompt": "prompts", "tool": "tools"}
# States that most traces are not in. The others would be long lists that save nothing.
RARE_STATES = ("failing", "reviewed", "retried", "fallback", "timeout", "promoted", "error")
# Keys whose values are counted by the hour: those of the facets, and the states.
# The values of a release are few in an hour: those that run at once.
COUNTED = (
    "is", "verdict", "signal", "prompt", "model", "env", "cohort", "release", "mode", "tag", "tool",
)  # fmt: skip


def states(row: Row) -> Iterator[str]:
    """Yield what `is:` finds a trace by."""
    yield "failing" if row["failing"] else "unfinished" if not row["finished"] else "passing"
    yield "reviewed" if row["verdict"] is not None else "unreviewed"
    for state, column in (
        ("retried", "retries"),
        ("fallback", "fallbacks"),
        ("timeout", "timeouts"),
    ):
        if row[column] > 0:
            yield state
    if row["promoted"]:
        yield "promoted"
    if row["status"] == "error":
        yield "error"
    if row["streaming"]:
        yield "streaming"


def pairs(row: Row) -> Iterator[Pair]:
    """Yield key and value of everything that the index knows of a trace row."""
    for state in states(row):
        if state in RARE_STATES:
            yield "is", state
    for key, column in SCALARS.items():
        if row[column] is not None:
            yield key, row[column]
    for key, column in LISTS.items():
        for value in row[column]:
            yield key, value
    for key, column in VERSIONED.items():
        for label in row[column]:
            yield key, label
            if name := name_of(label):
                yield key, name
    for path, value in leaves(row["metadata"]):
        yield f"{keys.META}{path}", _scalar(value)
    for score in row.get("feedback", ()):
        yield f"{keys.SCORE}{score['name']}", ""


def name_of(label: str) -> str:
    """Return the name in `refund@v12`; nothing when there is no version."""
    return label.rpartition("@")[0]


def _scalar(value: Any) -> str:
    """Return a value of the metadata as SQL reads it; what may read otherwise is an `other`."""
    match value:
        case bool():
            return "=true" if value else "=false"
        case str() | int():
            return f"={value}"
    return "other"


def counted(row: Row) -> set[Pair]:
    """Return what a trace row counts as in the hourly counts, all of it at most once."""
    found = {("is", state) for state in states(row)}
    found.add(("verdict", row["verdict"] or "none"))
    for key in ("env", "cohort", "release"):
        if row[SCALARS[key]] is not None:
            found.add((key, row[SCALARS[key]]))
    for key, column in VERSIONED.items():
        found.update((key, label) for label in row[column])
    for key in ("signal", "model", "mode", "tag"):
        found.update((key, value) for value in row[LISTS[key]])
    return {(key, value) for key, value in found if len(value) <= LONGEST}


def is_counted(pair: Pair) -> bool:
    """Tell whether the hourly counts know a pair: those with a version by it, no endless values."""
    key, value = pair
    return key in COUNTED and len(value) <= LONGEST and (key not in VERSIONED or "@" in value)


@lru_cache(maxsize=16_384)  # most traces of a day share most of their terms
def number(project_id: int, day: date, pair: Pair) -> int:
    """Return the term of a pair: a signed 64-bit number.

    >>> number(1, date(2026, 11, 24), ("model", "gpt-4o"))
    8527447835196734494
    """
    text = f"{project_id}\x1f{day.toordinal()}\x1f{pair[0]}\x1f{pair[1]}"
    digest = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)


def of_row(row: Row) -> list[int]:
    """Return the terms of a trace row, sorted; `started_at` of the row must be in UTC."""
    found = set(pairs(row))
    if len(found) > MOST:
        found = {OVERFLOW}
    day = row["started_at"].date()
    return sorted(number(row["project_id"], day, pair) for pair in found)


def required(wanted: Filter) -> list[tuple[Pair, ...]]:
    """Return what a filter demands of the index: of each item, a trace has at least one pair.

    What no term can tell (ranges, wildcards, exclusions, text) is left out, so the result lets
    through at least what the filter does.

    >>> from tracehub.core.query.parser import parse
    >>> required(parse("model:a,b is:failing latency:>5s -tag:x"))
    [(('model', 'a'), ('model', 'b')), (('is', 'failing'),)]
    """
    found = (_any_of(part) for part in wanted.parts)
    return [one for one in found if one]


def _any_of(node: Node) -> tuple[Pair, ...]:
    """Return the pairs of which a match has one, or nothing when terms cannot tell."""
    if isinstance(node, Or):
        each = [_any_of(inner) for inner in node.nodes]
        return tuple(pair for one in each for pair in one) if all(each) else ()
    if not isinstance(node, Term):
        return ()
    if node.key.startswith(keys.SCORE):  # that it has the score is all that terms know
        absent = any(isinstance(value, Absent) for value in node.values)
        return () if absent else ((node.key, ""),)
    found: list[Pair] = []
    for value in node.values:
        if not isinstance(value, Pattern) or len(value.parts) > 1:
            return ()
        more = _of_value(node.key, value.parts[0])
        if not more:
            return ()
        found += more
    return tuple(found)


def _of_value(key: str, value: str) -> list[Pair]:
    if key.startswith(keys.META):
        return [(key, f"={value}"), (key, "other")]
    if key == "is":
        return [(key, value)] if value in RARE_STATES else []
    if key == "set":
        return [("is", "promoted")]  # in any set; which one is checked
    return [(key, value)] if key in SCALARS or key in LISTS or key in VERSIONED else []


def traces(wanted: Filter) -> list[str]:
    """Return the ids, as hex, of which every match of a filter has one; none when it may be others.

    >>> from tracehub.core.query.parser import parse
    >>> traces(parse(f"trace:{'a' * 32} is:failing")) == ["a" * 32], traces(parse("trace:ab*"))
    (True, [])
    """
    for part in wanted.parts:
        if isinstance(part, Term) and part.key == "trace":
            ids = [one.parts for one in part.values if isinstance(one, Pattern)]
            if all(len(parts) == 1 for parts in ids):
                return [parts[0] for parts in ids]
    return []


def searched(project_id: int, days: Iterable[date], anyof: Iterable[Pair]) -> list[int]:
    """Return the terms to look for in these days: those of the pairs, and of overflowing traces."""
    wanted = (*anyof, OVERFLOW)
    return [number(project_id, day, pair) for day in days for pair in wanted]
