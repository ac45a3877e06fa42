"""Time ranges of charts: steps, and the rollup that serves them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

MINUTE, HOUR, DAY = 60, 3600, 86400
# How long each resolution is kept. Ranges that start earlier are read in the next coarser one.
KEPT = {MINUTE: timedelta(days=2), HOUR: timedelta(days=90), DAY: timedelta(days=400)}
# Steps start here: a Monday, so that days and weeks do.
ORIGIN = datetime(2000, 1, 3, tzinfo=UTC)
# The longest range that a step suits: about sixty points a line.
_STEPS = (
    (timedelta(hours=1), timedelta(minutes=1)),
    (timedelta(hours=6), timedelta(minutes=5)),
    (timedelta(hours=12), timedelta(minutes=10)),
    (timedelta(days=3), timedelta(hours=1)),
    (timedelta(days=15), timedelta(hours=6)),
    (timedelta(days=31), timedelta(hours=12)),
    (timedelta(days=125), timedelta(days=1)),
)
_LONGEST_STEP = timedelta(days=7)
MOST_POINTS = 2000  # of one line; a smaller step than that allows is refused


class RangeError(ValueError):
    """A range or step that cannot be read; `field` names the parameter."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True, slots=True)
class Window:
    """[start, end) in steps. The start is rounded down to a step, the end up to a bucket."""

    start: datetime
    end: datetime
    step: timedelta
    resolution: int

    @property
    def marks(self) -> list[datetime]:
        """The start of each step."""
        count = -((self.start - self.end) // self.step)
        return [self.start + n * self.step for n in range(count)]

    def before(self) -> Window:
        """Return the same window one length earlier, in whole steps: 14 days earlier for 14 days.

        The steps keep their hours of the day, so the last one before may reach into this window.
        """
        length = max(1, (self.end - self.start) // self.step) * self.step
        return replace(self, start=self.start - length, end=self.end - length)


def window(
    start: datetime, end: datetime, *, now: datetime, step: timedelta | None = None
) -> Window:
    """Return the steps of a range and the coarsest rollup that serves them.

    Minutes are kept for two days and hours for ninety: in an older range a step becomes an hour or
    a day. Raises RangeError when the step is no whole number of minutes, hours or days, or too
    small for the range.
    """
    oldest = now - KEPT[DAY]
    start, end = max(start, oldest), min(end, now + timedelta(days=1))
    if start >= end:
        raise RangeError(
            f"from must come before to. Got {start:%Y-%m-%d} and {end:%Y-%m-%d}.", "from"
        )
    step = _checked(step) if step else next_step(end - start)
    for resolution, coarser in ((MINUTE, HOUR), (HOUR, DAY)):
        if start < kept_from(resolution, now):
            step = max(step, timedelta(seconds=coarser))
    first = start - (start - ORIGIN) % step
    if (end - first) / step > MOST_POINTS:
        raise RangeError(
            f"step must leave at most {MOST_POINTS} points. Got {(end - first) // step}.", "step"
        )
    seconds = int(step.total_seconds())
    resolution = next(each for each in (DAY, HOUR, MINUTE) if seconds % each == 0)
    short = timedelta(seconds=resolution)
    return Window(first, end + (first - end) % short, step, resolution)


def next_step(length: timedelta) -> timedelta:
    """Return the step that suits a range of this length."""
    return next((step for most, step in _STEPS if length <= most), _LONGEST_STEP)


def _checked(step: timedelta) -> timedelta:
    seconds = step.total_seconds()
    if seconds < MINUTE or seconds % MINUTE:
        raise RangeError(f"step must be a whole number of minutes. Got {seconds:g} s.", "step")
    if seconds > HOUR and seconds % HOUR:
        raise RangeError(f"a step above 1h must be whole hours. Got {seconds:g} s.", "step")
    return step


def kept_from(resolution: int, now: datetime) -> datetime:
    """Return the start of the oldest day whose buckets of this resolution are kept."""
    oldest = now.astimezone(UTC) - KEPT[resolution]
    return oldest.replace(hour=0, minute=0, second=0, microsecond=0)
