"""The one internal shape of a trace.

Every wire format becomes a list of `Span`; everything downstream (summary, signals, pages, API,
exports) reads only this. Names follow the trace JSON of docs/reference/api.md.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal, NamedTuple

Json = Any  # dict | list | str | int | float | bool | None, as decoded from JSON

Kind = Literal[
    "agent",
    "chain",
    "llm",
    "tool",
    "retriever",
    "embedding",
    "reranker",
    "guardrail",
    "evaluator",
    "other",
]
KINDS: tuple[Kind, ...] = (
    "agent",
    "chain",
    "llm",
    "tool",
    "retriever",
    "embedding",
    "reranker",
    "guardrail",
    "evaluator",
    "other",
)
Outcome = Literal[
    "answered", "clarified", "insufficient", "escalated", "refused", "fallback", "error"
]
OUTCOMES: tuple[Outcome, ...] = (
    "answered",
    "clarified",
    "insufficient",
    "escalated",
    "refused",
    "fallback",
    "error",
)
Severity = Literal["low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = ("low", "medium", "high", "critical")


class SpanKey(NamedTuple):
    """Identity of a span inside its project. Both ids are lower-case hex, 32 and 16 digits."""

    trace_id: str
    span_id: str


@dataclass(slots=True)
class RawSpan:
    """One span as it came over the wire, before any convention was applied.

    Ids are lower-case hex. Times are nanoseconds since the epoch; `end_ns` 0 means unfinished.
    `attributes` values are plain JSON (bytes became base64 text). `status_code` is OTLP's:
    0 unset, 1 ok, 2 error. `events` are dicts with `name`, `time_ns`, `attributes`.
    `resource` and `scope` are shared between the spans of a batch: never change them.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    start_ns: int
    end_ns: int
    attributes: dict[str, Json]
    events: list[dict[str, Json]]
    status_code: int = 0
    status_message: str = ""
    links: list[dict[str, Json]] = field(default_factory=list)
    resource: dict[str, Json] = field(default_factory=dict)
    scope: dict[str, Json] = field(default_factory=dict)  # name, version
    span_kind: int = 0  # OTLP SpanKind
    trace_state: str = ""
    flags: int = 0
    dropped: dict[str, int] = field(
        default_factory=dict
    )  # attributes, events, links; non-zero only


@dataclass(slots=True)
class Rejected:
    """A span that could not be stored: where it was in the request, the field, and why."""

    index: int
    field: str
    message: str


@dataclass(slots=True)
class Tokens:
    """Token counts of one call or of a whole trace; None means not reported, never 0.

    `input` holds cached and cache-write tokens too, `output` holds reasoning tokens.
    """

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cached: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    audio_input: int | None = None
    audio_output: int | None = None


@dataclass(slots=True)
class Prompt:
    """The registered prompt that a call was made with."""

    name: str | None = None
    version: str | None = None
    template: str | None = None
    variables: dict[str, Json] = field(default_factory=dict)

    @property
    def label(self) -> str | None:
        """`refund@v12`, or just the part that is known."""
        if self.name and self.version:
            return f"{self.name}@{self.version}"
        return self.name


@dataclass(slots=True)
class ToolUse:
    """What a tool span ran. `arguments` and `result` are parsed JSON where they were JSON.

    `version` is that of the tool, or of the server that offers it.
    """

    name: str | None = None
    call_id: str | None = None
    arguments: Json = None
    result: Json = None
    description: str | None = None
    version: str | None = None


@dataclass(slots=True)
class ValidationError:
    """A contract or schema violation that the sender reported. `pointer` is RFC 6901."""

    pointer: str
    rule: str
    message: str


@dataclass(slots=True)
class SpanFacts:
    """What a trace learns from one span about itself: the trace-level fields a span carries.

    Differing values between spans are no error; `core.summary` decides which one wins.
    `session_rank` 0 marks an explicit session id, 1 a conversation id, 2 one found in metadata; a
    lower rank anywhere in the trace beats a higher one.
    """

    trace_name: str | None = None
    session_id: str | None = None
    session_rank: int = 0
    user_id: str | None = None
    environment: str | None = None
    release: str | None = None
    cohort: str | None = None
    service: str | None = None
    outcome: Outcome | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Json] = field(default_factory=dict)
    trace_input: Json = None  # langfuse.trace.input / .output override the root's
    trace_output: Json = None
    is_app_root: bool = False
    pending: bool = False  # placeholder of a span that is still running


