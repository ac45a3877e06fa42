"""Words of texts, for search: what the index over texts holds, and what a query asks of it.

A word is a run of letters and digits, in lower case. Scripts that leave no spaces between words
(Chinese, Japanese, Thai and their like) are cut into every run of three characters, so a word of
any length inside them is found: up to three characters as the beginning of a run, longer ones as
all their runs, and the text itself is checked after that.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from tracehub.core.query.tree import Filter, Pattern, Term, Text

INPUT, OUTPUT, ERROR, NAME = "i", "o", "e", "n"  # one letter before each word says where it stands
FREE = (INPUT, OUTPUT, NAME)  # where free words are looked for
FIELDS = {"input": INPUT, "output": OUTPUT, "error": ERROR}
LONGEST = 40  # characters of a word that count
CAP = 8000  # characters of a text that are searched
RUN = 3
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Burmese, Khmer
    "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # kana, Han
)
_PIECE = re.compile(f"[{_UNSPACED}]+|[^{_UNSPACED}]+")
_NO_SPACES = re.compile(f"[{_UNSPACED}]")


def _pieces(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the runs of a text with whether they are of a script without spaces."""
    for word in _WORD.findall(text.lower()):
        if word.isascii():
            yield word, False
        else:
            for piece in _PIECE.findall(word):
                yield piece, _NO_SPACES.match(piece) is not None


def lexemes(field: str, text: str) -> set[str]:
    """Return what the index holds of the text of one field.

    >>> sorted(lexemes("i", "Refund 418.60, 返金して"))
    ['i418', 'i60', 'irefund', 'iして', 'iて', 'i返金し', 'i金して']
    """
    found: set[str] = set()
    for piece, unspaced in _pieces(text[:CAP]):
        if unspaced:
            found.update(field + piece[at : at + RUN] for at in range(len(piece)))
        else:
            found.add(field + piece[:LONGEST])
    return found


_UNPLAIN = re.compile(rf"[^\W\x00-\x7f]|[^\W_]{{{LONGEST + 1}}}")


def are_plain(texts: Iterable[str]) -> bool:
    """Tell whether the words of all the texts are runs of ASCII letters and digits, none cut.

    Those the database works out by itself (`tracehub_text_words`); dashes, quotes and pictures of
    any kind only part words.

    >>> are_plain(["Refund – 418.60 €", ""]), are_plain(["naïve"]), are_plain(["x" * 41])
    (True, False, False)
    """
    return not any(len(text) > CAP or _UNPLAIN.search(text) for text in texts)


def asked(parts: tuple[str, ...]) -> list[tuple[str, bool]]:
    """Return words that a text with these parts has; `*` stood between the parts.

    With each, whether it is a whole one: others may go on, as the last one of a part.

    >>> asked(("Ref", "nd 418 x",))
    [('ref', False), ('418', True), ('x', False)]
    >>> [word for word, _ in asked(("返金してくれ",))]
    ['返金し', '金して', 'してく', 'てくれ']
    """
    found: list[tuple[str, bool]] = []
    for number, part in enumerate(parts):
        pieces = list(_pieces(part))
        last = len(pieces) - 1
        for place, (piece, unspaced) in enumerate(pieces):
            if number and not place and part[:1].isalnum():
                continue  # the end of a word that begins with anything
            if unspaced and len(piece) > RUN:
                runs = range(len(piece) - RUN + 1)
                found += [(piece[at : at + RUN], False) for at in runs]
            else:
                found.append((piece[:LONGEST], place < last and not unspaced))
    return list(dict.fromkeys(found))


def tsquery(fields: tuple[str, ...], parts: tuple[str, ...]) -> str:
    """Return a text search query: all the words in one of the fields. Empty when there are none.

    >>> tsquery(("i", "o"), ("two words",))
    "('itwo'&'iwords':*)|('otwo'&'owords':*)"
    """
    words = asked(parts)
    if not words:
        return ""
    each = (
        "&".join(f"'{field}{word}'{'' if whole else ':*'}" for word, whole in words)
        for field in fields
    )
    return "|".join(f"({one})" for one in each)


def is_simple(parts: tuple[str, ...]) -> bool:
    """Tell whether the words say it all: one word with nothing around it."""
    pieces = list(_pieces(parts[0]))
    if len(parts) > 1 or len(pieces) != 1:
        return False
    piece, unspaced = pieces[0]
    return piece == parts[0].lower() and len(piece) <= (RUN if unspaced else LONGEST)


def required(wanted: Filter) -> str:
    """Return a text search query that every match of a filter meets; empty when none is asked."""
    found: list[str] = []
    for part in wanted.parts:
        if isinstance(part, Text):
            found.append(tsquery(FREE, (part.words,)))
        elif isinstance(part, Term) and part.key in FIELDS and len(part.values) == 1:
            value = part.values[0]
            if isinstance(value, Pattern):
                found.append(tsquery((FIELDS[part.key],), value.parts))
    return "&".join(f"({one})" for one in found if one)


class Inside(NamedTuple):
    """Text that one of these columns of the stored texts must hold anywhere, also inside a word."""

    columns: tuple[str, ...]
    parts: tuple[str, ...]


def inside(wanted: Filter) -> list[Inside]:
    """Return what every match of a filter holds and trigrams can find: three letters or more.

    >>> inside(Filter(Term("input", (Pattern(("", "efund", "")),))))
    [Inside(columns=('input',), parts=('', 'efund', ''))]
    >>> inside(Filter(Text("refund")))  # the index over words says all of it
    []
    """
    found: list[Inside] = []
    for part in wanted.parts:
        if isinstance(part, Text):
            found.append(Inside(("name", "input", "output"), (part.words,)))
        elif isinstance(part, Term) and part.key in FIELDS and len(part.values) == 1:
            value = part.values[0]
            if isinstance(value, Pattern):
                found.append(Inside((part.key,), value.parts))
    return [one for one in found if not is_simple(one.parts) and _has_run(one.parts)]


def _has_run(parts: tuple[str, ...]) -> bool:
    return any(len(word) >= RUN for part in parts for word in _WORD.findall(part))


class Fragment(NamedTuple):
    """A part of a text around what was found in it."""

    before: str
    hit: str
    after: str

    @property
    def text(self) -> str:
        return f"{self.before}{self.hit}{self.after}"


def looked_for(wanted: Filter, key: str) -> list[str]:
    """Return the texts that a filter looks for in `input` or `output`, as they were typed."""
    found = [part.words for part in wanted.parts if isinstance(part, Text)]
    for value in wanted.values_of(key):
        if isinstance(value, Pattern):
            found += [part for part in value.parts if part]
    return found


def fragment(text: str, texts: list[str], *, lead: int = 12, length: int = 400) -> Fragment | None:
    """Return the place where one of `texts` first stands, `lead` characters before it included.

    >>> fragment("I want the money back", ["money"], lead=5)
    Fragment(before='… the ', hit='money', after=' back')
    """
    forms = [re.compile(rf"(?<![^\W_]){re.escape(one)}", re.IGNORECASE) for one in texts]
    places = [place for form in forms if (place := form.search(text))]
    if not places:
        return None
    place = min(places, key=lambda one: one.start())
    start = max(0, place.start() - lead)
    before = text[start : place.start()]
    after = text[place.end() : place.end() + length]
    return Fragment(f"…{before}" if start else before, place[0], after)
