"""A whole trace with what breaks the contracts of its project."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from tracehub.core.contracts import checking
from tracehub.core.grouping import v1
from tracehub.core.signals.kinds import CUSTOM
from tracehub.core.trace import Signal, SpanDigest
from tracehub.failures import querysets
from tracehub.failures.rules import looking, store
from tracehub.projects.models import Project
from tracehub.traces import reading
from tracehub.traces.reading import LoadedTrace


def load(project: Project, trace_id: UUID) -> LoadedTrace | None:
    """Return a trace as `traces.reading.load` does, with all that its project's rules find."""
    loaded = reading.load(project, trace_id)
    if loaded is not None:
        contracts = querysets.in_force(project.pk)
        outputs = {span.span_id: span.output for span in loaded.spans}
        held = held_against(contracts, loaded.digests, outputs)
        loaded.violations = list(held.broken)
        if held.escalated and loaded.summary.outcome is None:
            loaded.summary.outcome = "escalated"
        loaded.rules = store.rules_of(project.pk)
        loaded.late = _late(project, trace_id, loaded)
    return loaded


def _late(project: Project, trace_id: UUID, loaded: LoadedTrace) -> list[Signal]:
    """Return what the second pass finds: as the worker kept it, or now when it is not done yet."""
    kept = store.settled(project.pk, trace_id)
    if kept is not None:
        return kept
    before = looking.earlier(project.pk, loaded.summary)
    found = looking.look(loaded.summary, loaded.spans, loaded.rules, before)
    if loaded.row is not None:  # own rules are filters on the row, so they are as old as it
        found += [s for s in loaded.row_signals if s.kind.startswith(CUSTOM)]
    return found


def checked(contracts: Iterable[checking.Contract], span: SpanDigest) -> list[checking.Contract]:
    """Return the contracts that the output of a span is under."""
    if span.error or span.duration_ns is None or not span.has_output:
        return []
    return [contract for contract in contracts if contract.applies(span)]


class Held(NamedTuple):
    """What contracts say of a trace: what breaks them, and whether a person takes over."""

    broken: Sequence[Signal] = ()
    escalated: bool = False


NOTHING = Held()


def held_against(
    contracts: list[checking.Contract], spans: Iterable[SpanDigest], outputs: Mapping[str, Any]
) -> Held:
    """Hold the outputs of these spans, by span id, against contracts; what breaks by start."""
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.span_id))
    under = [(span, contract) for span in ordered for contract in checked(contracts, span)]
    return Held(
        [
            signal
            for span, contract in under
            for signal in checking.signals(contract, span, outputs.get(span.span_id))
        ],
        any(checking.escalates(contract, outputs.get(span.span_id)) for span, contract in under),
    )


def failure_keys(project: Project, loaded: LoadedTrace) -> list[str | None]:
    """Return the key of the group of each signal of a trace, None where it has none yet."""
    names = {span.span_id: span.name for span in loaded.digests}
    groups = v1.groups(loaded.signals, names, trace=loaded.summary.name)
    numbers = querysets.numbers_of(project.pk, [group.fingerprint for group in groups])
    keys: list[str | None] = [None] * len(loaded.signals)
    for group in groups:
        if group.fingerprint in numbers:
            for place in group.signals:
                keys[place] = f"TH-{numbers[group.fingerprint]}"
    return keys
