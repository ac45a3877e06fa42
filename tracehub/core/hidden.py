"""Text that comes from traces and names, made honest: what cannot be seen is written out.

A right-to-left override turns the end of a file name, zero-width characters make two models look
like one, and terminal sequences colour, move and link. Markup is the template's work; this module
only keeps what a reader sees equal to what is there.
"""

from __future__ import annotations

import re

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