@dataclass(slots=True)
class Span:
    """One normalised step of a trace.

    `input` and `output` are `{"messages": [...]}` for calls of a chat model, any JSON otherwise;
    a message is `{"role", "content": [part], "tool_calls": [{"id", "name", "arguments"}],
    "tool_call_id"}`. `duration_ns` None means unfinished. `flags` names what was mended on
    arrival: `start_missing`, `end_before_start`, `start_in_future`, `late`.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: Kind
    start_ns: int
    duration_ns: int | None
    error: bool = False
    error_type: str | None = None
    error_message: str | None = None
    provider: str | None = None
    model: str | None = None
    model_requested: str | None = None
    service_tier: str | None = None  # of `core.cost.TIERS`; None for the usual
    parameters: dict[str, Json] = field(default_factory=dict)
    finish_reasons: list[str] = field(default_factory=list)
    response_id: str | None = None
    agent: str | None = None
    prompt: Prompt | None = None
    input: Json = None
    output: Json = None
    context: list[dict[str, Json]] = field(default_factory=list)
    tool: ToolUse | None = None
    validation_errors: list[ValidationError] = field(default_factory=list)
    output_schema: Json = None  # the JSON Schema that the caller asked the output to follow
    guardrail: dict[str, Json] | None = None  # name, passed, score, message
    feedback: list[dict[str, Json]] = field(default_factory=list)  # name, value, label, comment
    tokens: Tokens | None = None
    tokens_counted: bool = True  # False: a roll-up of its children; never summed
    cost: Decimal | None = None
    cost_source: Literal["sent", "computed"] | None = None
    ttft_ns: int | None = None
    streaming: bool = False
    facts: SpanFacts = field(default_factory=SpanFacts)
    attributes: dict[str, Json] = field(default_factory=dict)
    events: list[dict[str, Json]] = field(default_factory=list)
    links: list[dict[str, Json]] = field(default_factory=list)
    resource: dict[str, Json] = field(default_factory=dict)
    scope: dict[str, Json] = field(default_factory=dict)
    dropped: dict[str, int] = field(default_factory=dict)
    flags: list[str] = field(default_factory=list)
    # Of a span in TraceHub's own JSON: `posted` and `posted_trace`, as the sender wrote them.
    posted: dict[str, Json] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return self.duration_ns is not None


@dataclass(slots=True)
class Signal:
    """A fact found by a machine: what, where, message, severity.

    `span_id` is None for a signal of the whole trace. `pointer` is an RFC 6901 JSON pointer into
    the span's output. `evidence` holds the small values that the message was made from.
    """

    kind: str
    message: str
    severity: Severity = "medium"
    span_id: str | None = None
    pointer: str | None = None
    contract: str | None = None
    evidence: dict[str, Json] = field(default_factory=dict)


@dataclass(slots=True)
class SpanDigest:
    """The narrow part of a stored span: all that `core.summary` and the cheap signals read.

    The worker loads this without touching message payloads. `input_hash` is a 32-bit hash of the
    normalised input (kind, model-independent), for retries and loops; `previous_input_hash` is that
    of the input without the last answer and what came after it, so that it equals the `input_hash`
    of the call that gave the answer. `reported_errors` are validation errors of that answer which
    this span's input tells the model about; `answers_failure` says that it reads like one.
    """

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    kind: Kind
    start_ns: int
    duration_ns: int | None
    error: bool
    error_type: str | None
    error_message: str | None
    provider: str | None
    model: str | None
    model_requested: str | None
    finish_reasons: list[str]
    response_id: str | None
    agent: str | None
    prompt: str | None  # "refund@v12"
    tool: str | None
    validation_errors: list[ValidationError]
    guardrail: dict[str, Json] | None
    feedback: list[dict[str, Json]]
    tokens: Tokens | None
    tokens_counted: bool
    cost: Decimal | None
    ttft_ns: int | None
    streaming: bool
    facts: SpanFacts
    input_hash: int | None
    has_messages: bool
    has_input: bool
    has_output: bool
    refusal: bool
    documents: int | None  # of a span that retrieves; None when it does not
    previous_input_hash: int | None = None
    reported_errors: list[ValidationError] = field(default_factory=list)
    answers_failure: bool = False
    tool_version: str | None = None
    service_tier: str | None = None


@dataclass(slots=True)
class TraceSummary:
    """All that a list, a facet or a chart knows of a trace; a pure function of its spans.

    `input_span` and `output_span` name the spans whose payloads are the trace's input and output
    (`input_part` is `input`, `last_user` or `trace_input`; `output_part` likewise).
    """

    trace_id: str
    name: str
    provisional: bool  # no root yet: name, status and duration may still change
    start_ns: int
    duration_ns: int | None
    status: Literal["ok", "error"]
    finished: bool
    environment: str | None = None
    release: str | None = None
    cohort: str | None = None
    service: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    tags: list[str] = field(default_factory=list)
    metadata: dict[str, Json] = field(default_factory=dict)
    models: list[str] = field(default_factory=list)
    providers: list[str] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    tools: list[str] = field(default_factory=list)  # get_booking, or get_booking@2.1
    agents: list[str] = field(default_factory=list)
    finish_reasons: list[str] = field(default_factory=list)
    tokens: Tokens | None = None
    cost: Decimal | None = None
    ttft_ns: int | None = None
    retries: int = 0
    fallbacks: int = 0
    timeouts: int = 0
    streaming: bool = False
    outcome: Outcome | None = None
    span_count: int = 0
    error_count: int = 0
    root_present: bool = False
    input_span: str | None = None
    input_part: str = "input"
    output_span: str | None = None
    output_part: str = "output"
    by_model: dict[str, dict[str, Json]] = field(default_factory=dict)  # calls, tokens, cost
    by_prompt: dict[str, dict[str, Json]] = field(default_factory=dict)
    by_tool: dict[str, dict[str, Json]] = field(default_factory=dict)
