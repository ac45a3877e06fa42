"""Every page writes out the characters that would hide or turn what its reader sees.

Done once for the finished page, so that no template and no new page can forget it. Values of
fields, copy buttons and links stay exact: only text, and the attributes that are read as text,
change.
"""

from __future__ import annotations

import re

import re2

from tracehub.core.hidden import visible

# What `core.hidden` marks, in UTF-8. RE2 scans a page for it in well under a millisecond, and most
# pages have none.
_SUSPECT = re2.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x{9f}\x{ad}\x{61c}\x{115f}\x{1160}\x{17b4}\x{17b5}\x{180e}"
    r"\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{206f}\x{3164}\x{feff}\x{ffa0}"
    r"\x{e0000}-\x{e007f}]"
)
_MARKUP = re.compile(r"(<(script|style|textarea)\b.*?</\2\s*>|<[^>]*>)", re.DOTALL | re.IGNORECASE)
_READ = re.compile(r'(\s(?:title|alt|aria-label|aria-description|label)=")([^"]*)"')


def revealed(page: bytes) -> bytes:
    """Return the HTML with hidden characters of its text written out.

    >>> revealed('<b title="a\\u202e">x\\u200b</b><input value="x\\u200b">'.encode()).decode()
    '<b title="a⟨U+202E⟩">x⟨U+200B⟩</b><input value="x\\u200b">'
    """
    if _SUSPECT.search(page) is None:
        return page
    text = page.decode()
    done, shown = 0, []
    for found in _MARKUP.finditer(text):
        shown.append(visible(text[done : found.start()]))
        shown.append(found[0] if found[2] else _READ.sub(_attribute, found[0]))
        done = found.end()
    shown.append(visible(text[done:]))
    return "".join(shown).encode()


def _attribute(found: re.Match[str]) -> str:
    return f'{found[1]}{visible(found[2])}"'
