"""Which path takes what, and how it answers: in the words and encoding of its clients."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tracehub.ingest import langsmith, native, otlp
from tracehub.ingest.errors import Refused

if TYPE_CHECKING:
    from tracehub.ingest.http import Answer, Request
    from tracehub.ingest.runtime import Ingest

Handler = Callable[["Ingest", "Request"], Awaitable["Answer"]]
Refusal = Callable[[Refused, str], "Answer"]


@dataclass(frozen=True, slots=True)
class Route:
    """A path of ingestion. `shared`: the API serves other methods of the same path."""

    handle: Handler
    refuse: Refusal
    types: tuple[str, ...]
    method: str = "POST"
    shared: bool = False

    def check_type(self, content_type: str, charset: str) -> None:
        """Raise Refused (415) for a body that this path cannot read."""
        if self.method != "POST":
            return
        if content_type not in self.types:
            raise Refused(
                415,
                f"Content-Type must be {' or '.join(self.types)}."
                f" Got {content_type[:60] or 'none'!r}.",
                "Content-Type",
            )
        if charset not in {"", "utf-8", "utf8"}:
            raise Refused(415, f"charset must be utf-8. Got {charset[:40]!r}.", "Content-Type")


OTLP_TYPES = ("application/x-protobuf", "application/json")
JSON_TYPES = ("application/json",)
NDJSON = "application/x-ndjson"
# Base addresses that exporters are given, in front of /v1/traces, /v1/logs and /v1/metrics.
OTLP_BASES = ("", "/otlp", "/otel", "/api/public/otel")

ROUTES: dict[str, Route] = {
    "/api/v1/traces": Route(native.traces, native.refuse, (*JSON_TYPES, NDJSON), shared=True),
    "/api/v1/feedback": Route(native.feedback, native.refuse, JSON_TYPES),
}
for _base in OTLP_BASES:
    ROUTES[f"{_base}/v1/traces"] = Route(otlp.traces, otlp.refuse, OTLP_TYPES)
    ROUTES[f"{_base}/v1/logs"] = Route(otlp.logs, otlp.refuse, OTLP_TYPES)
    ROUTES[f"{_base}/v1/metrics"] = Route(otlp.metrics, otlp.refuse, OTLP_TYPES)
for _base in ("", "/langsmith"):
    ROUTES[f"{_base}/runs/batch"] = Route(langsmith.batch, native.refuse, JSON_TYPES)
    ROUTES[f"{_base}/runs/multipart"] = Route(
        langsmith.multipart, native.refuse, ("multipart/form-data",)
    )
    ROUTES[f"{_base}/feedback"] = Route(langsmith.feedback, native.refuse, JSON_TYPES)
    ROUTES[f"{_base}/info"] = Route(langsmith.info, native.refuse, (), method="GET")
