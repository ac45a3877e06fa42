"""A raw span of any convention -> the one internal shape.

Pure: the same span and time of arrival give the same result. Never raises on what a client sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from tracehub.core.trace import (
    Json,
    Kind,
    Prompt,
    RawSpan,
    Span,
    SpanFacts,
    Tokens,
    ValidationError,
)
from tracehub.core.wire import validation
from tracehub.core.wire.attributes import Attributes, shape_of
from tracehub.core.wire.found import Found
from tracehub.core.wire.guardrails import guardrail_of
from tracehub.core.wire.payloads import set_payloads
from tracehub.core.wire.registry import (
    KIND_RANK,
    conventions_of,
    conventions_with_events,
)
from tracehub.core.wire.values import class_name, text_of

DAY_NS = 86_400 * 10**9
YEAR_NS = 365 * DAY_NS
MAX_NS = 2**63 - 1  # what a bigint holds
COUNTED: frozenset[Kind] = frozenset(("llm", "embedding", "reranker"))
# Fields of Found that are fields of Span as they are.
SAME_NAMES: tuple[
    Literal[
        "provider",
        "model_requested",
        "parameters",
        "response_id",
        "agent",
        "context",
        "output_schema",
        "feedback",
        "cost",
    ],
    ...,
] = (
    "provider",
    "model_requested",
    "parameters",
    "response_id",
    "agent",
    "context",
    "output_schema",
    "feedback",
    "cost",
)
UNTYPED = (None, "Exception", "Error")
# A span that names a model and no kind is a call of it; AG2's `record_usage` names the answer's.
MODELS = frozenset(("gen_ai.request.model", "gen_ai.response.model", "llm.model_name"))
SPECIAL: tuple[tuple[str, Kind], ...] = (("embed", "embedding"), ("rerank", "reranker"))
STAGES = frozenset(("internal", "canary", "control", "all"))
# Keys of frameworks inside metadata that say nothing about the user's application.
NOISE = ("ls_", "langgraph_", "LANGSMITH_", "LANGCHAIN_")
# Tags by which LangChain marks the steps of its own chains and graphs.
LANGCHAIN_TAGS = (
    "seq:step:",
    "graph:step:",
    "map:key:",
    "retry:attempt:",
    "condition:",
    "langsmith:",
)
NOISE_KEYS = frozenset(
    "checkpoint_ns lc_versions langgraph_checkpoint_ns usage_metadata revision_id "
    "session_id user_id thread_id conversation_id".split()
)


def normalise(raw: RawSpan, *, arrived_ns: int) -> Span:
    """Apply every convention that the span carries. `arrived_ns` mends impossible start times."""
    attributes = Attributes(raw, shape_of(raw.attributes))
    found = _collect(attributes)
    span = _start(raw, attributes, found, arrived_ns)
    for name in SAME_NAMES:
        if name in found:
            setattr(span, name, found[name])
    set_payloads(span, found)
    if span.error:
        _error(span, raw, found)
    _checks(span, found)
    return span


def _start(raw: RawSpan, attributes: Attributes, found: Found, arrived_ns: int) -> Span:
    kind = _kind(attributes, found)
    start_ns, duration_ns, flags = _times(raw, arrived_ns)
    get: Callable[..., Any] = found.get
    return Span(
        raw.trace_id,
        raw.span_id,
        raw.parent_id,
        get("span_name") or raw.name,
        kind,
        start_ns,
        duration_ns,
        error=raw.status_code == 2 or get("error", False),
        model=get("model") or get("model_requested"),
        finish_reasons=get("finish_reasons") or get("event_finish_reasons") or [],
        prompt=_prompt(kind, found),
        tokens=_tokens(found),
        tokens_counted=kind in COUNTED,
        cost_source="sent" if "cost" in found else None,
        ttft_ns=_first_token(get("ttft_ns")),
        streaming=get("streaming") or "ttft_ns" in found,
        facts=_facts(attributes, found),
        attributes=_kept(raw, start_ns),
        events=raw.events,
        links=raw.links,
        resource=raw.resource,
        scope=raw.scope,
        dropped=raw.dropped,
        flags=flags,
    )


def _collect(attributes: Attributes) -> Found:
    """Merge what the conventions found; the last one asked wins, lists of facts are united."""
    shape = attributes.shape
    make = conventions_with_events if attributes.raw.events else conventions_of
    merged: dict[str, Any] = {}
    best = len(KIND_RANK)
    kind: Kind | None = None
    for convention in shape.once(make):
        part = convention.read(attributes)
        if "kind" in part and (rank := KIND_RANK[convention.name]) < best:
            best, kind = rank, part["kind"]
        if "metadata" in part and "metadata" in merged:
            part["metadata"] = {**merged["metadata"], **part["metadata"]}
        if "tags" in part and "tags" in merged:
            part["tags"] = list(dict.fromkeys([*part["tags"], *merged["tags"]]))
        if "session" in part and "session" in merged:
            _keep_session(part, merged)
        merged.update(part)
    if kind is not None:
        merged["kind"] = kind
    return merged  # type: ignore[return-value]  # a dict made of Found parts is one


def _keep_session(part: Found, merged: dict[str, Any]) -> None:
    """A session id beats a conversation id, whichever convention it comes from."""
    if part["session_rank"] > merged["session_rank"]:
        part["session"], part["session_rank"] = merged["session"], merged["session_rank"]


def _kind(attributes: Attributes, found: Found) -> Kind:
    if "kind" in found:
        return found["kind"]
    if "request_kind" in found:
        return found["request_kind"]
    names = attributes.shape.names
    if not MODELS.isdisjoint(names):
        model = (found.get("model") or found.get("model_requested") or "").lower()
        return next((kind for word, kind in SPECIAL if word in model), "llm")
    return "tool" if "gen_ai.tool.name" in names else "other"


def _times(raw: RawSpan, arrived_ns: int) -> tuple[int, int | None, list[str]]:
    """Start, duration and what was mended: no start of 0 or more than a day after arrival."""
    start, end = raw.start_ns, raw.end_ns
    flags: list[str] = []
    duration: int | None = None
    if end:
        duration = min(end - start, MAX_NS)
        if duration < 0:
            duration = 0
            flags.append("end_before_start")
    if start == 0:
        flags.append("start_missing")
        return arrived_ns, 0 if end else None, flags
    if start > arrived_ns + DAY_NS:
        flags.append("start_in_future")
        return arrived_ns, duration, flags
    return start, duration, flags


def _kept(raw: RawSpan, start_ns: int) -> dict[str, Json]:
    """The attributes as received, and the start that was sent where it was mended."""
    if start_ns == raw.start_ns:
        return raw.attributes
    return {**raw.attributes, "tracehub.sent_start_ns": raw.start_ns}


def _prompt(kind: Kind, found: Found) -> Prompt | None:
    """Prompts are set on every span of a block by some libraries: only llm spans count."""
    get: Callable[..., Any] = found.get
    name, version, template = get("prompt_name"), get("prompt_version"), get("prompt_template")
    if not (name or version or template) or (kind != "llm" and "prompt_anywhere" not in found):
        return None
    return Prompt(name, version, template, get("prompt_variables") or {})


def _first_token(ns: int | None) -> int | None:
    """A time to the first token of up to a year; clocks that disagree give any number."""
    return ns if ns is not None and ns <= YEAR_NS else None


def _tokens(found: Found) -> Tokens | None:
    get: Callable[..., Any] = found.get
    given, made, total = get("tokens_input"), get("tokens_output"), get("tokens_total")
    if given is None and made is None and total is None:
        return None
    cached, written = get("tokens_cached"), get("tokens_cache_write")
    apart = (cached or 0) + (written or 0)
    if given is not None and apart > given:  # more than the whole: sent apart, as Anthropic counts
        total = total + apart if total is not None and total == given + (made or 0) else total
        given += apart
    if total is None:
        total = (given or 0) + (made or 0)
    return Tokens(
        given,
        made,
        total,
        cached,
        written,
        get("tokens_reasoning"),
        get("tokens_audio_input"),
        get("tokens_audio_output"),
    )


class _Resource:
    """Facts of the resource that was read last; all spans of a batch share one."""

    __slots__ = ("environment", "release", "service", "source")

    def __init__(self, source: dict[str, Json]) -> None:
        get = source.get
        self.source = source  # held, so that no other dict can be at its address
        self.environment = (
            text_of(get("langfuse.environment"))
            or text_of(get("deployment.environment.name"))
            or text_of(get("deployment.environment"))
        )
        self.release = text_of(get("langfuse.release")) or text_of(get("service.version"))
        service = text_of(get("service.name"))
        self.service = None if (service or "").startswith("unknown_service") else service


_last_resource = _Resource({})


def _resource_facts(resource: dict[str, Json]) -> _Resource:
    global _last_resource  # one slot, swapped whole: safe between threads
    facts = _last_resource
    if facts.source is not resource:
        facts = _last_resource = _Resource(resource)
    return facts


def _facts(attributes: Attributes, found: Found) -> SpanFacts:
    get: Callable[..., Any] = found.get
    resource = _resource_facts(attributes.raw.resource)
    metadata = get("metadata")
    cohort = get("cohort")
    if metadata:
        cohort = cohort or text_of(metadata.get("cohort")) or _stage(metadata)
        metadata = {
            key: value
            for key, value in metadata.items()
            if key not in NOISE_KEYS and not key.startswith(NOISE)
        }
    environment = get("environment") or resource.environment
    if environment is None:  # not a resource attribute, but set on spans by hand
        environment = text_of(
            attributes.get("deployment.environment.name")
            or attributes.get("deployment.environment")
        )
    return SpanFacts(
        get("trace_name") or get("function_id"),
        get("session"),
        get("session_rank", 0),
        get("user"),
        environment,
        get("release") or resource.release,
        cohort,
        resource.service,
        get("outcome"),
        [tag for tag in get("tags") or () if not tag.startswith(LANGCHAIN_TAGS)],
        metadata or {},
        get("trace_input"),
        get("trace_output"),
        get("is_app_root", False),
        get("pending", False),
    )


def _stage(metadata: dict[str, Json]) -> str | None:
    """A rollout stage that a feature flag names as its variant."""
    for key, value in metadata.items():
        if key.startswith("feature_flag.") and isinstance(value, str) and value in STAGES:
            return value
    return None


def _error(span: Span, raw: RawSpan, found: Found) -> None:
    span.error_type = class_name(found.get("error_type") or found.get("exception_type"))
    span.error_message = (
        found.get("error_message")
        or found.get("exception_message")
        or raw.status_message
        or found.get("status_message")
        or (text_of(span.tool.result) if span.tool is not None else None)
    )


def _checks(span: Span, found: Found) -> None:
    """Validation errors and the verdict of a guardrail."""
    errors = found.get("validation_errors")
    if errors is None and span.error:
        if validation.is_validation_exception(span.error_type):
            errors = validation.errors_of_exception(span.error_message or "")
        elif span.error_type in UNTYPED:  # Langfuse and LangSmith send the text alone
            errors = validation.told_errors(span.error_message or "")
    if span.kind == "guardrail":
        span.guardrail = guardrail_of(span, found.get("warning"))
        if errors is None and span.error:
            message = span.error_message or "The guardrail failed."
            errors = [ValidationError("", "guardrail", message)]
    if errors:
        span.validation_errors = errors
