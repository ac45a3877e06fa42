"""Secrets and personal data in a text, by the patterns of masking, and by what masking left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import re2

from tracehub.core.mask import CHECKS, PERSONAL, SECRETS, Rule

_MASKED = re.compile(r"\[masked:([a-z_]{1,40})\]")


class Hit(NamedTuple):
    """Which rule, and the text it found; a placeholder when masking was there before."""

    rule: str
    text: str


def secrets(text: str) -> Iterator[Hit]:
    """Yield the secrets in a text. Masking takes them out on arrival and leaves its placeholder."""
    yield from _hits(text, SECRETS, {*(rule.name for rule in SECRETS), "credential_field"})


def personal(text: str) -> Iterator[Hit]:
    """Yield addresses, card, account and phone numbers in a text."""
    yield from _hits(text, PERSONAL.values(), set(PERSONAL))


def _hits(text: str, rules: Iterable[Rule], names: set[str]) -> Iterator[Hit]:
    for match in _MASKED.finditer(text):
        if match[1] in names:
            yield Hit(match[1], match[0])
    for rule in rules:
        check = CHECKS[rule.check]
        for match in _compiled(rule.pattern).finditer(text):
            if ". " in match.group():  # the end of a sentence between two numbers
                continue
            if check is None or check(match.group()):
                yield Hit(rule.name, match.group())


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)
