"""A filter as a condition on the rows of `traces`. What people typed is only ever a parameter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tracehub.core.query import attributes, keys, words
from tracehub.core.query.terms import VERSIONED
from tracehub.core.query.tree import (
    Absent,
    Amount,
    And,
    Between,
    Compared,
    Filter,
    Node,
    Not,
    Or,
    Pattern,
    Term,
    Text,
    Value,
)

Params = list[Any]
Sql = tuple[str, Params]

_STATES = {
    "failing": "traces.failing",
    "passing": "(traces.finished AND NOT traces.failing)",
    "reviewed": "traces.verdict IS NOT NULL",
    "unreviewed": "traces.verdict IS NULL",
    "retried": "traces.retries > 0",
    "fallback": "traces.fallbacks > 0",
    "timeout": "traces.timeouts > 0",
    "promoted": "traces.promoted",
    "error": "traces.status = 'error'",
    "streaming": "traces.streaming",
}


class Column(NamedTuple):
    """Where a key is stored; `many` for a text[] column."""

    name: str
    many: bool = False


COLUMNS = {
    "signal": Column("signal_kinds", many=True),
    "verdict": Column("verdict"),
    "mode": Column("failure_modes", many=True),
    "severity": Column("severity"),
    "reviewer": Column("reviewers", many=True),
    "name": Column("name"),
    "agent": Column("agents", many=True),
    "prompt": Column("prompts", many=True),
    "model": Column("models", many=True),
    "provider": Column("providers", many=True),
    "tool": Column("tools", many=True),
    "kind": Column("span_kinds", many=True),
    "span": Column("span_names", many=True),
    "env": Column("environment"),
    "cohort": Column("cohort"),
    "release": Column("release"),
    "session": Column("session_id"),
    "user": Column("user_id"),
    "tag": Column("tags", many=True),
    "latency": Column("duration_ns"),
    "ttft": Column("ttft_ns"),
    "cost": Column("cost"),
    "tokens": Column("total_tokens"),
    "input_tokens": Column("input_tokens"),
    "output_tokens": Column("output_tokens"),
    "spans": Column("span_count"),
    "retries": Column("retries"),
    "outcome": Column("outcome"),
    "finish": Column("finish_reasons", many=True),
    "input": Column("input_preview"),
    "output": Column("output_preview"),
}


def where(wanted: Filter) -> Sql:
    """Return a condition on `traces` and its parameters; `TRUE` for the empty filter."""
    return ("TRUE", []) if wanted.root is None else _node(wanted.root)


def like(parts: tuple[str, ...]) -> str:
    """Return the LIKE pattern of `parts` with wildcards between; `%` and `_` in them are literal.

    >>> print(like(("50%_a", "")))
    50\\%\\_a%
    """
    escaped = (part.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") for part in parts)
    return "%".join(escaped)


def _node(node: Node) -> Sql:
    match node:
        case And():
            return _joined(" AND ", [_node(inner) for inner in node.nodes])
        case Or():
            return _joined(" OR ", [_node(inner) for inner in node.nodes])
        case Not():
            condition, params = _node(node.node)
            return f"({condition}) IS NOT TRUE", params  # a null is no match either
        case Text():
            return _said(words.FREE, (node.words,))
        case Term():
            read = _value_reader(node.key)
            return _joined(" OR ", [read(value) for value in node.values])


def _joined(word: str, conditions: list[Sql]) -> Sql:
    if len(conditions) == 1:
        return conditions[0]
    params = [param for _, inner in conditions for param in inner]
    return f"({word.join(f'({condition})' for condition, _ in conditions)})", params


def _value_reader(key: str) -> Callable[[Value], Sql]:
    """Return the function that turns one value of `key` into a condition."""
    if key == "is":
        return lambda value: (_STATES[_word(value)], [])
    if key == "trace":
        return _trace_id
    if key == "failure":
        return _failure
    if key in VERSIONED:
        return lambda value: _versioned(COLUMNS[key].name, value)
    if key in _HELD:
        return _HELD[key]
    if key.startswith(keys.SCORE):
        return lambda value: _score(key.removeprefix(keys.SCORE), value)
    if key.startswith(keys.META):
        return lambda value: _metadata(key.removeprefix(keys.META), value)
    if key.startswith(keys.ATTR):
        return lambda value: _attribute(attributes.name_of(key), value)
    if key in words.FIELDS:
        return lambda value: _contained(key, value)
    column = COLUMNS[key]
    if column.many:
        return lambda value: _among(column.name, value)
    return lambda value: _scalar(f"traces.{column.name}", [], value)


def _word(value: Value) -> str:
    assert isinstance(value, Pattern)  # noqa: S101 the key table has `is` as a choice without none
    return value.parts[0]


def _scalar(expression: str, before: Params, value: Value) -> Sql:
    match value:
        case Absent():
            return f"{expression} IS NULL", before
        case Pattern(parts) if len(parts) == 1:
            return f"{expression} = %s", [*before, parts[0]]
        case Pattern(parts):
            return f"{expression} LIKE %s", [*before, like(parts)]
        case Amount():
            return f"{expression} = %s", [*before, value.value]
        case Compared():
            return f"{expression} {value.op} %s", [*before, value.amount.value]
        case Between():
            return f"{expression} BETWEEN %s AND %s", [*before, value.low.value, value.high.value]


def _among(column: str, value: Value) -> Sql:
    match value:
        case Absent():
            return f"cardinality(traces.{column}) = 0", []
        case Pattern(parts) if len(parts) == 1:
            return f"traces.{column} @> ARRAY[%s]::text[]", [parts[0]]
    condition, params = _scalar("item", [], value)
    return f"EXISTS (SELECT FROM unnest(traces.{column}) item WHERE {condition})", params


def _versioned(column: str, value: Value) -> Sql:
    """A prompt or tool without `@` means every version of it."""
    if not isinstance(value, Pattern) or any("@" in part for part in value.parts):
        return _among(column, value)
    pattern = like(value.parts)
    condition = "item LIKE %s OR item LIKE %s"
    return (
        f"EXISTS (SELECT FROM unnest(traces.{column}) item WHERE {condition})",
        [pattern, f"{pattern}@%"],
    )


def _metadata(field: str, value: Value) -> Sql:
    """A field of the metadata; with dots in its name also one inside another: `customer.tier`."""
    before: Params = [field]
    plain, text = "traces.metadata -> %s", "traces.metadata ->> %s"
    if "." in field:
        before.append(field.split("."))
        plain = f"COALESCE({plain}, traces.metadata #> %s::text[])"
        text = f"COALESCE({text}, traces.metadata #>> %s::text[])"
    if isinstance(value, Absent):
        return f"({plain}) IS NULL", before
    return _scalar(f"({text})", before, value)


def _attribute(name: str, value: Value) -> Sql:
    """An attribute of any span; a `*` that is not at the end is checked on each value."""
    if not isinstance(value, Pattern):
        condition, params = _attribute(name, Pattern(("", "")))
        return f"NOT {condition}", params
    held, given = attribute("held.pairs", attributes.sought(name, value))
    return (
        "EXISTS (SELECT FROM trace_attributes held WHERE held.project_id = traces.project_id"
        f" AND held.day = traces.day AND held.trace_id = traces.trace_id AND {held})",
        given,
    )


def attribute(column: str, asked: attributes.Sought) -> Sql:
    """Tell whether the attributes in a column hold what is sought, without the index."""
    condition, params = f"{column} LIKE %s", [like(asked.near)]
    if asked.exact:
        parts = f"string_to_table({column}, %s)"
        condition += f" AND EXISTS (SELECT FROM {parts} part WHERE part LIKE %s)"
        params += [attributes.JOIN, like(asked.exact)]
    return condition, params


def _contained(key: str, value: Value) -> Sql:
    if isinstance(value, Pattern):
        return _said((words.FIELDS[key],), value.parts)
    return f"COALESCE(traces.{COLUMNS[key].name}, '') = ''", []


_SAID = {words.INPUT: "input", words.OUTPUT: "output", words.ERROR: "error", words.NAME: "name"}
# What the index on texts is over.
TEXT_WORDS = "tracehub_text_words(said.words, said.name, said.input, said.output, said.error)"


def _said(fields: tuple[str, ...], parts: tuple[str, ...]) -> Sql:
    """Words, each the beginning of one in the text; more than one word also as it was written."""
    conditions, params = [], []
    if query := words.tsquery(fields, parts):
        conditions.append(f"{TEXT_WORDS} @@ %s::tsquery")
        params.append(query)
    # The words of a text are worked out of it: a look at the text spares that of most rows.
    if not words.is_simple(parts) or parts[0].isascii():
        each = " OR ".join(f"said.{_SAID[field]} ILIKE %s" for field in fields)
        conditions.append(f"({each})")
        params += [like(("", *parts, ""))] * len(fields)
    return (
        "EXISTS (SELECT FROM trace_texts said WHERE said.project_id = traces.project_id"
        " AND said.day = traces.day AND said.trace_id = traces.trace_id"
        f" AND {' AND '.join(conditions)})",  # our own text
        params,
    )


def _failure(value: Value) -> Sql:
    """A group, and those that were merged into it: a merge changes no trace."""
    if isinstance(value, Absent):
        return "traces.failures = '{}'", []
    number = int(_word(value).removeprefix("TH-"))
    return (
        "traces.failures && ARRAY(SELECT f.id FROM failures_failure f"
        " LEFT JOIN failures_failure root ON root.id = f.merged_into_id"
        " WHERE f.project_id = traces.project_id AND %s IN (f.number, root.number))",
        [number],
    )


# Not correlated, so each is read once and hashed, or drives the join.
_QUEUED = (
    "(traces.project_id, traces.trace_id) IN (SELECT held.project_id, held.trace_id"
    " FROM review_queueitem held JOIN review_queue queue ON queue.id = held.queue_id WHERE true"
)
_PROMOTED = (
    "(traces.project_id, traces.trace_id) IN (SELECT held.project_id, held.source_trace_id"
    " FROM evals_case held JOIN evals_evalset sets ON sets.id = held.eval_set_id"
    " WHERE held.source_trace_id IS NOT NULL"
    " AND (held.removed_in IS NULL OR held.removed_in > held.added_in)"
)
_NOTED = (
    "(traces.project_id, traces.trace_id) IN (SELECT held.project_id, held.trace_id"
    " FROM review_review held WHERE held.withdrawn_at IS NULL AND NOT held.sealed"
    " AND NOT held.is_repeat AND held.note <> ''"
)


def _within(held: str, column: str, value: Value) -> Sql:
    if isinstance(value, Absent):
        return f"({held})) IS NOT TRUE", []
    condition, params = _scalar(column, [], value)
    return f"{held} AND {condition})", params


def _noted(value: Value) -> Sql:
    """What a reviewer wrote, in any case; sealed notes are found by nobody."""
    if not isinstance(value, Pattern):
        return f"({_NOTED})) IS NOT TRUE", []
    return f"{_NOTED} AND held.note ILIKE %s)", [like(("", *value.parts, ""))]


_HELD: dict[str, Callable[[Value], Sql]] = {
    "queue": lambda value: _within(_QUEUED, "queue.slug", value),
    "set": lambda value: _within(_PROMOTED, "sets.slug", value),
    "note": _noted,
}


def _score(name: str, value: Value) -> Sql:
    """A score by its name; yes and no are 1 and 0, and what is no number has no amount."""
    if isinstance(value, Absent):
        given = "jsonb_build_array(jsonb_build_object('name', %s::text))"
        return f"NOT traces.feedback @> {given}", [name]
    amount = (
        "CASE jsonb_typeof(score -> 'value') WHEN 'number' THEN (score ->> 'value')::numeric"
        " WHEN 'boolean' THEN (score ->> 'value')::boolean::int END"
    )
    condition, params = _scalar(f"({amount})", [], value)
    return (
        "EXISTS (SELECT FROM jsonb_array_elements(traces.feedback) score"
        f" WHERE score ->> 'name' = %s AND {condition})",
        [name, *params],
    )


def _trace_id(value: Value) -> Sql:
    digits = _word(value)
    if len(digits) == 32:
        return "traces.trace_id = %s::uuid", [digits]
    return (
        "traces.trace_id BETWEEN %s::uuid AND %s::uuid",
        [digits.ljust(32, "0"), digits.ljust(32, "f")],
    )
