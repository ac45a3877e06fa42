"""The keys of the filter language: what each takes, and one line of help.

docs/reference/filters.md has a row for each; `traces/filter_sql.py` an expression.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

from tracehub.core.trace import KINDS, OUTCOMES, SEVERITIES

Type = Literal[
    "choice", "text", "words", "id", "group", "duration", "money", "count", "score", "attribute"
]

STATES = (
    "failing",
    "passing",
    "reviewed",
    "unreviewed",
    "retried",
    "fallback",
    "timeout",
    "promoted",
    "error",
    "streaming",
)
VERDICTS = ("fail", "pass", "unsure")
SIGNALS = (
    "schema_error",
    "not_json",
    "unknown_label",
    "required_null",
    "validation_error",
    "tool_error",
    "tool_arguments_invalid",
    "unknown_tool",
    "tool_loop",
    "timeout",
    "slow",
    "retried",
    "fallback",
    "empty_output",
    "truncated",
    "refusal",
    "content_filter",
    "repetition",
    "low_grounding",
    "unknown_citation",
    "empty_retrieval",
    "wrong_language",
    "too_long",
    "pii_in_output",
    "secret_in_output",
    "cost_outlier",
    "token_outlier",
    "guardrail_hit",
    "exception",
    "negative_feedback",
    "rephrased",
    "judge_fail",
)


class Key(NamedTuple):
    """One key. `choices` are the only values of a choice; `optional` tells whether `none` fits."""

    name: str
    type: Type
    help: str
    choices: tuple[str, ...] = ()
    optional: bool = True


_TABLE = (
    Key("is", "choice", "State: failing, unreviewed, retried and others", STATES, optional=False),
    Key("signal", "choice", "Kind of signal; the first letters are enough", SIGNALS),
    Key("verdict", "choice", "Verdict of people: fail, pass, unsure", VERDICTS),
    Key("mode", "text", "Failure mode, by its slug"),
    Key("failure", "group", "Group of failures: TH-418"),
    Key("severity", "choice", "Highest severity of its signals", SEVERITIES),
    Key("reviewer", "text", "Address of a reviewer"),
    Key("queue", "text", "Review queue that holds it, by its slug"),
    Key("set", "text", "Eval set with a case from it, by its slug"),
    Key("note", "words", "Text in a reviewer's note"),
    Key("name", "text", "Name of the trace"),
    Key("agent", "text", "Name of an agent in it"),
    Key("prompt", "text", "Prompt, with or without version: refund, refund@v12"),
    Key("model", "text", "Model that answered"),
    Key("provider", "text", "Provider of a model"),
    Key("tool", "text", "Tool, with or without version: get_booking, get_booking@2.1"),
    Key("kind", "choice", "Kind of a span: agent, llm, tool, retriever and others", KINDS),
    Key("span", "text", "Name of a span"),
    Key("env", "text", "Environment"),
    Key("cohort", "text", "Stage of a rollout"),
    Key("release", "text", "Release of the application"),
    Key("session", "text", "Session id"),
    Key("user", "text", "User id"),
    Key("tag", "text", "Tag"),
    Key("latency", "duration", "Duration of the trace: >5s, 800ms..2s"),
    Key("ttft", "duration", "Time to first token"),
    Key("cost", "money", "Cost in US dollars: >0.03"),
    Key("tokens", "count", "Tokens in all: >10k"),
    Key("input_tokens", "count", "Input tokens"),
    Key("output_tokens", "count", "Output tokens"),
    Key("spans", "count", "Number of spans", optional=False),
    Key("retries", "count", "Number of retries", optional=False),
    Key("outcome", "choice", "How it ended: answered, escalated and others", OUTCOMES),
    Key("finish", "text", "Finish reason of a model call"),
    Key("trace", "id", "Trace id, or its first digits with *", optional=False),
    Key("input", "words", "Text in the input"),
    Key("output", "words", "Text in the output"),
    Key("error", "words", "Text in an error or signal message", optional=False),
)
KEYS: dict[str, Key] = {key.name: key for key in _TABLE}
NO_KEYS: Mapping[str, Key] = MappingProxyType({})
META = "meta."
META_KEY = Key("meta.KEY", "text", "Value in the metadata")
SCORE = "score."
SCORE_KEY = Key("score.NAME", "score", "Score in the feedback: <0.5, 0, -1..1")
ATTR = "attr."
ATTR_KEY = Key("attr.KEY", "attribute", "Value of an attribute of a span")
LONGEST_ATTRIBUTE = 200  # characters of the key, and of a value
# Keys that go on with a name, and an example.
NAMED = {META: "meta.tenant:12", SCORE: "score.thumbs:0", ATTR: "attr.http.route:/refund"}


def find(name: str) -> Key | None:
    """Return the key called `name`; any `meta.`, `attr.` or `score.` name is its own.

    >>> find("latency").type, find("meta.tenant").type, find("latencies")
    ('duration', 'text', None)
    """
    if name.startswith(META) and len(name) > len(META):
        return META_KEY._replace(name=name)
    if name.startswith(SCORE) and len(name) > len(SCORE):
        return SCORE_KEY._replace(name=name)
    if name.startswith(ATTR) and len(name) > len(ATTR):
        return ATTR_KEY._replace(name=name)
    return KEYS.get(name)
