"""All conventions and which wins where several are on one span.

Most spans carry two or three at once, and every field is taken from the first convention in its
order that has a usable value. Documented for users in docs/reference/conventions.md.
"""

from __future__ import annotations

from tracehub.core.wire.attributes import Convention, Shape
from tracehub.core.wire.conventions import (
    frameworks,
    genai,
    genai_events,
    langfuse,
    langsmith,
    logfire,
    mlflow,
    openinference,
    openllmetry,
    otel,
    tracehub,
    vercel,
)

# Messages, tokens, model and all that is not named below: the earlier wins. Content of events and
# whole requests (`event_*`, `weak_*` of Found) come after all of these, whoever found them.
ORDER: tuple[Convention, ...] = (
    tracehub.CONVENTION,
    otel.CONVENTION,
    genai.CONVENTION,
    openinference.CONVENTION,
    openllmetry.CONVENTION,
    vercel.CONVENTION,
    langfuse.CONVENTION,
    mlflow.CONVENTION,
    langsmith.CONVENTION,
    logfire.CONVENTION,
    frameworks.CONVENTION,
    genai_events.CONVENTION,
)
# The library's own word for the kind of a span beats `gen_ai.operation.name`, which LangSmith,
# for one, sets to `embeddings` on a retriever.
KIND_ORDER = (
    "tracehub",
    "langfuse",
    "openinference",
    "mlflow",
    "langsmith",
    "openllmetry",
    "vercel",
    "genai",
    "logfire",
    "frameworks",
)
KIND_RANK = {name: rank for rank, name in enumerate(KIND_ORDER)}


def conventions_of(shape: Shape) -> tuple[Convention, ...]:
    """The conventions that a set of keys belongs to, last in ORDER first."""
    return tuple(
        convention
        for convention in reversed(ORDER)
        if any(key.startswith(convention.prefixes) for key in shape.keys)
    )


def conventions_with_events(shape: Shape) -> tuple[Convention, ...]:
    """The same for a span that has events."""
    chosen = set(conventions_of(shape))
    return tuple(
        convention for convention in reversed(ORDER) if convention in chosen or convention.events
    )
