"""JSON values as YAML in flow style, which YAML 1.1 and 1.2 parsers read alike.

JSON is nearly YAML: what differs is mended here. YAML 1.1 takes `1e+22` for text, forbids some
characters that JSON leaves as they are, and reads keys beyond 1,024 characters only when marked.
"""

from __future__ import annotations

import json
import re

from tracehub.core.trace import Json

# Line breaks of YAML and what its reader refuses; surrogate pairs stay single characters.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_EXPONENT = re.compile(r"^(-?[0-9]+)(e)")
_LONGEST_KEY = 1000


def flow(value: Json) -> str:
    """Return the value as one line of YAML.

    >>> flow({"a": [1e22, "é", None]})
    '{"a": [1.0e+22, "é", null]}'
    """
    if isinstance(value, dict):
        return "{" + ", ".join(_pair(str(key), item) for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, float):
        return _EXPONENT.sub(r"\1.0\2", json.dumps(value, allow_nan=False))
    text = json.dumps(value, ensure_ascii=False)
    return _ESCAPED.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _pair(key: str, value: Json) -> str:
    text = flow(key)
    return f"{'? ' if len(text) > _LONGEST_KEY else ''}{text}: {flow(value)}"
