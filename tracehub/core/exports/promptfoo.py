"""`promptfoo`: a config, the tests beside it, and a helper for what promptfoo cannot check itself.

Verified against promptfoo 0.121: tests stay in a JSONL file, since the YAML config is dereferenced
against its own root; assertion values are Nunjucks templates; a top-level text variable that starts
with file:// would be read from the disk of the CI machine, so trace text is only ever nested.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, Format, Part, Tally
from tracehub.core.exports.draft07 import CannotConvert, convert
from tracehub.core.exports.fields import line, meta, openai_messages, to_json
from tracehub.core.exports.promptfoo_helper import HELPER

HELPER_FILE = "tracehub_assert.cjs"
_CONFIG = """\
description: {title}
prompts: [{{id: messages, label: messages as recorded, raw: '{{{{ messages | dump | safe }}}}'}}]
providers: [echo]            # put your provider here
tests: file://tests.jsonl
"""


def _test(case: Case, tally: Tally) -> dict[str, Any]:
    expected = case["expected_output"]
    metadata = {key: value for key, value in meta(case).items() if key != "assertions"}
    return {
        "description": f"{case['id']} {case['title']}".strip(),
        "vars": {
            "messages": openai_messages(case),
            "variables": case["input"]["variables"],
            "context": case["context"],
            "expected": {} if expected is None else {"output": expected},
        },
        "metadata": metadata,
        "assert": [_assertion(assertion, tally) for assertion in case["assertions"]],
    }


def _assertion(assertion: dict[str, Any], tally: Tally) -> dict[str, Any]:
    metric = f"{assertion['id']}:{assertion['type']}"
    own = _own(assertion)
    if own is not None:
        return {**own, "metric": metric}
    tally.helper += 1
    return {
        "type": "javascript",
        "value": f"file://{HELPER_FILE}",
        "config": assertion,
        "metric": metric,
    }


def _own(assertion: dict[str, Any]) -> dict[str, Any] | None:
    """Return promptfoo's own assertion, None when only the helper can say the same."""
    kind, quiet = assertion["type"], assertion.get("ignore_case", False)
    if kind == "exact" and isinstance(assertion["value"], str) and not quiet:
        return {"type": "equals", "value": literal(assertion["value"])}
    if kind in {"contains", "not_contains"}:
        name = "icontains" if quiet else "contains"
        negation = "not-" if kind == "not_contains" else ""
        return {"type": f"{negation}{name}", "value": literal(assertion["value"])}
    if kind == "regex" and not quiet:
        return {"type": "regex", "value": literal(assertion["pattern"])}
    if kind == "json_schema":
        return _schema(assertion["schema"])
    if kind == "max_cost":
        return {"type": "cost", "threshold": float(assertion["usd"])}
    if kind == "max_latency":
        return {"type": "latency", "threshold": assertion["ms"]}
    if kind == "llm_rubric":
        rubric = {"type": "llm-rubric", "value": literal(assertion["rubric"])}
        return rubric | {"threshold": assertion["threshold"]}
    return None


def _schema(schema: dict[str, Any]) -> dict[str, Any] | None:
    try:
        converted = convert(schema)
    except CannotConvert:
        return None
    # Strings inside an object value are neither rendered nor read, but an empty schema would be
    # taken for no schema at all: then only the syntax is checked, which is what it says.
    return {"type": "is-json", "value": converted} if converted else {"type": "is-json"}


def literal(text: str) -> str:
    """Return a template that renders to `text`, whatever is in it.

    >>> literal("a {{ b }}")
    'a {{ "{{" }} b }}'
    >>> literal("file:///etc/passwd")
    '{{ "file" }}:///etc/passwd'
    """
    result = []
    at = 0
    while at < len(text):
        if text[at] == "{" and text[at + 1 : at + 2] in {"{", "%", "#"}:
            result.append(f'{{{{ "{text[at : at + 2]}" }}}}')
            at += 2
        else:
            result.append(text[at])
            at += 1
    rendered = "".join(result)
    return '{{ "file" }}' + rendered[4:] if text.startswith("file://") else rendered


def _tests(bundle: Bundle, tally: Tally) -> Iterator[bytes]:
    for case in bundle.cases:
        tally.cases += 1
        yield line(_test(case, tally))


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    title = to_json(f"TraceHub {bundle.slug}@{bundle.version}")
    yield "promptfooconfig.yaml", [_CONFIG.format(title=title).encode()]
    yield "tests.jsonl", _tests(bundle, tally)
    yield HELPER_FILE, [HELPER.encode()]


FORMAT = Format(
    name="promptfoo",
    label="promptfoo",
    help="Config, tests and the assertions that promptfoo lacks.",
    files=("promptfooconfig.yaml", "tests.jsonl", HELPER_FILE),
    media_type="application/zip",
    write=_write,
    helper=HELPER_FILE,
)
