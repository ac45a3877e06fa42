"""What a convention finds in one span: a part of the fields, only those with a usable value."""

from __future__ import annotations

from decimal import Decimal
from typing import TypedDict

from tracehub.core.trace import Json, Kind, Outcome, ValidationError


class Found(TypedDict, total=False):
    """Absent means: not in this span, ask the next convention.

    `event_*` come from span events and log records, `weak_*` from values that repeat the whole
    request: they count only when nothing better is there. Token names are those of `Tokens`.
    """

    kind: Kind
    request_kind: Kind  # from `llm.request.type`, when nothing else names a kind
    span_name: str
    provider: str
    model: str
    model_requested: str
    parameters: dict[str, Json]
    finish_reasons: list[str]
    event_finish_reasons: list[str]
    response_id: str
    agent: str
    input: Json
    output: Json
    event_input: Json
    event_output: Json
    weak_input: Json
    weak_output: Json
    instructions: str  # sent apart from the messages, used where these have no system message
    context: list[dict[str, Json]]
    tool_name: str
    tool_version: str
    tool_call_id: str
    tool_arguments: Json
    tool_result: Json
    tool_description: str
    output_schema: Json
    feedback: list[dict[str, Json]]
    tokens_input: int
    tokens_output: int
    tokens_total: int
    tokens_cached: int
    tokens_cache_write: int
    tokens_reasoning: int
    tokens_audio_input: int
    tokens_audio_output: int
    cost: Decimal
    ttft_ns: int
    streaming: bool
    prompt_name: str
    prompt_version: str
    prompt_template: str
    prompt_variables: dict[str, Json]
    prompt_anywhere: bool  # the prompt counts on any kind of span, not on llm spans only
    error: bool
    error_type: str
    error_message: str
    exception_type: str  # of the last exception event; what names an error itself goes first
    exception_message: str
    status_message: str  # used when the span's own status has none
    warning: str  # a guardrail that let it pass, with its reason
    validation_errors: list[ValidationError]
    session: str
    session_rank: int
    user: str
    environment: str
    release: str
    cohort: str
    outcome: Outcome
    tags: list[str]
    metadata: dict[str, Json]
    trace_name: str
    function_id: str  # names the trace when nothing else does
    trace_input: Json
    trace_output: Json
    is_app_root: bool
    pending: bool
