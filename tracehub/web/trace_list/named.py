"""Names and values of metadata and attributes that a list has: read from its newest traces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Self
from uuid import UUID

from tracehub.core.query import attributes, keys
from tracehub.core.query.nested import leaves, scalar
from tracehub.traces import listing
from tracehub.traces.attributes import store
from tracehub.traces.models import Trace
from tracehub.web.trace_list.state import ListState

LEADS = (keys.META, keys.ATTR)
LOOK = 200  # traces that are looked through
SECONDS = 0.5
UNSEEN = ("feedback", "contribution", "signals", "terms", "span_names")


@dataclass(slots=True)
class Newest:
    """The newest traces of a list, to learn from what may follow `lead`."""

    lead: str
    traces: list[Trace] = field(default_factory=list)

    @classmethod
    def of(cls, state: ListState, lead: str) -> Self:
        page = listing.read(state.within, state.wanted, limit=LOOK, seconds=SECONDS, without=UNSEEN)
        return cls(lead, page.traces)

    @property
    def count(self) -> int:
        return len(self.traces)

    def keys(self, begun: str, limit: int) -> list[tuple[str, int]]:
        """Return keys that hold the text `begun` and that a filter can name, commonest first."""
        if self.lead == keys.ATTR:
            found = store.keys(*self._place(), begun, limit)
        else:
            found = self._counted(
                {path for path, value in leaves(trace.metadata) if scalar(value) is not None}
                for trace in self.traces
            )
        shown = [one for one in found if begun.lower() in one[0].lower()]
        return [one for one in shown if attributes.term(self.lead, one[0], "x")][:limit]

    def values(self, key: str, begun: str, limit: int) -> list[tuple[str, int]]:
        """Return values of a key that hold the text `begun`, commonest first."""
        if self.lead == keys.ATTR:
            return store.values(*self._place(), key, begun, limit)
        found = self._counted(
            {text for path, one in leaves(trace.metadata) if path == key and (text := scalar(one))}
            for trace in self.traces
        )
        return [one for one in found if begun.lower() in one[0].lower()][:limit]

    def _place(self) -> tuple[int, set[date], list[UUID]]:
        days = {trace.day for trace in self.traces}
        project = self.traces[0].project_id if self.traces else 0
        return project, days, [trace.trace_id for trace in self.traces]

    @staticmethod
    def _counted(each: Iterable[set[str]]) -> list[tuple[str, int]]:
        counts = Counter(text for texts in each for text in texts)
        return sorted(counts.items(), key=lambda one: (-one[1], one[0]))
