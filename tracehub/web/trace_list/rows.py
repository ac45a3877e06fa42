"""One row of the list as it is drawn: two lines, most telling things first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from tracehub.core.query.words import Fragment, fragment, looked_for
from tracehub.review.models import FailureMode
from tracehub.review.querysets import Standing
from tracehub.traces.models import Trace
from tracehub.web.links import with_query
from tracehub.web.marks import words
from tracehub.web.trace_list.state import ListState

SIGNALS_SHOWN = 2
_GRAVITY = {"critical": 0, "high": 1, "medium": 2, "low": 3}
_TONES = {"timeout": "fail", "slow": "unsure", "tool_loop": "unsure"}


@dataclass(frozen=True, slots=True)
class Row:
    """A trace and what its row adds: link, gravest signals, verdict of now, width of its bar."""

    trace: Trace
    hex: str
    url: str
    signals: list[dict[str, Any]]
    more_signals: int
    verdict: str | None
    label: str
    more_labels: int
    bar: int  # percent of the longest trace of the page
    tone: str
    said: Fragment  # the input from where it has what was looked for, or as it begins
    answered: Fragment  # the output

    @property
    def prompt(self) -> tuple[str, str] | None:
        """Name and version of the first prompt."""
        if not self.trace.prompts:
            return None
        name, at, version = self.trace.prompts[0].partition("@")
        return name, f"{at}{version}"

    @property
    def model(self) -> str:
        return self.trace.model_names[0] if self.trace.model_names else "none"

    @property
    def more_models(self) -> int:
        return max(0, len(self.trace.model_names) - 1)

    @property
    def json_out(self) -> bool:
        """Whether the output reads as JSON or a call, which is set in mono."""
        return (self.trace.output_preview or "").lstrip().startswith(("{", "["))


def rows(
    state: ListState,
    traces: Sequence[Trace],
    standing: Mapping[UUID, Standing],
    modes: Sequence[FailureMode],
    texts: Mapping[UUID, tuple[str, str]],
) -> list[Row]:
    """Return the rows of a page. Verdicts come from the reviews, which the trace row may lag.

    `texts` holds the inputs and outputs in which words were looked for, empty otherwise.
    """
    longest = max([trace.duration_ns or 0 for trace in traces] + [1_000_000_000])
    names = {mode.slug: mode.name for mode in modes}
    return [
        _row(
            state,
            trace,
            standing.get(trace.trace_id),
            names,
            longest,
            texts.get(trace.trace_id, ("", "")),
        )
        for trace in traces
    ]


def _row(
    state: ListState,
    trace: Trace,
    held: Standing | None,
    names: Mapping[str, str],
    longest: int,
    texts: tuple[str, str],
) -> Row:
    signals = _gravest(trace.signals)
    labels = [names.get(slug) or words(slug) for slug in held.modes] if held else []
    kinds = {signal["kind"] for signal in signals}
    page = reverse("trace", args=[state.project.slug, trace.hex])
    return Row(
        trace=trace,
        hex=trace.hex,
        url=with_query(page, state.params),
        signals=signals[:SIGNALS_SHOWN],
        more_signals=max(0, len(signals) - SIGNALS_SHOWN),
        verdict=held.verdict if held else None,
        label=labels[0] if labels else "",
        more_labels=max(0, len(labels) - 1),
        bar=round(100 * (trace.duration_ns or 0) / longest),
        said=_shown(trace.input_preview, texts[0], looked_for(state.wanted, "input")),
        answered=_shown(trace.output_preview, texts[1], looked_for(state.wanted, "output")),
        tone=next((tone for kind, tone in _TONES.items() if kind in kinds), "neutral"),
    )


def _shown(preview: str | None, text: str, asked: list[str]) -> Fragment:
    """Return the part of a text that the row shows."""
    return fragment(text, asked) or Fragment(preview or "", "", "")


def _gravest(signals: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return one signal of each kind, the gravest first."""
    ordered = sorted(signals, key=lambda s: _GRAVITY.get(s.get("severity", ""), 4))
    seen: dict[str, dict[str, Any]] = {}
    for signal in ordered:
        seen.setdefault(signal["kind"], signal)
    return list(seen.values())
