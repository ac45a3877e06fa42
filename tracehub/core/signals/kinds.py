"""Every kind of signal: which pass finds it, when it fires, and what a project may change of it.

The settings page and docs/reference/signals.md say the same; a test compares them.
"""

from __future__ import annotations

from typing import NamedTuple


class Threshold(NamedTuple):
    """The number from which a detector fires. `usual` holds until a project says otherwise."""

    usual: float
    least: float
    most: float
    unit: str  # as it stands after the number: "times the p95"
    whole: bool = False

    def wrong(self, value: float) -> str | None:
        """Return what is wrong with a value, None when it can be used.

        >>> Threshold(4, 2, 100, "calls", whole=True).wrong(1)
        'must be a whole number from 2 to 100'
        """
        fits = self.least <= value <= self.most and (not self.whole or value == int(value))
        number = "a whole number" if self.whole else "a number"
        return None if fits else f"must be {number} from {self.least:g} to {self.most:g}"


class Kind(NamedTuple):
    """One kind. `second`: found in the second pass, which reads payloads when there is time."""

    name: str
    fires: str
    threshold: Threshold | None = None
    second: bool = False


_TABLE = (
    Kind("schema_error", "An output breaks the schema of its contract"),
    Kind("not_json", "A contract asks for JSON and the output is none"),
    Kind("unknown_label", "An output uses a label that its contract does not know"),
    Kind("required_null", "A field that the contract requires is null"),
    Kind("validation_error", "The sender reported that an output broke a rule"),
    Kind("exception", "The trace failed"),
    Kind("timeout", "A span failed for want of time"),
    Kind("tool_error", "A tool failed"),
    Kind(
        "tool_arguments_invalid",
        "A call breaks the schema that its own request gave for the tool",
        second=True,
    ),
    Kind("unknown_tool", "The model called a tool that its request does not offer", second=True),
    Kind(
        "tool_loop",
        "One tool is called again and again with equal arguments",
        Threshold(4, 2, 100, "calls", whole=True),
    ),
    Kind("empty_output", "A finished call gave nothing"),
    Kind("content_filter", "The provider's filter stopped the answer"),
    Kind("truncated", "An answer stopped at its length limit"),
    Kind("refusal", "The model refused"),
    Kind("guardrail_hit", "A guardrail did not pass"),
    Kind("empty_retrieval", "A search found no documents"),
    Kind(
        "slow",
        "A call takes far longer than others of its prompt",
        Threshold(2, 1, 100, "times its p95"),
    ),
    Kind(
        "cost_outlier",
        "A call costs far more than others of its prompt",
        Threshold(3, 1, 100, "times its p95"),
    ),
    Kind(
        "token_outlier",
        "A call takes far more tokens than others of its prompt",
        Threshold(3, 1, 100, "times its p95"),
    ),
    Kind("negative_feedback", "A thumb down, a low score or a negative label"),
    Kind("judge_fail", "An automated judge gave a negative score or label"),
    Kind("fallback", "Another model answered after an error"),
    Kind("retried", "A call was made again after an error"),
    Kind(
        "repetition",
        "An answer says the same again and again",
        Threshold(4, 3, 50, "times", whole=True),
        second=True,
    ),
    Kind(
        "low_grounding",
        "Too few sentences of the answer have support in what was retrieved",
        Threshold(0.5, 0.05, 1, "of the sentences"),
        second=True,
    ),
    Kind("unknown_citation", "The answer cites a source that was not retrieved", second=True),
    Kind(
        "wrong_language",
        "The answer is in another language than the question",
        Threshold(0.8, 0.5, 1, "sure of both"),
        second=True,
    ),
    Kind(
        "too_long",
        "An answer is longer than the limit",
        Threshold(20_000, 100, 1_000_000, "characters", whole=True),
        second=True,
    ),
    Kind("pii_in_output", "The answer holds personal data that the user did not give", second=True),
    Kind("secret_in_output", "The answer holds a key, a token or a password", second=True),
    Kind(
        "rephrased",
        "The user asks the same again within the session",
        Threshold(0.8, 0.5, 1, "alike"),
        second=True,
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _TABLE}
CUSTOM = "custom:"
