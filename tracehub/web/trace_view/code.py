"""JSON as numbered lines in which a pointer can be found, so that an error shows where it is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tracehub.core.trace import Json
from tracehub.web.trace_view.text import EVERYTHING, visible

INLINE_AT_MOST = 64  # characters of a list or object of scalars that stays on one line
DEEPEST = 24  # levels laid out; deeper values are written in one piece
LINES_AT_MOST = 400
LINES_UNFOLDED = 10_000
STRING_AT_MOST = 1_000
STRING_UNFOLDED = 400_000


@dataclass(slots=True)
class Piece:
    """A run of characters of one kind: `k` key, `p` punctuation, `s` value."""

    kind: str
    text: str
    marked: bool = False


@dataclass(slots=True)
class Note:
    """What is wrong at a pointer. `tone` is `fail` or `unsure`; `at` the pointer as sent."""

    at: str
    message: str
    tone: str = "fail"
    icon: str = "schema"
    contract: str = ""

    @property
    def contract_name(self) -> str:
        """The contract without its version: `refund-reply` of `refund-reply/3`."""
        return self.contract.rpartition("/")[0]


@dataclass(slots=True)
class Line:
    """One line of JSON, its indent included, with the notes that belong below it."""

    pieces: list[Piece]
    notes: list[Note] = field(default_factory=list)
    first_error: bool = False  # of the page: where the jump to the error lands

    @property
    def tone(self) -> str:
        tones = {note.tone for note in self.notes}
        return "fail" if "fail" in tones else next(iter(tones), "")

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces)


@dataclass(slots=True)
class Code:
    """Laid-out JSON. `hidden` counts lines left out (`endless`: there are more still), `cut` says
    that long strings were shortened, `unplaced` holds notes on a value that is not there at all."""

    lines: list[Line]
    key: str = ""
    hidden: int = 0
    cut: bool = False
    endless: bool = False
    unplaced: list[Note] = field(default_factory=list)

    @property
    def errors(self) -> int:
        return sum(len(line.notes) for line in self.lines) + len(self.unplaced)


def escape(token: str) -> str:
    """Return a key or index as one reference token of a JSON pointer (RFC 6901)."""
    return token.replace("~", "~0").replace("/", "~1")


class _Layout:
    """Writes lines and remembers which pieces each pointer's value became."""

    def __init__(self, strings: int) -> None:
        self.lines: list[Line] = []
        self.spots: dict[str, tuple[int, int, int]] = {}  # line, first piece, past the last
        self.strings = strings
        self.cut = False
        self.full = False  # what is left would lie past the last line ever shown

    def scalar(self, value: Json) -> str:
        """Return a value in one piece, cut when it is long."""
        if isinstance(value, str) and len(value) > self.strings:
            self.cut = True
            value = value[: self.strings] + "…"
        text = json.dumps(value, ensure_ascii=False)
        if isinstance(value, dict | list) and len(text) > self.strings:
            self.cut = True
            text = text[: self.strings] + "…"
        return visible(text)

    def put(self, value: Json, at: str, lead: list[Piece], tail: str, depth: int) -> None:
        """Write `value` after `lead` and before `tail`, over as many lines as it needs."""
        if not isinstance(value, dict | list) or not value or depth >= DEEPEST or _short(value):
            pieces = list(lead)
            self._inline(value, at, pieces, len(self.lines))
            self._end(pieces, tail)
            return
        opening, closing = ("{", "}") if isinstance(value, dict) else ("[", "]")
        self.spots[at] = (len(self.lines), 0, len(lead))
        self.lines.append(Line([*lead, Piece("p", opening)]))
        inner = Piece("p", "  " * (depth + 1))
        for n, (name, child) in enumerate(_children(value), 1):
            if len(self.lines) >= LINES_UNFOLDED:
                self.full = True
                break
            head = [inner, *self._name(value, name)]
            comma = "," if n < len(value) else ""
            self.put(child, f"{at}/{escape(name)}", head, comma, depth + 1)
        self.lines.append(Line([Piece("p", "  " * depth + closing + tail)]))

    def _name(self, value: Json, name: str) -> list[Piece]:
        if not isinstance(value, dict):
            return []
        return [Piece("k", self.scalar(name)), Piece("p", ": ")]

    def _inline(self, value: Json, at: str, pieces: list[Piece], line: int) -> None:
        first = len(pieces)
        if not isinstance(value, dict | list) or not value or not _short(value):
            pieces.append(Piece("s", self.scalar(value)))
        else:
            opening, closing = ("{ ", " }") if isinstance(value, dict) else ("[", "]")
            pieces.append(Piece("p", opening))
            for n, (name, child) in enumerate(_children(value)):
                pieces.extend([Piece("p", ", ")] if n else [])
                pieces.extend(self._name(value, name))
                self._inline(child, f"{at}/{escape(name)}", pieces, line)
            pieces.append(Piece("p", closing))
        self.spots[at] = (line, first, len(pieces))

    def _end(self, pieces: list[Piece], tail: str) -> None:
        if tail:
            pieces.append(Piece("p", tail))
        self.lines.append(Line(pieces))


