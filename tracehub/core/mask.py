"""Secrets and personal data become placeholders before anything is stored.

A span is scanned once as JSON bytes with one linear-time set of patterns (RE2); only a span with
a hit is walked value by value. Placeholders name the rule: `[masked:bearer_token]`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import re2

Json = Any
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A named pattern. `pattern` finds the secret; its group 1, when there is one, is replaced."""

    name: str
    pattern: str


# On for every project: what no trace should ever hold.
SECRETS: tuple[Rule, ...] = (
    Rule("tracehub_key", r"\bth_(?:ing|api)_[0-9A-Za-z]{10}_[0-9A-Za-z]{38}\b"),
    Rule("openai_key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,}"),
    Rule("anthropic_key", r"\bsk-ant-[A-Za-z0-9_-]{20,}"),
    Rule("aws_key", r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"),
    Rule("google_key", r"\bAIza[0-9A-Za-z_-]{35}"),
    Rule("github_token", r"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})"),
    Rule("slack_token", r"\bxox[abposr]-[A-Za-z0-9-]{10,}"),
    Rule("langsmith_key", r"\blsv2_(?:pt|sk)_[0-9a-f_]{32,}"),
    Rule("langfuse_key", r"\bsk-lf-[0-9a-f-]{36}"),
    Rule("huggingface_token", r"\bhf_[A-Za-z0-9]{30,}"),
    Rule("jwt", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    Rule("bearer_token", r"(?i)\bbearer\s+([A-Za-z0-9+/=._~-]{16,})"),
    Rule("basic_credentials", r"(?i)\bbasic\s+([A-Za-z0-9+/]{16,}={0,2})"),
    Rule("url_password", r"[a-z][a-z0-9+.-]*://[^/\s:@\"\\]+:([^/\s@\"\\]+)@"),
    Rule("private_key", r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[^-]*"),
)
# Attribute and field names whose value is a credential, whatever it looks like.
_NAMES = (
    r"(?i)(?:^|[._-])(?:authorization|proxy-authorization|x-api-key|api[_-]?key|apikey|"
    r"secret[_-]?key|access[_-]?token|refresh[_-]?token|client[_-]?secret|password|set-cookie|cookie)$"
)
_NAME_KEPT = re2.compile(r"(?i)(?:max|count|usage|num|total)")


@dataclass(slots=True)
class Masked:
    """A masked value and how often each rule fired."""

    value: Json
    counts: Counter[str] = field(default_factory=Counter)


class Masker:
    """A compiled set of rules. Build once per project and set of rules."""

    def __init__(self, rules: Iterable[Rule] = SECRETS) -> None:
        self.rules = [(rule.name, re2.compile(rule.pattern)) for rule in rules]
        self._names = re2.compile(_NAMES)
        self._scan = re2.Set.SearchSet()
        for rule in rules:
            self._scan.Add(rule.pattern)
        # The name pattern again, as it looks in JSON text: `"...authorization":`.
        self._scan.Add(_NAMES.replace("$", r"\\?\"\s*:").replace("(?:^|[._-])", r"[._\"\\-]"))
        self._scan.Compile()

    def touches(self, json_text: bytes) -> bool:
        """Say whether anything in this JSON text could need masking. Linear in its length."""
        return bool(self._scan.Match(json_text))

    def mask(self, value: Json) -> Masked:
        """Return the value with every hit replaced, in strings, keys, and JSON inside strings."""
        masked = Masked(None)
        masked.value = self._walk(value, masked.counts, 0)
        return masked

    def text(self, text: str, counts: Counter[str]) -> str:
        for name, pattern in self.rules:
            text = self._replace(name, pattern, text, counts)
        return text

    def _replace(self, name: str, pattern: Any, text: str, counts: Counter[str]) -> str:
        out, at = [], 0
        for match in pattern.finditer(text):
            start, end = match.span(1) if pattern.groups else match.span()
            out += [text[at:start], f"[masked:{name}]"]
            at = end
            counts[name] += 1
        return "".join(out) + text[at:] if out else text

    def _walk(self, value: Json, counts: Counter[str], depth: int) -> Json:
        if depth > MAX_DEPTH:  # decoders refuse deeper input; never recurse without a bound
            return value
        if isinstance(value, str):
            return self.text(value, counts)
        if isinstance(value, dict):
            return {
                self.text(str(key), counts): self._entry(str(key), item, counts, depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self._walk(item, counts, depth + 1) for item in value]
        return value

    def _entry(self, key: str, value: Json, counts: Counter[str], depth: int) -> Json:
        if isinstance(value, str) and value and self._names.search(key):
            if _NAME_KEPT.search(key):
                return self.text(value, counts)
            counts["credential_field"] += 1
            return "[masked:credential_field]"
        return self._walk(value, counts, depth)
