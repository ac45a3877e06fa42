"""What every decoder returns, and the rules that hold for a span however it was encoded.

Source: opentelemetry-proto/docs/specification.md (OTLP 1.x).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tracehub.core.trace import Json, RawSpan, Rejected

MAX_SPANS = 50_000  # spans in one request
MAX_NESTING = 64  # lists and maps inside one attribute value
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
MAX_UINT64 = 2**64 - 1
HEADERS = ("ai.request.headers.", "ai.response.headers.")
HEADERS_SIGN = "ai.operationId"  # a key that is on every span which may have such headers


@dataclass(eq=False)  # not frozen: the interpreter sets __traceback__ on what is raised
class WireError(ValueError):
    """A body that cannot be used at all (HTTP 400). `field` names the part, where one is known."""

    message: str
    field: str | None = None

    def __str__(self) -> str:
        return self.message


@dataclass(eq=False)
class SpanError(ValueError):
    """One span that cannot be stored; the spans beside it can. `field` in the wire's own words."""

    field: str
    message: str


@dataclass(slots=True)
class Decoded:
    """The spans of one request. `replaced` counts NUL and surrogates that became U+FFFD."""

    spans: list[RawSpan] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    replaced: int = 0

    @property
    def total(self) -> int:
        """Spans that were sent: accepted and rejected."""
        return len(self.spans) + len(self.rejected)

    @property
    def warnings(self) -> list[str]:
        """What was mended on the way, for the sender, as sentences."""
        if not self.replaced:
            return []
        return [
            f"{self.replaced} NUL or lone surrogate characters were replaced by U+FFFD; "
            "the database cannot hold them."
        ]

    def explain(self, limit: int = 3) -> str:
        """The first few rejections as one English text, for `partial_success.error_message`."""
        shown = [
            f"span {item.index}: {item.field} {item.message}" for item in self.rejected[:limit]
        ]
        more = len(self.rejected) - limit
        if more > 0:
            shown.append(f"and {more} more")
        return "; ".join(shown)


def check_count(count: int) -> None:
    """Raise WireError when a request holds more spans than are taken at once."""
    if count > MAX_SPANS:
        raise WireError(
            f"A request may hold {MAX_SPANS:,} spans. Got {count:,}. Send smaller batches.",
            "resourceSpans",
        )


def without_headers(attributes: dict[str, Json]) -> dict[str, Json]:
    """Attributes of an AI SDK span without the HTTP headers it copies there, secrets included."""
    return {key: value for key, value in attributes.items() if not key.startswith(HEADERS)}


def without_nul(text: str) -> str:
    """Postgres text and jsonb hold no U+0000."""
    return text.replace("\0", REPLACEMENT)


def shown(value: object, limit: int = 60) -> str:
    """A received value as it appears in an error message: quoted, cut, without control codes."""
    text = value if isinstance(value, str) else str(value)
    return repr(text if len(text) <= limit else text[:limit] + "...")
