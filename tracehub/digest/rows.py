"""A trace row from what is known of a trace. Pure: the same knowledge gives the same row."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from hashlib import blake2b
from typing import Any
from uuid import UUID

import orjson

from tracehub.core import rollup
from tracehub.core.preview import SHORT, folded, last_user_message, preview
from tracehub.core.query import terms
from tracehub.core.query.words import CAP
from tracehub.core.signals.base import Evidence
from tracehub.core.signals.feedback import is_negative, together
from tracehub.core.signals.rules import Rules
from tracehub.core.signals.run import detect, worst
from tracehub.core.stored import when
from tracehub.core.summary import summarise
from tracehub.core.trace import Json, Signal, SpanDigest, Tokens, TraceSummary
from tracehub.failures.reading import NOTHING, Held
from tracehub.review.querysets import Standing
from tracehub.traces.texts.store import TextRow

GRAVE = frozenset({"high", "critical"})
NAMES = 200  # different span names of a trace that filters can find


@dataclass(slots=True)
class Known:
    """All that the worker knows of one trace before it makes the row."""

    project_id: int
    day: date
    trace_id: UUID
    spans: list[SpanDigest]
    standing: Standing | None = None
    feedback: list[dict[str, Json]] = field(default_factory=list)
    promoted: bool = False
    held: Held = NOTHING  # against contracts
    rules: Rules = field(default_factory=Rules)
    late: list[Signal] = field(default_factory=list)  # of the second pass
    chance: float | None = None  # with which queues took a reviewed trace


@dataclass(slots=True)
class Digested:
    """A summary with its signals, and the row they make (previews and texts to be filled in).

    `origins` holds the prompt version that each of its groups, by id, is laid to.
    """

    summary: TraceSummary
    signals: list[Signal]
    row: dict[str, Any]
    texts: TextRow | None = None
    origins: dict[int, str] = field(default_factory=dict)


def signal_json(signal: Signal) -> dict[str, Json]:
    """Return a signal as the API writes it, with its evidence; its group is not known here."""
    return {
        "kind": signal.kind,
        "span_id": signal.span_id,
        "pointer": signal.pointer,
        "message": signal.message,
        "severity": signal.severity,
        "contract": signal.contract,
        "failure": None,
        "evidence": signal.evidence,
    }


def is_failing(verdict: str | None, status: str, severity: str | None) -> bool:
    """Say whether a trace is failing: verdict fail, or not pass and an error or a grave signal."""
    if verdict in {"fail", "pass"}:
        return verdict == "fail"
    return status == "error" or severity in GRAVE


def digested(known: Known) -> Digested:
    """Return the row of a trace with at least one span."""
    summary = summarise(known.spans)
    if known.held.escalated and summary.outcome is None:
        summary.outcome = "escalated"
    feedback = together(known.feedback, known.spans)
    spans = sorted(known.spans, key=lambda span: (span.start_ns, span.span_id))
    settled = summary.root_present
    rules = known.rules
    signals = detect(
        Evidence(summary, spans, feedback, settled, known.held.broken, rules, known.late)
    )
    severity = worst(signals)
    standing = known.standing
    verdict = standing.verdict if standing else None
    row = {
        "project_id": known.project_id,
        "day": known.day,
        "trace_id": known.trace_id,
        **_facts(summary),
        "input_preview": None,
        "output_preview": None,
        "signals": [signal_json(signal) for signal in signals],
        "signal_kinds": sorted({signal.kind for signal in signals}),
        "severity": severity,
        "feedback": feedback,
        "verdict": verdict,
        "failure_modes": standing.modes if standing else [],
        "reviewers": standing.reviewers if standing else [],
        "failing": is_failing(verdict, summary.status, severity),
        "promoted": known.promoted,
        "failures": [],
        "span_kinds": sorted({span.kind for span in spans}),
        "span_names": sorted({span.name for span in spans})[:NAMES],
    }
    row["terms"] = terms.of_row(row)
    row["contribution"] = _contribution(known, summary, row, feedback)
    return Digested(summary, signals, row)


def _facts(summary: TraceSummary) -> dict[str, Any]:
    """Return the columns that a summary fills alone."""
    tokens = summary.tokens or Tokens()
    return {
        "started_at": when(summary.start_ns),
        "duration_ns": summary.duration_ns,
        "name": summary.name,
        "provisional": summary.provisional,
        "status": summary.status,
        "finished": summary.finished,
        "environment": summary.environment,
        "release": summary.release,
        "cohort": summary.cohort,
        "service": summary.service,
        "session_id": summary.session_id,
        "user_id": summary.user_id,
        "tags": summary.tags,
        "metadata": summary.metadata,
        "models": summary.models,
        "providers": summary.providers,
        "prompts": summary.prompts,
        "tools": summary.tools,
        "agents": summary.agents,
        "finish_reasons": summary.finish_reasons,
        "input_tokens": tokens.input,
        "output_tokens": tokens.output,
        "cached_tokens": tokens.cached,
        "reasoning_tokens": tokens.reasoning,
        "total_tokens": tokens.total,
        "cost": summary.cost,
        "ttft_ns": summary.ttft_ns,
        "retries": summary.retries,
        "fallbacks": summary.fallbacks,
        "timeouts": summary.timeouts,
        "streaming": summary.streaming,
        "outcome": summary.outcome,
        "span_count": summary.span_count,
        "error_count": summary.error_count,
        "root_present": summary.root_present,
    }


def _contribution(
    known: Known, summary: TraceSummary, row: dict[str, Any], feedback: list[dict[str, Json]]
) -> dict[str, Json]:
    negative = sum(is_negative(score, known.rules.scores) for score in feedback)
    return rollup.contribution(
        rollup.ContributionFacts(
            project_id=known.project_id,
            started_at=row["started_at"],
            name=summary.name,
            environment=summary.environment,
            cohort=summary.cohort,
            release=summary.release,
            models=summary.models,
            prompts=summary.prompts,
            by_model=summary.by_model,
            by_prompt=summary.by_prompt,
            by_tool=summary.by_tool,
            duration_ns=summary.duration_ns,
            ttft_ns=summary.ttft_ns,
            tokens=summary.tokens,
            cost=summary.cost,
            failing=row["failing"],
            finished=summary.finished,
            error=summary.status == "error",
            outcome=summary.outcome,
            retries=summary.retries,
            fallbacks=summary.fallbacks,
            timeouts=summary.timeouts,
            verdict=row["verdict"],
            chance=known.chance,
            feedback_negative=negative,
            feedback_positive=len(feedback) - negative,
        )
    )


def fill_previews(
    digested: Digested,
    input_payload: dict[str, Json] | None,
    output_payload: dict[str, Json] | None,
) -> None:
    """Put what input and output say into the row and the texts, then the hash over everything."""
    summary, row = digested.summary, digested.row
    said = answered = None
    if input_payload is not None:
        if summary.input_part == "last_user":
            said = last_user_message(input_payload.get("input"))
        else:
            said = input_payload.get(summary.input_part)
    if output_payload is not None:
        answered = output_payload.get(summary.output_part)
    row["input_preview"], row["output_preview"] = preview(said), preview(answered, SHORT)
    digested.texts = TextRow(
        project_id=row["project_id"],
        day=row["day"],
        trace_id=row["trace_id"],
        started_at=row["started_at"],
        name=row["name"],
        input=folded(said, CAP) or "",
        output=folded(answered, CAP) or "",
        error="\n".join(signal["message"] or "" for signal in row["signals"])[:CAP],
    )
    whole = {**row, "texts": digested.texts[5:]}
    text = orjson.dumps(whole, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SORT_KEYS)
    row["digest_hash"] = int.from_bytes(blake2b(text, digest_size=8).digest(), signed=True)
