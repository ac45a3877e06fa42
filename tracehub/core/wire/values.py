"""Small readers of received values, shared by all conventions.

None of them raises: what cannot be read as asked is None or stays as it came.
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

from tracehub.core.trace import Json, Prompt
from tracehub.core.wire.decoded import MAX_NESTING, REPLACEMENT, without_nul
from tracehub.core.wire.json_text import replace_surrogates

OBJECT = re.compile(r"<[\w.<>]{1,200} object at 0x[0-9a-fA-F]{1,16}>").fullmatch
MAX_COUNT = 10**10  # tokens of one call; more is a mistake, and sums must fit 64 bits
MAX_VERSION = 64  # characters
MAX_LITERAL = 10_000  # characters of a Python repr that are read
MAX_COST = 100_000  # US dollars of one call, likewise
PROVIDER_SUFFIXES = (".chat", ".responses", ".embedding", ".completion", ".image")
# Frameworks that name themselves where the provider belongs; Phoenix and LangSmith do likewise.
FRAMEWORKS = frozenset(
    "langchain langgraph strands-agents langsmith crewai llama_index llamaindex autogen ag2 dspy "
    "agno haystack smolagents semantic_kernel microsoft.agent_framework pydantic-ai "
    "gcp.vertex.agent".split()
)


def parsed(value: Json) -> Json:
    """A string that holds JSON as what it holds; anything else as it came.

    Only strings that start with `{`, `[` or `"` are tried. Too deep or broken JSON stays a string.
    """
    if value.__class__ is not str or value[:1] not in '{["' or not value:
        return value
    return _parse(value)


def is_given(value: Json) -> bool:
    """Whether a value says something: not nothing, and no repr of an object in the client.

    >>> is_given(0), is_given(""), is_given("<openai.Omit object at 0x7fd0c29f7850>")
    (True, False, False)
    """
    if value.__class__ is not str:
        return value is not None
    return value != "" and not (value[0] == "<" and OBJECT(value) is not None)


def parsed_any(value: Json) -> Json:
    """Like `parsed`, also for numbers, true, false and null (MLflow encodes every value)."""
    if value.__class__ is not str or not value:
        return value
    return _parse(value)


def _parse(text: str) -> Json:
    try:
        result = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if "surrogate" not in str(error):
            return text
        try:
            result = orjson.loads(replace_surrogates(text.encode("utf-8", "replace"))[0])
        except orjson.JSONDecodeError:
            return text
    if "\\u0000" in text:
        result = cleaned(result)
    if result.__class__ is float and not math.isfinite(result):
        return text
    return result if not_too_deep(text, result) else text


def not_too_deep(text: str, value: Json) -> bool:
    """Whether `value`, parsed from `text`, nests no deeper than storing it again allows."""
    if text.count("[") + text.count("{") <= MAX_NESTING:
        return True
    return shallow(value)


def shallow(value: Json, limit: int = MAX_NESTING) -> bool:
    """Whether lists and objects nest at most `limit` deep. Breadth first, nothing recursive."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(limit):
        if not level:
            return True
        level = [
            inner
            for item in level
            for inner in (item.values() if isinstance(item, dict) else item)
            if isinstance(inner, dict | list)
        ]
    return not level


def cleaned(value: Json) -> Json:
    """A parsed value with U+FFFD for each U+0000, in keys too. Works in place where it can."""
    holder = [value]
    waiting: list[Any] = [holder]
    while waiting:
        current = waiting.pop()
        items = list(current.items() if isinstance(current, dict) else enumerate(current))
        for key, item in items:
            if isinstance(key, str) and "\0" in key:
                del current[key]
                key = without_nul(key)
                current[key] = item
            if isinstance(item, str):
                if "\0" in item:
                    current[key] = item.replace("\0", REPLACEMENT)
            elif isinstance(item, dict | list):
                waiting.append(item)
    return holder[0]


def text_of(value: Json) -> str | None:
    """A non-empty string, or a number as text; else None."""
    if value.__class__ is str:
        return value or None
    if value.__class__ is int or value.__class__ is float:
        return str(value)
    return None


def version_of(value: Json) -> str | None:
    """A version that tells series apart, so a short one: cut to MAX_VERSION characters."""
    text = text_of(value)
    return text[:MAX_VERSION].strip() or None if text else None


