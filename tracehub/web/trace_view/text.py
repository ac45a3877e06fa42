"""Text of traces made safe to read: what cannot be seen becomes visible, what is long is folded.

Escaping of markup is the template's work; this module keeps text honest and short.
"""

from __future__ import annotations

from dataclasses import dataclass

from tracehub.core.hidden import visible

__all__ = ["EVERYTHING", "Text", "folded", "one_line", "visible"]

EVERYTHING = "*"  # the key of all texts of a span, to search in them

FOLD_AT = 4_000  # characters of one text shown at first
SHOWN_OF_FOLDED = 1_500
UNFOLDED_AT_MOST = 400_000  # more than a browser lays out well; the JSON holds the rest


@dataclass(slots=True, frozen=True)
class Text:
    """A text as shown: `hidden` counts the characters left out, `key` names it for "Show all"."""

    text: str
    hidden: int = 0
    key: str = ""


def folded(text: str, key: str, *, whole: str = "") -> Text:
    """Return the text, cut to its beginning when long, unless `whole` names its key."""
    limit = UNFOLDED_AT_MOST if whole and whole in (key, EVERYTHING) else FOLD_AT
    if len(text) <= limit:
        return Text(visible(text), 0, key)
    shown = limit if limit == UNFOLDED_AT_MOST else SHOWN_OF_FOLDED
    return Text(visible(text[:shown]), len(text) - shown, key)


def one_line(text: str, limit: int = 160) -> str:
    """Return the beginning of a text on one line, for heads and summaries."""
    line = " ".join(visible(text[: limit * 4]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"
