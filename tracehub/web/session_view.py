"""The turns of a session as its page shows them: as bars over time, and what later ones repeat."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.conf.locale import LANG_INFO
from django.http import HttpRequest, QueryDict
from django.utils import timezone

from tracehub.core import carried
from tracehub.core.carried import Carried
from tracehub.core.concealment import HIDDEN
from tracehub.core.query import parse
from tracehub.core.signals.detectors.wrong_language import languages
from tracehub.failures import querysets as failures
from tracehub.projects.models import Project
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.threads import store as threads
from tracehub.web import marks
from tracehub.web.links import with_query
from tracehub.web.trace_list.rows import Row
from tracehub.web.trace_list.state import ListState
from tracehub.web.trace_view.text import Text

ALIKE = 3  # breaks of a turn whose sessions are counted
_GOT = re.compile(r"\. Got (?:the string |the value )?`(.*)`", re.DOTALL)
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
    mine: str = ""  # the person's own verdict
    pinned_by: str = ""  # who pinned the step where it fails

    @property
    def tone(self) -> str:
        """The tone of its number; empty for a turn that neither people nor signals judged."""
        return self.mark.tone if self.mark.tone != "neutral" else ""

    @property
    def is_json(self) -> bool:
        return self.answered.text.lstrip()[:1] in ("{", "[")

    @property
    def answer(self) -> tuple[str, str, str]:
        """The answer in three: what comes before the value that its first signal refuses, the value
        and the rest. All of it is the first when that value is not told or not in it."""
        text = self.answered.text
        signals = self.row.signals if self.wrong else ()
        got = _GOT.search(signals[0].get("message") or "") if signals else None
        value = got[1] if got else ""
        before, found, after = text.partition(value) if value else (text, "", "")
        return before, found, after


class Alike(NamedTuple):
    """What broke here, with how many sessions of late have it too, and their list."""

    title: str
    sessions: int
    url: str


def alike(project: Project, wrong: Turn) -> list[Alike]:
    """Return the failures of the turn where it went wrong, over all sessions of 14 days."""
    state = ListState.of(project, QueryDict("from=14d"), timezone.now())
    asked: dict[str, str] = {}
    for signal in wrong.row.trace.signals:
        key, kind = signal.get("failure"), signal["kind"]
        label = marks.signal(kind).label
        asked.setdefault(f"failure:{key}" if key else f"signal:{kind}", label)
    keys = [text.removeprefix("failure:") for text in asked]
    titles = {} if project.hides_content else failures.titles(project, keys)
    found = []
    for text, label in list(asked.items())[:ALIKE]:
        listed = {"q": text, "from": "14d"}
        try:
            with bounded(1):
                count = threads.sessions(state.within, parse(text))
        except TooSlow:
            continue
        found.append(
            Alike(titles.get(text.removeprefix("failure:"), label), count, with_query("", listed))
        )
    return found


def language(shown: Sequence[Turn]) -> str:
    """Return the language that the user writes in, "" when there is too little to tell."""
    said = "\n".join(turn.said.text for turn in shown if turn.said.text != HIDDEN)
    found = languages(said)
    if not found:
        return ""
    code = max(found, key=found.__getitem__)
    return str(LANG_INFO.get(code, {}).get("name", code))


class Standing(NamedTuple):
    """The verdict on a session: of its first failing turn, else of all that were reviewed."""

    mark: marks.Mark
    words: str
    open: list[Turn]  # not reviewed yet, while none fails


def standing(shown: Sequence[Turn], wrong: Turn | None, *, whole: bool) -> Standing:
    """Return what the turns of a page make of the session; `whole`: they are all of it."""
    waiting = [turn for turn in shown if turn.row.verdict is None]
    if wrong is not None:
        return Standing(wrong.mark, f"since turn {wrong.number}", [])
    if not whole or waiting:
        done = len(shown) - len(waiting)
        return Standing(marks.verdict(None), f"{done} of {len(shown)} turns reviewed", waiting)
    unsure = next((turn for turn in shown if turn.row.verdict == "unsure"), None)
    if unsure is not None:
        return Standing(unsure.mark, f"in turn {unsure.number}", [])
    return Standing(marks.verdict("pass"), f"all {len(shown)} turns", [])


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