def dumped(value: Json) -> str:
    """A value as the text that a chat message shows: strings as they are, else compact JSON."""
    if value.__class__ is str:
        return str(value)
    try:
        return orjson.dumps(value, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # deeper than orjson goes; only from hand-made values
        return "[nested too deeply]"


def count_of(value: Json) -> int | None:
    """A count of tokens: a whole number of at least 0; else None."""
    if value.__class__ is int:
        return value if 0 <= value < MAX_COUNT else None
    if isinstance(value, float):
        return int(value) if 0 <= value < MAX_COUNT and value == int(value) else None
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        return int(value)
    return None


def number_of(value: Json) -> float | None:
    """A finite number, also from its text; else None."""
    if value.__class__ is bool:
        return None
    if isinstance(value, int | float):
        number = float(value)
    elif isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return None
    else:
        return None
    return number if math.isfinite(number) else None


def cost_of(value: Json) -> Decimal | None:
    """A cost in US dollars, rounded to 10 places; None for 0 (price unknown), text or less."""
    if value.__class__ is bool or not isinstance(value, int | float | str):
        return None
    try:
        cost = Decimal(str(value))
        return round(cost, 10) if cost.is_finite() and 0 < cost < MAX_COST else None
    except InvalidOperation:
        return None


def true_of(value: Json) -> bool:
    """True for true and the words that hand-written exporters send for it."""
    return value is True or (isinstance(value, str) and value.lower() == "true")


def texts_of(value: Json) -> list[str]:
    """A list of strings from a list, a JSON list in a string, or one string."""
    value = parsed(value)
    if isinstance(value, str):
        return [value] if value else []
    if isinstance(value, list):
        return [text for item in value if (text := text_of(item))]
    return []


def object_of(value: Json) -> dict[str, Json]:
    """A JSON object, also from its text; else an empty one."""
    value = parsed(value)
    return value if isinstance(value, dict) else {}


def list_of(value: Json) -> list[Json]:
    """A JSON list, also from its text; else an empty one."""
    value = parsed(value)
    return value if isinstance(value, list) else []


def first(mapping: Mapping[str, Json], *keys: str) -> Json:
    """The first value that is not None among `keys`."""
    for key in keys:
        if (value := mapping.get(key)) is not None:
            return value
    return None


def provider_of(value: Json) -> str | None:
    """A provider's name in lower case without SDK suffix; None for a framework's name.

    >>> provider_of("openai.chat"), provider_of("aws.bedrock"), provider_of("langchain")
    ('openai', 'aws.bedrock', None)
    """
    if not isinstance(value, str) or not value:
        return None
    name = value.lower()
    if name.endswith(PROVIDER_SUFFIXES):
        name = name.rpartition(".")[0]
    return None if name in FRAMEWORKS else name


def ns_of(seconds: float | None) -> int | None:
    """Seconds as nanoseconds; None for None or anything below 0 or beyond a year."""
    if seconds is None or not 0 <= seconds < 31_536_000:
        return None
    return round(seconds * 1e9)


def split_label(label: Json) -> tuple[str | None, str | None]:
    """`refund@v12` as name and version; the version is None when there is no `@`."""
    if not isinstance(label, str) or not label:
        return None, None
    name, at, version = label.rpartition("@")
    return (name, version or None) if at and name else (label, None)


def prompt_from(
    name: Json, version: Json, template: Json = None, variables: Json = None
) -> Prompt | None:
    """A prompt from what was sent, None when neither name nor version nor template is there."""
    found = Prompt(
        text_of(name),
        text_of(version),
        text_of(template),
        object_of(variables) if variables else {},
    )
    return found if found.name or found.version or found.template else None


def class_name(text: str | None) -> str | None:
    """The name of an exception's class, also out of its repr (Semantic Kernel).

    >>> class_name("<class 'app.errors.NoBooking'>")
    'app.errors.NoBooking'
    """
    if text is not None and text.startswith("<class '") and text.endswith("'>"):
        return text[8:-2] or None
    return text


def literal_of(text: str) -> Json:
    """What a Python repr of plain values holds, None for any other text; nothing is run."""
    if len(text) > MAX_LITERAL:
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
