"""The turns of a session as its page shows them: as bars over time, and what later ones repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.http import HttpRequest

from tracehub.core import carried
from tracehub.core.carried import Carried
from tracehub.core.concealment import HIDDEN
from tracehub.web import marks
from tracehub.web.links import with_query
from tracehub.web.trace_list.rows import Row
from tracehub.web.trace_view.text import Text

LEAST_WIDTH = 0.6  # percent: a short turn can still be seen


@dataclass(frozen=True, slots=True)
class Turn:
    """One trace of a session: what was said in it, and how it stands."""

    number: int
    row: Row
    said: Text
    answered: Text
    mark: marks.Mark
    wrong: bool  # the first that fails

    @property
    def tone(self) -> str:
        """The tone of its number; empty for a turn that neither people nor signals judged."""
        return self.mark.tone if self.mark.tone != "neutral" else ""


def views(request: HttpRequest) -> list[tuple[str, str, str]]:
    """Name, label and address of the two ways to see a session."""
    kept = {name: request.GET[name] for name in request.GET if name != "view"}
    return [
        ("conversation", "Conversation", with_query(request.path, kept)),
        ("timeline", "Timeline", with_query(request.path, kept | {"view": "timeline"})),
    ]


class Bar(NamedTuple):
    """A turn on the timeline: where it begins and how wide it is, in percent of the page's turns.

    `gap_ms` is how long nothing went on before it.
    """

    turn: Turn
    x: float
    width: float
    gap_ms: float | None


def bars(shown: list[Turn]) -> list[Bar]:
    """Return the turns as bars over the time from the first to the end of the last."""
    spans = [
        (turn, at, at + timedelta(microseconds=(turn.row.trace.duration_ns or 0) / 1000))
        for turn in shown
        for at in (turn.row.trace.started_at,)
    ]
    start, end = spans[0][1], max(over for _, _, over in spans)
    whole = max((end - start) / timedelta(milliseconds=1), 1.0)
    found: list[Bar] = []
    before: datetime | None = None
    for turn, began, over in spans:
        x = 100 * ((began - start) / timedelta(milliseconds=1)) / whole
        width = 100 * ((over - began) / timedelta(milliseconds=1)) / whole
        gap = None if before is None else (began - before) / timedelta(milliseconds=1)
        kept = gap if gap is not None and gap > 0 else None
        x = min(x, 100 - LEAST_WIDTH)
        found.append(Bar(turn, round(x, 2), round(max(width, LEAST_WIDTH), 2), kept))
        before = max(over, before) if before else over
    return found


def repeated(shown: list[Turn]) -> list[tuple[Carried, marks.Mark]]:
    """Return what later turns repeat of earlier ones, as far as this page shows both."""
    read = [
        carried.Turn(
            turn.number,
            "" if turn.said.text == HIDDEN else turn.said.text,
            "" if turn.answered.text == HIDDEN else turn.answered.text,
            turn.mark.tone == "fail",
            frozenset(turn.row.trace.signal_kinds),
        )
        for turn in shown
    ]
    fact = marks.Mark("retry", "Said again", "unsure")
    return [
        (one, marks.signal(one.signal) if one.signal else fact) for one in carried.carried(read)
    ]
