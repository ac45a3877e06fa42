"""A test of promptfoo -> the content of a case: the way back from `exports.promptfoo`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tracehub.core.case_files import parts
from tracehub.core.trace import Json

_LITERAL = re.compile(r'\{\{ "(\{\{|\{%|\{#|file)" \}\}')
_TEXTS = {
    "contains": ("contains", False), "icontains": ("contains", True),
    "not-contains": ("not_contains", False), "not-icontains": ("not_contains", True),
    "equals": ("exact", False),
}  # fmt: skip


def content(test: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the content of a case, and the keys and assertions that are not taken."""
    given = test["vars"] if isinstance(test["vars"], dict) else {"input": test["vars"]}
    about = test.get("metadata") if isinstance(test.get("metadata"), dict) else {}
    assert isinstance(about, dict)  # noqa: S101 for the type checker
    expected = given.get("expected")
    inside, context = parts.with_context({k: v for k, v in given.items() if k != "expected"})
    found: list[dict[str, Any]] = []
    untaken = parts.unknown_meta(about)
    asserted = test.get("assert") or []
    for one in asserted if isinstance(asserted, list) else []:
        known = next(_assertion(one), None) if isinstance(one, dict) else None
        if known is None:
            untaken.append(f"assertion {one.get('type') if isinstance(one, dict) else one}")
        else:
            found.append(known)
    case = {
        "title": str(test.get("description") or "")[:300],
        **parts.from_meta(about),
        "input": parts.without_stand_in(inside),
        "context": context,
        "expected_output": expected.get("output") if isinstance(expected, dict) else expected,
        "assertions": found,
    }
    taken = {"vars", "metadata", "assert", "description"}
    return case, [*(key for key in test if key not in taken), *untaken]


def _assertion(one: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the assertion that says the same, or nothing."""
    kind, value = one.get("type"), one.get("value")
    id = str(one.get("metric") or "").partition(":")
    named: dict[str, Any] = {"id": id[0]} if id[1] else {}
    if kind == "javascript" and isinstance(one.get("config"), dict):
        yield dict(one["config"])
    elif kind in _TEXTS and value is not None:
        name, quiet = _TEXTS[kind]
        yield {
            **named,
            "type": name,
            "value": _plain(value),
            **({"ignore_case": True} if quiet else {}),
        }
    elif kind == "regex":
        yield {**named, "type": "regex", "pattern": _plain(value)}
    elif kind == "is-json":
        schema = value if isinstance(value, dict) else {}
        yield {**named, "type": "json_schema", "schema": schema}
    elif kind == "cost" and "threshold" in one:
        yield {
            **named,
            "type": "max_cost",
            "usd": f"{float(one['threshold']):.12f}".rstrip("0").rstrip("."),
        }
    elif kind == "latency" and "threshold" in one:
        yield {**named, "type": "max_latency", "ms": one["threshold"]}
    elif kind == "llm-rubric":
        threshold = one.get("threshold", 0.5)
        yield {**named, "type": "llm_rubric", "rubric": _plain(value), "threshold": threshold}


def _plain(value: Json) -> Json:
    """Return the text of a template that says only text: `exports.promptfoo.literal` undone."""
    return _LITERAL.sub(r"\1", value) if isinstance(value, str) else value
