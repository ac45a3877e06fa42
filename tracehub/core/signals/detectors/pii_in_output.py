"""Personal data in an answer that its user did not give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tracehub.core.signals.base import Contents
from tracehub.core.signals.personal import personal
from tracehub.core.trace import Signal

GRAVE = frozenset({"card", "iban"})
WORDS = {
    "email": "an e-mail address",
    "card": "a card number",
    "iban": "an account number",
    "phone": "a phone number",
    "ip": "an IP address",
}


def detect(trace: Contents) -> Iterator[Signal]:
    """Yield `pii_in_output` per kind of personal data in the answer.

    What the user or the instructions said themselves is no leak, and may be repeated.
    """
    given = trace.given
    found = Counter(hit.rule for hit in personal(trace.answer) if hit.text not in given)
    for rule, times in sorted(found.items()):
        yield Signal(
            "pii_in_output",
            f"The answer holds {WORDS[rule]} that the user did not give",
            "high" if rule in GRAVE else "medium",
            trace.summary.output_span,
            evidence={"type": rule, "times": times},
        )
