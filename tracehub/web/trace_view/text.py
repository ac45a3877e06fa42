"""Text of traces made safe to read: what cannot be seen becomes visible, what is long is folded.

Escaping of markup is the template's work; this module keeps text honest and short.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

FOLD_AT = 4_000  # characters of one text shown at first
SHOWN_OF_FOLDED = 1_500
UNFOLDED_AT_MOST = 400_000  # more than a browser lays out well; the JSON holds the rest

# CSI, OSC (also OSC 8 links) and two-character escapes of terminals.
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
# Controls, bidirectional overrides and marks, zero-width characters, tags, byte order mark.
_HIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b"
    "\u200e\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\U000e0000-\U000e007f]"
)
# Joiners are part of many scripts and emoji; between ASCII letters they only hide.
_JOINER = re.compile("(?<=[\x20-\x7e])[\u200c\u200d]|[\u200c\u200d](?=[\x20-\x7e])")


def _mark(found: re.Match[str]) -> str:
    return f"⟨U+{ord(found[0]):04X}⟩"


def visible(text: str) -> str:
    """Return `text` with terminal sequences removed and invisible characters written out.

    >>> visible("gpt-4o\\u202e\\x1b[31m red\\x1b[0m")
    'gpt-4o⟨U+202E⟩ red'
    """
    if text.isascii() and text.isprintable():
        return text
    return _JOINER.sub(_mark, _HIDDEN.sub(_mark, _ANSI.sub("", text)))


@dataclass(slots=True, frozen=True)
class Text:
    """A text as shown: `hidden` counts the characters left out, `key` names it for "Show all"."""

    text: str
    hidden: int = 0
    key: str = ""


def folded(text: str, key: str, *, whole: str = "") -> Text:
    """Return the text, cut to its beginning when long, unless `whole` names its key."""
    limit = UNFOLDED_AT_MOST if whole and whole == key else FOLD_AT
    if len(text) <= limit:
        return Text(visible(text), 0, key)
    shown = limit if limit == UNFOLDED_AT_MOST else SHOWN_OF_FOLDED
    return Text(visible(text[:shown]), len(text) - shown, key)


def one_line(text: str, limit: int = 160) -> str:
    """Return the beginning of a text on one line, for heads and summaries."""
    line = " ".join(visible(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
