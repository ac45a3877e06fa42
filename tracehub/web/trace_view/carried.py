"""What a span carries besides its content, each value with the filter that finds it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from tracehub.core.query.attributes import term
from tracehub.core.query.keys import ATTR, META
from tracehub.core.query.nested import scalar
from tracehub.core.query.tree import Pattern, Term
from tracehub.core.trace import Json, Span, TraceSummary
from tracehub.web import marks
from tracehub.web.trace_view.text import Text, folded, visible

AT_MOST = 400  # rows of a group
EVENTS_AT_MOST = 100
ITEMS_AT_MOST = 20  # of a list that are links


@dataclass(slots=True, frozen=True)
class Row:
    """A name and its value; `links` holds (text, filter) for what can be filtered by."""

    name: str
    text: Text
    links: list[tuple[str, str]] = field(default_factory=list)


def of_span(span: Span, summary: TraceSummary, whole: str = "") -> list[tuple[str, list[Row]]]:
    """Return what a span and its trace carry, as titled lists; objects are laid out by paths."""
    own: dict[str, Json] = {
        "span_id": span.span_id,
        "parent_id": span.parent_id,
        "kind": marks.span_kind(span.kind).label,
        "started": datetime.fromtimestamp(span.start_ns / 1e9, UTC).isoformat(),
        "mended on arrival": ", ".join(span.flags) or None,
        **{f"dropped {name}": n for name, n in span.dropped.items()},
    }
    events = {
        f"{n}. {event.get('name', 'event')}": event.get("attributes", {})
        for n, event in enumerate(span.events[:EVENTS_AT_MOST], 1)
    }
    groups = (
        ("Attributes", _rows("Attributes", span.attributes, whole, ATTR)),
        ("Metadata of the trace", _rows("Metadata", summary.metadata, whole, META)),
        ("Tags of the trace", _tags(summary.tags)),
        ("Parameters", _rows("Parameters", span.parameters, whole)),
        ("Events", _rows("Events", events, whole)),
        ("Resource", _rows("Resource", span.resource, whole)),
        ("Scope", _rows("Scope", span.scope, whole)),
        ("Span", _rows("Span", {k: v for k, v in own.items() if v is not None}, whole)),
    )
    return [(title, rows) for title, made in groups if (rows := list(islice(made, AT_MOST)))]


def _rows(title: str, values: Mapping[str, Json], whole: str, lead: str = "") -> Iterator[Row]:
    for name, value in _flat(values) if lead else values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        shown = folded(text, f"{title}.{name}", whole=whole)
        yield Row(visible(name)[:200], shown, _links(lead, name, value) if lead else [])


def _flat(values: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield what is no object, with its path."""
    waiting = list(values.items())[::-1]
    while waiting:
        name, value = waiting.pop()
        if isinstance(value, Mapping) and value:
            waiting += [(f"{name}.{key}", inner) for key, inner in list(value.items())[::-1]]
        else:
            yield name, value


def _links(lead: str, name: str, value: Json) -> list[tuple[str, str]]:
    """Return the value, or each item of a list, with its filter; nothing when one has none."""
    items = list(enumerate(value)) if isinstance(value, list) else [(None, value)]
    found = []
    for number, item in items[: ITEMS_AT_MOST + 1]:
        at = f"{name}.{number}" if lead == META and number is not None else name
        found.append((visible(scalar(item) or ""), term(lead, at, item)))
    return found if len(found) <= ITEMS_AT_MOST and all(asked for _, asked in found) else []


def _tags(tags: list[str]) -> Iterator[Row]:
    for tag in tags:
        yield Row("tag", Text(visible(tag)), [(visible(tag), str(Term("tag", (Pattern((tag,)),))))])
