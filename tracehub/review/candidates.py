"""Which traces a queue takes next: what its rules choose, what its filter finds, a share of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import CharField, Count, F, Min, Q, TextField, Value, Window
from django.db.models.functions import MD5, Cast, Coalesce, Concat, Left, RowNumber

from tracehub.core.query import Filter, parse
from tracehub.core.sampling import Rule, fraction, rules_of, shares
from tracehub.core.versions import release_number
from tracehub.review import purposive
from tracehub.review.models import Queue, QueueItem
from tracehub.review.purposive import Rows
from tracehub.review.querysets import counted
from tracehub.traces import querysets
from tracehub.traces.models import Trace

LOOKS_BACK = timedelta(days=14)
SECONDS = 20  # of database time for one draw
TITLE = Left(Coalesce("input_preview", "name", output_field=TextField()), 200)
STRATA = {
    "prompt": "prompts__0", "model": "model_names__0", "release": "release", "cohort": "cohort",
    "env": "environment", "name": "name", "outcome": "outcome",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Candidate:
    trace_id: UUID
    way: str
    reason: str
    title: str


@dataclass(frozen=True, slots=True)
class Frame:
    """What a draw by chance chose from: rows with a `stratum`, and the threshold of each."""

    rows: Rows
    thresholds: dict[str, float]

    def chances(self, traces: Iterable[UUID]) -> dict[UUID, float]:
        """Return the probability with which the draw took each of these traces, 0 if not in it."""
        found = self.rows.filter(trace_id__in=list(traces)).values_list("trace_id", "stratum")
        return {trace: self.thresholds.get(stratum, 0.0) for trace, stratum in found}


@dataclass(slots=True)
class Draw:
    """One filling of a queue: what was found so far, and the frames it came from."""

    queue: Queue
    now: datetime
    found: list[Candidate] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)

    def rows_of(self, wanted: Filter) -> Rows:
        """Finished traces of the last 14 days that a filter finds, with hash and title."""
        rows = Trace.objects.in_project(self.queue.project)
        rows = rows.in_range(self.now - LOOKS_BACK, self.now).filter(finished=True)
        rows = rows.matching(wanted)
        salt = Value(f"/{self.queue.pk}", TextField())
        key = MD5(Concat(Cast(F("trace_id"), TextField()), salt))
        dealt: Rows = rows.annotate(chance=key, shown=TITLE, stratum=Value(""))
        return dealt

    def open_rows(self, rows: Rows) -> Rows:
        """Leave out what is in the queue, or taken in this round."""
        inside = QueueItem.objects.filter(queue=self.queue).values("trace_id")
        taken = [one.trace_id for one in self.found]
        rows = rows.exclude(trace_id__in=inside).exclude(trace_id__in=taken)
        if self.queue.blind:  # a verdict that everybody can read is not blind
            rows = rows.exclude(trace_id__in=counted(self.queue.project_id).values("trace_id"))
        return rows

    def by_chance(self, way: str, rows: Rows, number: int, reason: str) -> None:
        """Take those with the smallest hash: a bottom-k sample of the rows."""
        if number <= 0:
            return
        drawn = self.open_rows(rows).order_by("chance")
        found = list(drawn.values_list("trace_id", "chance", "shown")[: number + 1])
        threshold = fraction(found[number][1]) if len(found) > number else 1.0
        self.frames.append(Frame(rows, {"": threshold}))
        self.take(way, reason, ((trace, shown) for trace, _, shown in found[:number]))

    def stratified(self, rule: Rule, rows: Rows, number: int) -> None:
        """Take as many of each stratum, each a bottom-k sample of it. One scan, sorted by hash."""
        if number <= 0:
            return
        value = Coalesce(F(STRATA[rule.by]), Value("none"), output_field=CharField())
        rows = rows.annotate(stratum=value)
        drawn = self.open_rows(rows)
        sizes = dict(drawn.values_list("stratum").annotate(n=Count("trace_id")).order_by())
        dealt = shares(sizes, number)
        window = Window(RowNumber(), partition_by="stratum", order_by="chance")
        drawn = drawn.annotate(place=window).filter(place__lte=number + 1, stratum__in=list(dealt))
        thresholds = dict.fromkeys(dealt, 1.0)
        named = drawn.order_by("place", "chance")
        for trace, name, at, digest, shown in named.values_list(
            "trace_id", "stratum", "place", "chance", "shown"
        ):
            if at <= dealt[name]:
                self.take(rule.way, f"{rule.by}: {name}", [(trace, shown)])
            elif at == dealt[name] + 1:
                thresholds[name] = fraction(digest)
        self.frames.append(Frame(rows, thresholds))

    def take(self, way: str, reason: str, rows: Iterable[tuple[UUID, str]]) -> None:
        for trace, shown in rows:
            self.found.append(Candidate(trace, way, reason, " ".join(shown.split())))


def candidates(queue: Queue, room: int, *, now: datetime) -> Draw:
    """Return up to `room` finished traces that are not in the queue yet, and how they were drawn.

    Rules come first, each within its caps; the filter and the random share fill the rest. The order
    by chance is a hash of queue and trace: the same again, and without regard to what is in them.
    Traces whose draw takes too long are left for the next round.
    """
    draw = Draw(queue, now)
    try:
        with querysets.bounded(SECONDS):
            matching = draw.rows_of(parse(queue.q))
            for rule in rules_of(queue.draws):
                _by_rule(draw, rule, matching, room - len(draw.found))
            left = room - len(draw.found)
            from_all = round(left * queue.random_share / 100)
            draw.by_chance("filter", matching, left - from_all, queue.q or "All traces")
            everything = draw.rows_of(Filter())
            draw.by_chance("random", everything, from_all, f"Random {queue.random_share}%")
            return draw
    except querysets.TooSlow:
        return Draw(queue, now)


def _by_rule(draw: Draw, rule: Rule, rows: Rows, room: int) -> None:
    match rule.way:
        case "stratified":
            draw.stratified(rule, rows, min(room, _left(draw, rule)))
        case "release":
            newest = _newest_release(rows)
            reason = f"After release {newest}"
            left = min(room, _left(draw, rule, reason=reason))
            if newest is not None:
                draw.by_chance(rule.way, rows.filter(release=newest), left, reason)
        case way:
            number = min(room, _left(draw, rule))
            choose = purposive.CHOOSE[way]
            chosen = choose(draw.queue, rows, draw.open_rows(rows), number) if number > 0 else []
            for trace, shown, reason in chosen:
                draw.take(way, reason, [(trace, shown)])


def _left(draw: Draw, rule: Rule, *, reason: str = "") -> int:
    """Return how many the caps of a rule still let in; with `reason`, `most` counts those alone."""
    today = draw.now.replace(hour=0, minute=0, second=0, microsecond=0)
    items = QueueItem.objects.filter(queue=draw.queue, way=rule.way)
    had = items.aggregate(
        today=Count("pk", filter=Q(added_at__gte=today)),
        ever=Count("pk", filter=Q(reason=reason[:200]) if reason else None),
    )
    caps = [(rule.daily, had["today"]), (rule.most, had["ever"])]
    return max(0, min((cap - count for cap, count in caps if cap), default=0))


def _newest_release(rows: Rows) -> str | None:
    """Return the last release: by number when all have one, else by the earliest start."""
    found = rows.exclude(release=None).order_by().values_list("release")
    first: dict[str, datetime] = dict(found.annotate(first=Min("started_at")))
    if not first:
        return None
    numbers = {name: release_number(name) for name in first}
    if all(numbers.values()):
        return max(first, key=lambda name: (numbers[name] or (), name))
    return max(first, key=lambda name: (first[name], name))
