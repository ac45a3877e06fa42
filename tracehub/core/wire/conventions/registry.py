"""All conventions and which wins where several are on one span.

Most spans carry two or three at once, and every field is taken from the first convention in its
order that has a usable value. Documented for users in docs/conventions.md.
"""

from __future__ import annotations

from tracehub.core.wire.attributes import Convention, Shape
from tracehub.core.wire.conventions import genai, openinference, otel, tracehub

# Messages, tokens, model and all that is not named below: the earlier wins.
ORDER: tuple[Convention, ...] = (
    tracehub.CONVENTION,
    otel.CONVENTION,
    genai.CONVENTION,
    openinference.CONVENTION,
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
)
KIND_RANK = {name: rank for rank, name in enumerate(KIND_ORDER)}


def conventions_of(shape: Shape) -> tuple[Convention, ...]:
    """The conventions that a set of keys belongs to, last in ORDER first."""
    segments = {key.partition(".")[0] for key in shape.keys}
    return tuple(
        convention for convention in reversed(ORDER) if not convention.segments.isdisjoint(segments)
    )


def conventions_with_events(shape: Shape) -> tuple[Convention, ...]:
    """The same for a span that has events."""
    chosen = set(conventions_of(shape))
    return tuple(
        convention for convention in reversed(ORDER) if convention in chosen or convention.events
    )
