"""The histogram above the list: changes on its way, and what a brushed part means."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.web import stories
from tracehub.evals.models import EvalSet, Rollout, RolloutStep
from tracehub.traces.extent import Range
from tracehub.traces.facets import Bin, Histogram
from tracehub.traces.models import PromptVersion
from tracehub.web.trace_list import histogram as drawn

START = datetime(2026, 11, 24, tzinfo=UTC)
HOUR = timedelta(hours=1)


def bars(number: int = 24) -> Histogram:
    return Histogram(HOUR, [Bin(START + n * HOUR, n, n // 5) for n in range(number)], 10)


@pytest.mark.django_db
def test_new_versions_and_stages_of_rollouts_are_marked_where_they_happened():
    project = stories.project()
    for version, hours in (("v11", -50), ("v12", 5)):
        PromptVersion.objects.create(
            project=project, name="refund", version=version, first_seen_at=START + hours * HOUR
        )
    eval_set = EvalSet.objects.create(project=project, slug="s", name="S")
    rollout = Rollout.objects.create(
        project=project, number=1, eval_set=eval_set, prompt="refund", candidate="refund@v12",
        control="refund@v11", stage="canary",
    )  # fmt: skip
    RolloutStep.objects.create(
        project=project, rollout=rollout, after="canary", at=START + 12.5 * HOUR, by="ann"
    )
    within = Range(project, START, START + 24 * HOUR)
    found = drawn.changes(within, bars())
    assert [one.name for one in found] == ["refund v12", "refund v12 canary"]
    drawing = drawn.drawing(bars(), found)
    assert [x for x, _ in drawing.marks] == [50, 120]
    assert drawing.labels == [
        "Tue 00:00", "05:00 · refund v12", "08:00", "12:30 · refund v12 canary", "15:00", "19:00",
        "23:00",
    ]  # fmt: skip
    assert "Changed: refund v12 at 24 Nov 05:00; refund v12 canary" in drawing.summary
    assert (drawing.start, drawing.step) == (int(START.timestamp()), 3600)


def test_a_short_or_empty_histogram_is_drawn():
    assert drawn.drawing(bars(3)).labels == ["00:00", "01:00", "02:00"]
    assert drawn.drawing(Histogram(HOUR, [], 0)).width == 1
