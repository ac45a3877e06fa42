"""Keys, tokens and passwords in an answer."""

from __future__ import annotations

from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.signals.personal import secrets
from tracehub.core.trace import Signal


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `secret_in_output` per kind of secret in the answer, also of one that was masked."""
    for rule in sorted({hit.rule for hit in secrets(trace.answer)}):
        yield Signal(
            "secret_in_output",
            f"The answer holds a secret: {rule.replace('_', ' ')}",
            "critical",
            trace.summary.output_span,
            evidence={"type": rule},
        )
