"""Secrets and personal data become placeholders before anything is stored.

A span is scanned once as JSON bytes with one linear-time set of patterns (RE2); only a span with
a hit is walked value by value, JSON inside of strings included. Placeholders name the rule:
`[masked:bearer_token]`.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson
import re2

from tracehub.core.mask_places import (
    ATTRIBUTE,
    CONTAINERS,
    PLACES,
    place_of,
    place_of_event,
)
from tracehub.core.wire.values import dumped, parsed

Json = Any
MAX_DEPTH = 100


@dataclass(frozen=True, slots=True)
class Rule:
    """A named pattern. `pattern` finds the secret; its group 1, when there is one, is replaced.

    `check` names a sum that a hit must satisfy: `luhn` or `mod97`. `within` is where it looks: one
    of PLACES, `attributes.` and the name of an attribute (or its beginning and `*`), or everywhere.
    """

    name: str
    pattern: str
    check: str = ""
    within: str = ""


@dataclass(frozen=True, slots=True)
class PathRule:
    """What happens to the value of an attribute: `drop`, `mask`, or `hmac`.

    `path` is the attribute's whole name, or its beginning and `*`. `hmac` leaves equal values
    equal, under a key of the project's own.
    """

    name: str
    path: str
    action: str
    key: bytes = b""

    def fits(self, name: str) -> bool:
        return fits(self.path, name)


def fits(path: str, name: str) -> bool:
    """Say whether an attribute has this name, or begins like it when the path ends in `*`."""
    return name.startswith(path[:-1]) if path.endswith("*") else name == path


class BadPattern(ValueError):
    """A pattern that RE2 does not take, and why."""


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
# By choice of a project, in this order: an account number holds what looks like a phone's.
PERSONAL: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("email", r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}"),
        Rule("card", r"\b[2-6](?:[ -]?[0-9]){12,18}\b", "luhn"),
        Rule("iban", r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]){11,30}\b", "mod97"),
        Rule("phone", r"(?:\+|\b00)[1-9](?:[ ()./-]{0,2}[0-9]){7,14}\b"),
        Rule(
            "ip",
            r"\b(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\.){3}"
            r"(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])\b"
            r"|\b(?:[0-9A-Fa-f]{1,4}:){7}[0-9A-Fa-f]{1,4}\b",
        ),
    )
}
MAX_PATTERN = 500  # characters of a project's own pattern
MAX_MEMORY = 1 << 20  # bytes that RE2 may use for one pattern of a project
# Attribute and field names whose value is a credential, whatever it looks like.
_NAMES = (
    r"(?i)(?:^|[._-])(?:authorization|proxy-authorization|x-api-key|api[_-]?key|apikey|"
    r"secret[_-]?key|access[_-]?token|refresh[_-]?token|client[_-]?secret|password|set-cookie|cookie)$"
)
# Attributes that hold credentials among other things, in forms without names of their own.
_HOLDERS = frozenset(("llm.headers", "process.command_args", "process.command_line"))
_SPOKEN = r"(?i:key|token|secret|passw|auth|cookie|credential)"
_HOLDING = (
    r"(?:llm\.headers|process\.command_(?:args|line))\\?\"\s*:\s*(?:\[[^\]]*|\\?\"[^\"]*)" + _SPOKEN
)
_NAME_KEPT = re2.compile(r"(?i)(?:max|count|usage|num|total)")
_SPEAKS = re2.compile(_SPOKEN).search


@dataclass(slots=True)
class Masked:
    """A masked value and how often each rule fired."""

    value: Json
    counts: Counter[str] = field(default_factory=Counter)


DROPPED = object()
Check = Callable[[str], bool] | None


def luhn(text: str) -> bool:
    """Say whether the digits of a text have the sum of a card number.

    >>> luhn("4111 1111 1111 1111"), luhn("4111 1111 1111 1112")
    (True, False)
    """
    digits = [int(c) for c in reversed(text) if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) for d in digits[1::2]]
    return len(digits) >= 13 and (sum(digits[::2]) + sum(doubled)) % 10 == 0


def mod97(text: str) -> bool:
    """Say whether a text has the check digits of an IBAN (ISO 7064).

    >>> mod97("DE89 3704 0044 0532 0130 00"), mod97("DE88 3704 0044 0532 0130 00")
    (True, False)
    """
    plain = text.replace(" ", "")
    return int("".join(str(int(c, 36)) for c in plain[4:] + plain[:4])) % 97 == 1


CHECKS: dict[str, Check] = {"": None, "luhn": luhn, "mod97": mod97}


def own_rule(name: str, pattern: str, within: str = "") -> Rule:
    """Return a rule of a project's own pattern. Raises BadPattern with what RE2 says of it."""
    if len(pattern) > MAX_PATTERN:
        raise BadPattern(f"may have {MAX_PATTERN} characters. Got {len(pattern)}.")
    options = re2.Options()
    options.max_mem = MAX_MEMORY
    options.log_errors = False
    try:
        compiled = re2.compile(pattern, options)
    except re2.error as error:
        said = error.args[0].decode() if isinstance(error.args[0], bytes) else str(error)
        raise BadPattern(f"is not a pattern that RE2 takes: {said}.") from None
    if compiled.search(""):
        raise BadPattern("fits an empty text, so it would mask between all letters.")
    return Rule(name, pattern, within=within)


