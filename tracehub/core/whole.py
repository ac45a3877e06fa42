"""Whole numbers as addresses and forms write them."""

from __future__ import annotations


def whole_number(text: str | None, *, most: int = 10**15) -> int | None:
    """Return the number that a text writes in digits, None for anything else or above `most`.

    `str.isdigit` alone also takes digits that `int` refuses.

    >>> [whole_number(text) for text in ("12", "²", "-1", "1e3", "", "9" * 40)]
    [12, None, None, None, None, None]
    """
    if not text or len(text) > 20 or not (text.isascii() and text.isdigit()):
        return None
    number = int(text)
    return number if number <= most else None
