"""Attribute names in two characters: most of what a trace is sent with are those of conventions.

`attribute_names.txt` holds a name a line, `#` for a number in it. A code says the line, so it is
part of what is stored: lines are added at the end, never changed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from importlib.resources import files
from itertools import chain, zip_longest

NAMES = files("tracehub.core.query").joinpath("attribute_names.txt").read_text().split()
_WIDTH, _FIRST, _SECOND = 64, 0x01, ord("0")  # a control character, then one of 64 from 0 to o
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.|$)")
_CODES = {
    name: chr(_FIRST + line // _WIDTH) + chr(_SECOND + line % _WIDTH)
    for line, name in enumerate(NAMES)
}
_NAMED = {code: name for name, code in _CODES.items()}


@lru_cache(4096)
def coded(name: str) -> str:
    """Return the code of a name with the numbers in it, or the name. It holds no control character.

    >>> full(coded("llm.input_messages.12.message.role")), coded("my.own")
    ('llm.input_messages.12.message.role', 'my.own')
    """
    code = _CODES.get(_NUMBER.sub("#", name))
    return name if code is None or "#" in name else code + ".".join(_NUMBER.findall(name))


def full(code: str) -> str:
    """Return the name that `coded` took."""
    name = _NAMED.get(code[:2])
    if name is None:
        return code
    numbers = filter(None, code[2:].split("."))
    return "".join(chain.from_iterable(zip_longest(name.split("#"), numbers, fillvalue="")))
