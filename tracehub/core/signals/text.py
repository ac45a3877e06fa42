"""Texts as detectors read them: the words of a payload, sentences, and words of a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tracehub.core.preview import plain, told
from tracehub.core.trace import Json

CAP = 40_000  # characters of one text that are read
DEPTH = 40
_WORD = re.compile(r"[^\W_]+(?:[.,:'’-][^\W_]+)*")
_CODE = re.compile(r"```.*?(?:```|$)", re.DOTALL)
# An end of a sentence, a new line, or a full stop of Chinese and Japanese.
_END = re.compile(r"(?<=[.!?])\s+|\n+|(?<=[。！？])")


def strings(value: Json, depth: int = 0) -> Iterator[str]:
    """Yield the texts in a JSON value; keys are no texts."""
    if isinstance(value, str):
        yield value
    elif depth < DEPTH and isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item, depth + 1)


def spoken(value: Json) -> str:
    """Return the words of an input or output, up to CAP characters; of JSON its texts.

    >>> spoken('{"reply": "Sent.", "refund": {"amount": 418.6, "currency": "EUR"}}')
    'Sent.\\nEUR'
    """
    value = told(plain(value))
    if isinstance(value, str):
        return value[:CAP]
    return "\n".join(strings(value))[:CAP]


def prose(text: str) -> str:
    """Return a text without blocks of code."""
    return _CODE.sub(" ", text)


def sentences(text: str) -> list[str]:
    """Return the sentences of a text, without marks of lists and headings around them.

    >>> sentences("Paid 4.50 EUR. See [1].\\n- Sent today")
    ['Paid 4.50 EUR.', 'See [1].', 'Sent today']
    """
    parts = (part.strip(" \t-*#>•") for part in _END.split(prose(text)))
    return [part for part in parts if part]


def words(text: str) -> list[str]:
    """Return the words and numbers of a text in lower case.

    >>> words("Refund: 418.60 EUR, don't wait")
    ['refund', '418.60', 'eur', "don't", 'wait']
    """
    return _WORD.findall(text.lower())


def shortened(text: str, most: int = 80) -> str:
    """Return the beginning of a text as one line, for a message."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most else line[: most - 1] + "…"
