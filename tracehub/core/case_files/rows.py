"""One JSON object of a file -> the content of a case: the native form or another tool's form.

The forms of other tools are those that `tracehub.core.exports` writes, so that an export comes back
as it was where the form has room for it. Field names were verified with the versions named there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from tracehub.core.case_files import parts, promptfoo
from tracehub.core.cases import CASE_SCHEMA, SCHEMA_NAME
from tracehub.core.trace import Json

Found = tuple[str, dict[str, Any], list[str]]  # format, content of a case, keys not taken
_NATIVE = frozenset(CASE_SCHEMA["properties"])
# Format -> keys that tell it, key of the input, key of the expected output, of the metadata.
_FORMS: dict[str, tuple[frozenset[str], str, str, str]] = {
    "deepeval": (
        frozenset({"input", "additional_metadata"}), "input", "expected_output",
        "additional_metadata",
    ),
    "mlflow": (frozenset({"inputs", "expectations"}), "inputs", "expectations", "tags"),
    "langsmith": (frozenset({"inputs", "outputs"}), "inputs", "outputs", "metadata"),
    "langfuse": (frozenset({"input", "status"}), "input", "expectedOutput", "metadata"),
    "inspect": (frozenset({"input", "target"}), "input", "target", "metadata"),
    "phoenix": (frozenset({"input", "output"}), "input", "output", "metadata"),
    "braintrust": (frozenset({"input", "metadata"}), "input", "expected", "metadata"),
    "openai-jsonl": (frozenset({"messages"}), "messages", "ideal", "metadata"),
}  # fmt: skip
_ASIDE = frozenset(  # keys that say the same as the metadata, or are the tool's own
    "id name split splits tags source status datasetName sourceTraceId sourceObservationId"
    " custom_column_key_values expected_tools context".split()
)


def content(value: Mapping[str, Any]) -> Found:
    """Return the format of a record, the content of its case, and the keys that are not taken.

    Raises ShapeError. What is in no known form is held against the native one, whose check names
    the first thing that does not fit.
    """
    if "vars" in value:
        return "promptfoo", *promptfoo.content(value)
    if value.get("schema") != SCHEMA_NAME and not value.keys() <= _NATIVE:
        for name, (tells, *keys) in _FORMS.items():
            if tells <= value.keys() or (name == "braintrust" and "expected" in value):
                return name, *_foreign(value, *keys)
    given = value.get("input")
    if isinstance(given, str | list):
        value = {**value, "input": parts.given(given)}
    known = {key: one for key, one in value.items() if key in _NATIVE}
    return "native", known, [key for key in value if key not in _NATIVE]


def _foreign(
    value: Mapping[str, Any], given: str, expected: str, meta: str
) -> tuple[dict[str, Any], list[str]]:
    about = value.get(meta) if isinstance(value.get(meta), dict) else {}
    assert isinstance(about, dict)  # noqa: S101 for the type checker
    answer = _answer(value.get(expected))
    inside, context = parts.with_context(value.get(given))
    # Tools that take one text get the whole messages beside it.
    if about.get("messages") and not isinstance(value.get(given), dict):
        inside = parts.given(about["messages"])
    if isinstance(about.get("variables"), dict):
        inside["variables"] = about["variables"]
    made = {
        "input": parts.without_stand_in(inside),
        "context": context or _documents(value, about),
        "expected_output": answer,
        **parts.from_meta(about),
    }
    if isinstance(value.get("tags"), list) and "tags" not in about:
        made["tags"] = [tag for tag in value["tags"] if isinstance(tag, str)]
    taken = {given, expected, meta, *_ASIDE}
    return made, [*(key for key in value if key not in taken), *parts.unknown_meta(about)]


def _answer(value: Json) -> Json:
    """The expected output, where tools wrap it; JSON when the text is a JSON object or list."""
    if isinstance(value, dict):
        for key in ("output", "expected_response"):
            if key in value:
                return parts.json_or_text(value[key])
        if not value or value.keys() <= {"guidelines", "expected_tool_calls"}:
            return None
    return parts.json_or_text(value) if value != "" else None


def _documents(value: Mapping[str, Any], about: Mapping[str, Any]) -> list[Any]:
    context = about.get("context") or value.get("context") or []
    if not isinstance(context, list):
        return [{"content": json.dumps(context)}]
    ids = about.get("context_ids") or []
    return [
        {"content": one, **({"id": str(ids[i])} if i < len(ids) else {})}
        if isinstance(one, str)
        else one
        for i, one in enumerate(context)
    ]