def _by_path(path: PathRule, value: Json) -> Json:
    if path.action == "drop":
        return DROPPED
    if path.action == "hmac":
        text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS)
        return f"[{path.name}:{hmac.new(path.key, text, 'sha256').hexdigest()[:16]}]"
    return f"[masked:{path.name}]"


def _is_placeholder(name: str, value: Json) -> bool:
    """Say whether a rule was here before: a stored pseudonym stays the same for good."""
    if not isinstance(value, str):
        return False
    return value == f"[masked:{name}]" or bool(
        value.startswith(f"[{name}:") and value.endswith("]") and len(value) == len(name) + 19
    )


class _Compiled(NamedTuple):
    name: str
    pattern: Any
    check: Check


Rules = tuple[_Compiled, ...]
_BUILT_IN = frozenset(rule.pattern for rule in (*SECRETS, *PERSONAL.values()))
_ANCHORS = re2.compile(r"[\^$]|\\[Az]")


class Masker:
    """A compiled set of rules. Build once per project and set of rules."""

    def __init__(self, rules: Iterable[Rule] = SECRETS, paths: Iterable[PathRule] = ()) -> None:
        rules = tuple(rules)
        compiled = [
            (rule.within, _Compiled(rule.name, re2.compile(rule.pattern), CHECKS[rule.check]))
            for rule in rules
        ]
        self._at: dict[str, Rules] = {
            place: tuple(each for within, each in compiled if within in {"", place})
            for place in PLACES
        }
        # Where anything may stand, the rules of all places look.
        self._at[""] = tuple(each for within, each in compiled if not within.startswith(ATTRIBUTE))
        self._in_attribute = [
            (within.removeprefix(ATTRIBUTE), each)
            for within, each in compiled
            if within.startswith(ATTRIBUTE)
        ]
        self.paths = tuple(paths)
        self._names = re2.compile(_NAMES)
        own = [rule.pattern for rule in rules if rule.pattern not in _BUILT_IN]
        self._own = bool(own)
        self._anchored = any(_ANCHORS.search(pattern) for pattern in own)
        self._scan = self._compile_scan(rules)

    def _compile_scan(self, rules: Iterable[Rule]) -> Any:
        scan = re2.Set.SearchSet()
        for rule in rules:
            scan.Add(rule.pattern)
        # The name pattern again, as it looks in JSON text: `"...authorization":`.
        scan.Add(_NAMES.replace("$", r"\\?\"\s*:").replace("(?:^|[._-])", r"[._\"\\-]"))
        scan.Add(_HOLDING)
        for path in self.paths:
            scan.Add(re2.escape(orjson.dumps(path.path.removesuffix("*")).decode()[:-1]))
        scan.Compile()
        return scan

    def touches(self, json_text: bytes) -> bool:
        """Say whether anything in this JSON text could need masking. Linear in its length.

        A project's own patterns are written against texts, not JSON: where texts have escapes, or
        a pattern looks for their ends, only a walk can tell.
        """
        if self._own and (self._anchored or b"\\" in json_text):
            return True
        return bool(self._scan.Match(json_text))

    def mask(self, value: Json) -> Masked:
        """Return the value with every hit replaced, in strings, keys, and JSON inside strings."""
        masked = Masked(None)
        masked.value = self._walk(value, masked.counts, 0, self._at[""], known=True)
        return masked

    def text(self, text: str, counts: Counter[str]) -> str:
        """Return a text of any place with every hit replaced."""
        return _replaced(self._at[""], text, counts)

    def _walk(
        self, value: Json, counts: Counter[str], depth: int, rules: Rules, *, known: bool
    ) -> Json:
        """Mask below a value. `known` says that its keys are those of `mask_places`."""
        if depth > MAX_DEPTH:  # never recurse without a bound: as text, where something is in it
            text = dumped(value)
            masked = _replaced(rules, text, counts)
            return value if masked == text else masked
        if isinstance(value, str):
            return self._string(value, counts, depth, rules)
        if isinstance(value, dict):
            if known and (place := place_of_event(value)):
                rules, known = self._at[place], False
            return {
                _replaced(rules, str(key), counts): entry
                for key, item in value.items()
                if (entry := self._entry(str(key), item, counts, depth + 1, rules, known=known))
                is not DROPPED
            }
        if isinstance(value, list):
            return [self._walk(item, counts, depth + 1, rules, known=known) for item in value]
        return value

    def _string(self, text: str, counts: Counter[str], depth: int, rules: Rules) -> str:
        """Mask a string; one that holds JSON stays JSON, and keeps its very form without a hit."""
        inner = parsed(text)
        if inner is text:
            return _replaced(rules, text, counts)
        found: Counter[str] = Counter()
        masked = self._walk(inner, found, depth + 1, rules, known=False)
        counts.update(found)
        return dumped(masked) if found else text

    def _entry(
        self,
        key: str,
        value: Json,
        counts: Counter[str],
        depth: int,
        rules: Rules,
        *,
        known: bool,
    ) -> Json:
        for path in self.paths:
            if path.fits(key):
                if _is_placeholder(path.name, value):
                    return value
                counts[path.name] += 1
                return _by_path(path, value)
        if isinstance(value, str | list) and value and self._is_credential(key, value):
            if isinstance(value, str) and value.startswith("[masked:") and value.endswith("]"):
                return value
            if not _NAME_KEPT.search(key):
                counts["credential_field"] += 1
                return "[masked:credential_field]"
        elif known:
            known = key in CONTAINERS
            rules = self._at[place_of(key)]
        for attribute, rule in self._in_attribute:
            if fits(attribute, key) and rule not in rules:
                rules = (*rules, rule)
        return self._walk(value, counts, depth, rules, known=known)

    def _is_credential(self, key: str, value: str | list[Json]) -> bool:
        """Say whether a name alone tells that a value is one, or holds one. Headers are lists."""
        if key in _HOLDERS:
            return _SPEAKS(dumped(value)) is not None
        return self._names.search(key) is not None


def _replaced(rules: Rules, text: str, counts: Counter[str]) -> str:
    for name, pattern, check in rules:
        out, at = [], 0
        for match in pattern.finditer(text):
            if check is not None and not check(match.group()):
                continue
            start, end = match.span(1) if pattern.groups else match.span()
            out += [text[at:start], f"[masked:{name}]"]
            at = end
            counts[name] += 1
        if out:
            text = "".join(out) + text[at:]
    return text
