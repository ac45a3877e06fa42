"""The spans of a trace in a fixed order, with their parents: what all trace rules walk over."""

from __future__ import annotations

from collections.abc import Sequence

from tracehub.core.trace import SpanDigest


class SpanTree:
    """Spans by start time and id. Pending placeholders count only while nothing else is there.

    `tops` are spans whose parent is not here (or that are their own parent); `root` is the earliest
    without any parent id. Spans of a parent cycle hang below nothing and are in no `tops`.
    """

    __slots__ = ("app_root", "by_id", "children", "root", "root_first", "spans", "tops")

    def __init__(self, digests: Sequence[SpanDigest]) -> None:
        real = [span for span in digests if not span.facts.pending] or list(digests)
        self.spans = sorted(real, key=lambda span: (span.start_ns, span.span_id))
        self.by_id = {span.span_id: span for span in self.spans}
        self.children: dict[str, list[SpanDigest]] = {}
        self.tops: list[SpanDigest] = []
        self.root: SpanDigest | None = None
        self.app_root: SpanDigest | None = None
        for span in self.spans:
            parent = span.parent_id
            if parent is None and self.root is None:
                self.root = span
            if span.facts.is_app_root and self.app_root is None:
                self.app_root = span
            if parent is None or parent not in self.by_id or parent == span.span_id:
                self.tops.append(span)
            else:
                self.children.setdefault(parent, []).append(span)
        self.root_first = self._root_first()

    def _root_first(self) -> list[SpanDigest]:
        """All spans, the root before the others, else the earliest top span."""
        head = self.root or (self.tops[0] if self.tops else self.spans[0])
        return [head, *(span for span in self.spans if span is not head)]

    def parent_of(self, span: SpanDigest) -> SpanDigest | None:
        """The parent that is here; None for a top span."""
        if span.parent_id is None or span.parent_id == span.span_id:
            return None
        return self.by_id.get(span.parent_id)

    def parents_first(self) -> list[SpanDigest]:
        """All spans so that a parent comes before its children; those in cycles come last."""
        order = list(self.tops)
        for span in order:  # grows while it is read
            order.extend(self.children.get(span.span_id, ()))
        if len(order) < len(self.spans):
            seen = {span.span_id for span in order}
            order.extend(span for span in self.spans if span.span_id not in seen)
        return order
