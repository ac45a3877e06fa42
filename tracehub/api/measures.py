"""The call that reads metrics over time."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tracehub.api.errors import ApiError
from tracehub.api.requests import ApiRequest
from tracehub.api.router import Answer
from tracehub.api.traces import SECONDS, time_range, too_slow
from tracehub.core.metrics import MetricError
from tracehub.core.query import parse
from tracehub.core.steps import RangeError
from tracehub.metrics import querysets
from tracehub.traces.querysets import TooSlow, bounded
from tracehub.traces.replica import store as replica

_STEP = re.compile(r"([1-9][0-9]{0,4})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@replica.reads
def get_metrics(asked: ApiRequest) -> Answer:
    """Answer one metric over time, by group, the busiest group first."""
    query = asked.query
    wanted = parse(query.get("q", ""))
    start, end = time_range(asked)
    if not query.get("to"):
        end = max(start, min(end, datetime.now(UTC)))  # a chart has no future
    group, step = query.get("group", ""), _step(query.get("step", ""))
    try:
        with bounded(SECONDS):
            found = querysets.series(
                asked.project,
                query["metric"],
                group,
                start,
                end,
                step,
                narrow=querysets.narrowed(wanted, group),
            )
    except (MetricError, RangeError) as error:
        raise ApiError(400, str(error), error.field) from error
    except TooSlow as error:
        raise too_slow() from error
    return Answer(found.as_json())


def _step(text: str) -> timedelta | None:
    if not text:
        return None
    match = _STEP.fullmatch(text)
    if match is None:
        raise ApiError(400, f"step must look like 5m, 1h or 1d. Got {text[:40]!r}.", "step")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
