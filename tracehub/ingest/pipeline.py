"""From a decoded request to rows: mask, normalise, price, encode. Nothing here waits or writes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import orjson

from tracehub.core import media, stored
from tracehub.core.cost import set_cost
from tracehub.core.digest import digest
from tracehub.core.media import Aside
from tracehub.core.packing import compress
from tracehub.core.remask import mask_raw
from tracehub.core.stored import SpanRow
from tracehub.core.supplements import SuppKind
from tracehub.core.trace import RawSpan, Rejected, Span, SpanKey
from tracehub.core.wire.normalise import normalise
from tracehub.ingest.access import Grant
from tracehub.traces.media.store import Said
from tracehub.traces.store import SupplementRow

if TYPE_CHECKING:
    from tracehub.ingest.runtime import Ingest

logger = logging.getLogger(__name__)

T = TypeVar("T")

BATCH = 2_000  # spans of one request that are rows at once
STEP = 16  # spans between two chances for other requests, about 1 ms


@dataclass(slots=True)
class Prepared:
    """The rows of one request, what could not become a row, and how often masking struck."""

    rows: list[SpanRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    masked: Counter[str] = field(default_factory=Counter)
    said: Said = field(default_factory=Said.empty)
    _aside: Aside = field(default_factory=Aside)

    def set_aside(self, project_id: int, key: SpanKey, record: Any) -> bool:
        """Take pictures and the like out of what a span says, before anything else reads it.

        Tells whether the record was changed.
        """
        aside = self._aside
        aside.named = set()
        changed = aside.take(record)
        self.said.add(project_id, UUID(hex=key.trace_id), aside)
        return changed


async def prepare(ingest: Ingest, raws: Sequence[RawSpan], grant: Grant) -> Prepared:
    """Return the rows of received spans. A span that cannot be read harms only itself.

    What takes more than a step takes turns: one request is committed while the next is prepared.
    Side by side all would be ready at once, and then wait together.
    """
    if len(raws) <= STEP:
        return await _rows(raws, grant)
    async with ingest.row_turn:
        return await _rows(raws, grant)


async def _rows(raws: Sequence[RawSpan], grant: Grant) -> Prepared:
    prepared = Prepared()
    arrived_ns = time.time_ns()
    for index, raw in enumerate(raws):
        try:
            _add(prepared, raw, grant, arrived_ns)
        except Exception:
            logger.exception("A span could not be normalised.")
            prepared.rejected.append(
                Rejected(index, "span", "could not be read; the server's log says why")
            )
        if index % STEP == STEP - 1:
            await asyncio.sleep(0)
    return prepared


async def store(ingest: Ingest, raws: Sequence[RawSpan], grant: Grant) -> list[Rejected]:
    """Return when the spans are committed, with those that could not be read.

    In batches: the rows of one are gone before those of the next are made. A request that fails
    half-way is sent again, and what was stored is then not stored twice.
    """
    rejected: list[Rejected] = []
    for batch in batches(raws):
        prepared = await prepare(ingest, batch, grant)
        rejected += prepared.rejected
        await ingest.writer.store(prepared.rows, prepared.said)
        ingest.count_masked(grant, prepared.masked)
    return rejected


def batches(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Cut the spans of a request into batches of BATCH."""
    if len(items) <= BATCH:
        yield items
        return
    for at in range(0, len(items), BATCH):
        yield items[at : at + BATCH]


async def prepare_spans(spans: Iterable[Span], grant: Grant) -> Prepared:
    """Return the rows of spans that came normalised (native JSON), masked by their sender's key."""
    prepared = Prepared()
    for index, span in enumerate(spans):
        prepared.set_aside(grant.project_id, SpanKey(span.trace_id, span.span_id), span)
        set_cost(span, grant.prices)
        received = stored.received_span_json(span)
        prepared.rows.append(stored.row_of(grant.project_id, span, digest(span), received))
        if index % STEP == STEP - 1:
            await asyncio.sleep(0)
    return prepared


def supplement(
    grant: Grant, key: SpanKey, kind: SuppKind, body: Any, prepared: Prepared
) -> SupplementRow:
    """Return the row of what came apart from its span, masked like the span itself.

    Pictures and the like in it are noted in `prepared`.
    """
    prepared.set_aside(grant.project_id, key, body)
    text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    if grant.masker.touches(text):
        body = grant.masker.mask(body).value
        text = orjson.dumps(body, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
    return SupplementRow(
        grant.project_id,
        UUID(hex=key.trace_id),
        stored.span_number(key.span_id),
        kind,
        blake2b(text, digest_size=16).digest(),
        compress(text),
    )


def mask_text(text: bytes, grant: Grant, masked: Counter[str]) -> bytes:
    """Return JSON text or NDJSON, masked where it needs to be.

    Only a body with a hit is decoded here; one that is not JSON is left to the decoder's error.
    """
    if not grant.masker.touches(text):
        return text
    lines = []
    for line in text.splitlines() if b"\n" in text else [text]:
        try:
            lines.append(orjson.dumps(mask_json(line, orjson.loads(line), grant, masked)))
        except orjson.JSONDecodeError:
            return grant.masker.text(text.decode("utf-8", "replace"), masked).encode()
    return b"\n".join(lines)


def mask_json(text: bytes, value: Any, grant: Grant, masked: Counter[str]) -> Any:
    """Return the decoded value, masked when its JSON text shows that it may need it."""
    if not grant.masker.touches(text):
        return value
    result = grant.masker.mask(value)
    masked.update(result.counts)
    return result.value


def _add(prepared: Prepared, raw: RawSpan, grant: Grant, arrived_ns: int) -> None:
    received = stored.received_json(raw)
    if media.possible(received):
        key, places = SpanKey(raw.trace_id, raw.span_id), [raw.attributes, raw.events, raw.links]
        if prepared.set_aside(grant.project_id, key, places):
            received = stored.received_json(raw)
    if grant.masker.touches(received):
        prepared.masked.update(mask_raw(raw, grant.masker))
        received = stored.received_json(raw)
    span = normalise(raw, arrived_ns=arrived_ns)
    if span.facts.pending:  # a placeholder; the real span follows under its own id
        return
    set_cost(span, grant.prices)
    prepared.rows.append(stored.row_of(grant.project_id, span, digest(span), received))
