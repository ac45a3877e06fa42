"""`ragas`: samples for `EvaluationDataset.from_jsonl`. Field names: ragas 0.4.3.

Cases of one user turn and of several cannot share a file. Ragas drops unknown keys, so ids come
back by the order of lines only; system messages have no type there and are counted as lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.fields import as_text, input_text, line, message_text

_TYPES = {"user": "human", "assistant": "ai", "tool": "tool"}


def _is_single(case: Case) -> bool:
    messages = [m for m in case["input"]["messages"] if m["role"] in _TYPES]
    return len(messages) <= 1 and not case["tool_calls"]["expected"]


def _single(case: Case) -> dict[str, Any]:
    row = {
        "tracehub_case": case["id"],
        "user_input": input_text(case),
        "reference": as_text(case["expected_output"]),
        "reference_contexts": [document["content"] for document in case["context"]] or None,
        "reference_context_ids": [document["id"] for document in case["context"]] or None,
    }
    return {key: value for key, value in row.items() if value is not None}


def _multi(case: Case) -> dict[str, Any]:
    turns = [_turn(m) for m in case["input"]["messages"] if m["role"] in _TYPES]
    calls = case["tool_calls"]["expected"]
    row = {
        "tracehub_case": case["id"],
        "user_input": turns or [{"type": "human", "content": input_text(case)}],
        "reference": as_text(case["expected_output"]),
        "reference_tool_calls": [_call(call) for call in calls] or None,
    }
    return {key: value for key, value in row.items() if value is not None}


def _turn(message: dict[str, Any]) -> dict[str, Any]:
    turn: dict[str, Any] = {
        "type": _TYPES[message["role"]],
        "content": message_text(message["content"]),
    }
    if message["role"] == "assistant" and message.get("tool_calls"):
        turn["tool_calls"] = [_call(call) for call in message["tool_calls"]]
    return turn


def _call(call: dict[str, Any]) -> dict[str, Any]:
    arguments = call["arguments"]
    return {
        "name": call["name"],
        "args": arguments if isinstance(arguments, dict) else {"value": arguments},
    }


def _lines(bundle: Bundle, single: bool, row: Callable[[Case], dict[str, Any]]) -> Iterator[bytes]:
    return (line(row(case)) for case in bundle.cases if _is_single(case) == single)


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    kinds: set[bool] = set()
    for case in bundle.cases:
        tally.cases += 1
        tally.lost["assertions"] += len(case["assertions"])
        system = sum(m["role"] not in _TYPES for m in case["input"]["messages"])
        tally.lost["system messages"] += system
        kinds.add(_is_single(case))
    tally.lost = +tally.lost  # what was never lost is not worth a word
    if True in kinds:
        yield "single_turn.jsonl", _lines(bundle, True, _single)
    if False in kinds:
        yield "multi_turn.jsonl", _lines(bundle, False, _multi)


FORMAT = Format(
    name="ragas",
    label="Ragas",
    help="Samples by number of turns.",
    files=("single_turn.jsonl", "multi_turn.jsonl"),
    media_type="application/x-ndjson",
    write=_write,
)
