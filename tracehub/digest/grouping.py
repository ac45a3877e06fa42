"""Contracts and groups on the way from spans to rows: outputs compared, fingerprints placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tracehub.core.grouping import v1
from tracehub.core.grouping.origin import prompt_of
from tracehub.core.stored import span_number
from tracehub.core.trace import SpanDigest
from tracehub.digest import store
from tracehub.digest.rows import Digested
from tracehub.failures import querysets, reading
from tracehub.failures import store as groups
from tracehub.failures.store import Moved, Seen


def held_against_contracts(
    cursor: store.Cursor, project_id: int, day: date, spans: Mapping[UUID, Sequence[SpanDigest]]
) -> dict[UUID, reading.Held]:
    """Return what the project's contracts say of these outputs, by trace.

    Reads the outputs of the spans that are under one, all in one statement; none without.
    """
    contracts = querysets.in_force(project_id)
    if not contracts:
        return {}
    under = {
        trace: [span for span in own if reading.checked(contracts, span)]
        for trace, own in spans.items()
    }
    wanted = [(t, span_number(span.span_id)) for t, own in under.items() for span in own]
    payloads = store.load_payloads(cursor, project_id, day, wanted)
    outputs = {span: content.get("output") for span, content in payloads.items()}
    return {
        trace: reading.held_against(
            contracts,
            own,
            {span.span_id: outputs.get((trace, span_number(span.span_id))) for span in own},
        )
        for trace, own in under.items()
        if own
    }


def place(
    cursor: store.Cursor,
    project_id: int,
    results: Sequence[Digested],
    spans: Mapping[UUID, Sequence[SpanDigest]],
) -> None:
    """Write the groups of these traces into their rows and signals; new groups are made."""
    found = {}
    earliest: dict[str, tuple[v1.Group, datetime]] = {}
    for result in results:
        row = result.row
        names = {span.span_id: span.name for span in spans[row["trace_id"]]}
        own = v1.groups(
            result.signals,
            names,
            trace=row["name"],
            verdict=row["verdict"],
            modes=row["failure_modes"],
        )
        found[row["trace_id"]] = own
        for group in own:
            known = earliest.get(group.fingerprint)
            if known is None or row["started_at"] < known[1]:
                earliest[group.fingerprint] = (group, row["started_at"])
    placed = groups.place(cursor, project_id, earliest)
    for result in results:
        own_spans = spans[result.row["trace_id"]]
        for group in found[result.row["trace_id"]]:
            home = placed[group.fingerprint]
            result.row["failures"].append(home.id)
            for place_of_signal in group.signals:
                result.row["signals"][place_of_signal]["failure"] = f"TH-{home.number}"
            at = result.signals[group.signals[0]].span_id if group.signals else None
            if prompt := prompt_of(at, own_spans):
                result.origins[home.id] = prompt
        result.row["failures"].sort()


def moved(old: Mapping[str, Any] | None, new: Digested) -> Moved:
    """Return what a changed row means for the counts of its groups."""
    return Moved(_side(old, {}) if old else {}, _side(new.row, new.origins))


def _side(row: Mapping[str, Any], origins: Mapping[int, str]) -> dict[int, Seen]:
    """Return how each group of a row saw its trace: the prompt that it is laid to comes first."""
    labels = [label for label in row["prompts"] if "@" in label]

    def seen(group: int) -> Seen:
        first = origins.get(group)
        ordered = sorted(labels, key=lambda label: label != first)
        return Seen(row["started_at"], row["user_id"], tuple(ordered), row["release"])

    return {group: seen(group) for group in row["failures"]}