def _children(value: Json) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        yield from ((str(name), child) for name, child in value.items())
    elif isinstance(value, list):
        yield from ((str(n), child) for n, child in enumerate(value))


def _short(value: Json) -> bool:
    """Whether a list or object holds only scalars and fits on one line."""
    if len(value) > INLINE_AT_MOST // 3:
        return False
    children = [child for _, child in _children(value)]
    if any(isinstance(child, dict | list) and child for child in children):
        return False
    if any(isinstance(child, str) and len(child) > INLINE_AT_MOST for child in children):
        return False
    return len(json.dumps(value, ensure_ascii=False)) <= INLINE_AT_MOST


def _place(layout: _Layout, note: Note) -> bool:
    """Hang a note on the line of its value, or of the nearest part around it that is there."""
    at = note.at
    while at and at not in layout.spots:
        at = at.rpartition("/")[0]
    spot = layout.spots.get(at)
    if spot is None:
        return False
    line, first, last = spot
    layout.lines[line].notes.append(note)
    if at == note.at:
        for piece in layout.lines[line].pieces[first:last]:
            piece.marked = piece.kind != "p" or piece.text.strip() != ""
    return True


def laid_out(value: Json, *, notes: Iterable[Note] = (), key: str = "", whole: str = "") -> Code:
    """Return `value` as numbered lines with each note on the line of its pointer.

    A note whose pointer names nothing goes to the nearest part around it: a missing property is
    shown at the object that lacks it. Long values are cut unless `whole` names this `key`.
    """
    unfolded = bool(whole) and whole in (key, EVERYTHING)
    layout = _Layout(STRING_UNFOLDED if unfolded else STRING_AT_MOST)
    layout.put(value, "", [], "", 0)
    unplaced = [note for note in notes if not _place(layout, note)]
    limit = LINES_UNFOLDED if unfolded else LINES_AT_MOST
    last_note = max((n for n, line in enumerate(layout.lines) if line.notes), default=0)
    limit = max(limit, min(last_note + 20, LINES_UNFOLDED))
    lines, hidden = layout.lines[:limit], max(0, len(layout.lines) - limit)
    return Code(lines, key, hidden, layout.cut, layout.full, unplaced)


def parsed(text: str) -> tuple[Json, bool]:
    """Return the JSON object or list that `text` is, and whether it is one.

    >>> parsed('{"a": 1}'), parsed("12"), parsed("Hello")
    (({'a': 1}, True), (None, False), (None, False))
    """
    body = text.strip()
    if not body.startswith(("{", "[")) or len(body) > STRING_UNFOLDED:
        return None, False
    try:
        return json.loads(body), True
    except (ValueError, RecursionError):
        return None, False
