"""`openai-evals`: a registry for `oaieval`, one eval per matcher. Package evals 3.0.1.

Each case goes to the matcher that its assertions ask for: `JsonMatch` for JSON, `Includes` for
`contains`, else `Match`, which compares the beginning. Cases without an expected output have
nothing to be matched with and are counted as lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tracehub.core.cases import Case
from tracehub.core.exports.base import Bundle, ExportError, Format, Part, Tally
from tracehub.core.exports.fields import as_text, line, meta, openai_messages

_MATCHERS = {
    "match": "evals.elsuite.basic.match:Match",
    "includes": "evals.elsuite.basic.includes:Includes",
    "json": "evals.elsuite.basic.json_match:JsonMatch",
}


def _matcher(case: Case) -> str:
    if not isinstance(case["expected_output"], str):
        return "json"
    return "includes" if any(a["type"] == "contains" for a in case["assertions"]) else "match"


def _row(case: Case) -> dict[str, Any]:
    return {
        "input": openai_messages(case),
        "ideal": as_text(case["expected_output"]),
        "metadata": meta(case),
    }


def _with_ideal(bundle: Bundle) -> Iterator[Case]:
    return (case for case in bundle.cases if case["expected_output"] is not None)


def _lines(bundle: Bundle, matcher: str) -> Iterator[bytes]:
    return (line(_row(case)) for case in _with_ideal(bundle) if _matcher(case) == matcher)


def _registry(bundle: Bundle, matchers: list[str]) -> str:
    # Slugs hold letters, digits, - and _ only, so they need no quoting in YAML names.
    blocks = []
    for matcher in matchers:
        name = f"{bundle.slug}-{matcher}"
        blocks.append(
            f'"{name}":\n  id: "{name}.dev.v{bundle.version}"\n  metrics: [accuracy]\n'
            f'"{name}.dev.v{bundle.version}":\n  class: {_MATCHERS[matcher]}\n'
            f"  args: {{samples_jsonl: tracehub/{matcher}.jsonl}}\n"
        )
    return "".join(blocks)


def _write(bundle: Bundle, tally: Tally) -> Iterator[Part]:
    used: set[str] = set()
    for case in bundle.cases:
        tally.cases += 1
        tally.metadata += len(case["assertions"])
        if case["expected_output"] is None:
            tally.lost["cases without an expected output"] += 1
        else:
            used.add(_matcher(case))
    if tally.cases and not used:
        raise ExportError("openai-evals needs an expected output; no case of this version has one.")
    matchers = [matcher for matcher in _MATCHERS if matcher in used]
    yield f"evals/{bundle.slug}.yaml", [_registry(bundle, matchers).encode()]
    for matcher in matchers:
        yield f"data/tracehub/{matcher}.jsonl", _lines(bundle, matcher)


FORMAT = Format(
    name="openai-evals",
    label="OpenAI evals",
    help="A registry with data for oaieval.",
    files=("evals/SET.yaml", "data/tracehub/*.jsonl"),
    media_type="application/zip",
    write=_write,
)
