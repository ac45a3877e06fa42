"""Figures as plotly.js takes them: axes, labels at the line ends, markers, escaped names."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from tracehub.core.steps import window
from tracehub.metrics import charts
from tracehub.metrics.charts import Curve
from tracehub.metrics.querysets import Marker

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
FRAME = window(NOW - timedelta(days=14), NOW, now=NOW)
STEPS = len(FRAME.marks)


@pytest.fixture(autouse=True)
def plotly_checks_every_property(monkeypatch):
    monkeypatch.setattr(charts, "CHECKED", True)


def draw(*curves, markers=()):
    return charts.figure(FRAME, curves, markers, say=lambda v: f"{v}", tick=lambda v: f"{v:g}")


def labels(figure):
    return [note for note in figure["layout"]["annotations"] if note["xref"] == "paper"]


def test_a_figure_is_plain_json_without_a_template():
    figure = draw(Curve("p50", [1.0] * STEPS, "1 s"))
    assert json.loads(json.dumps(figure)) == figure
    assert "template" not in figure["layout"]


def test_every_colour_is_a_token_of_ours():
    band = [(0.5, 2.0)] * STEPS
    text = json.dumps(draw(Curve("p50", [1.0] * STEPS, "1 s", band=band)))
    assert "#" not in text
    assert "rgb(" not in text
    assert "var(--series-1)" in text


def test_labels_never_cover_each_other():
    figure = draw(*(Curve(f"line {n}", [10 + n / 10] * STEPS, "x") for n in range(4)))
    height = charts.HEIGHT - charts.TOP - charts.BOTTOM
    middles = sorted({note["y"] * height for note in labels(figure)})
    assert len(middles) == 4
    gaps = [b - a for a, b in pairwise(middles)]
    assert min(gaps) >= 24  # two lines of 11 px
    assert all(-6 <= middle <= height + 6 for middle in middles)


def test_a_value_between_gaps_is_a_dot():
    values = [None] * STEPS
    values[3], values[7], values[8] = 1.0, 2.0, 2.0
    (trace,) = draw(Curve("p50", values, "x"))["data"]
    assert trace["marker"]["size"][3] == 4
    assert sum(trace["marker"]["size"]) == 4


def test_names_and_versions_are_escaped():
    evil = "<b>&amp;</b>"
    marker = Marker(NOW - timedelta(days=1), "refund", evil)
    figure = draw(Curve(evil, [1.0] * STEPS, evil), markers=[marker])
    texts = [note["text"] for note in figure["layout"]["annotations"]]
    assert not any("<" in text for text in [*texts, figure["data"][0]["name"]])


def test_names_of_near_markers_stand_in_rows():
    markers = [Marker(NOW - timedelta(days=14 - n), "refund", f"v{n}0") for n in (1, 2, 3, 13)]
    notes = draw(markers=markers)["layout"]["annotations"]
    assert [note["yshift"] for note in notes] == [8, -4, 8, 8]
    assert [note["xanchor"] for note in notes] == ["left", "left", "left", "right"]


def test_markers_of_several_prompts_say_which():
    markers = [
        Marker(NOW - timedelta(days=n), name, "v2") for n, name in ((9, "refund"), (1, "sum"))
    ]
    texts = [note["text"] for note in draw(markers=markers)["layout"]["annotations"]]
    assert texts == ["refund v2", "sum v2"]


@pytest.mark.parametrize("values", [[None] * STEPS, [0.0] * STEPS])
def test_nothing_to_draw_is_no_error(values):
    assert draw(Curve("p50", values, "none"))["layout"]["yaxis"]["range"] == [0, 1]


def test_requests_and_failing_rate_have_scales_of_their_own():
    failing = Curve("failing", [0.02] * STEPS, "2%")
    requests = Curve("requests", [100] * STEPS, "100")
    figure = charts.requests_figure(
        FRAME, failing, requests, [], say=lambda v: f"{v}", tick=lambda v: f"{v:g}"
    )
    bars, line = figure["data"]
    assert (bars["type"], bars["yaxis"]) == ("bar", "y2")
    assert line["mode"] == "lines+markers"
    layout = figure["layout"]
    assert layout["yaxis2"]["range"] == [0, 100]
    assert layout["yaxis2"]["domain"][1] < layout["yaxis"]["domain"][0]


def test_of_many_near_markers_the_newest_keep_their_names():
    markers = [
        Marker(NOW - timedelta(days=7) + timedelta(hours=n), "refund", f"v{n}") for n in range(9)
    ]
    layout = draw(markers=markers)["layout"]
    assert len(layout["shapes"]) == 9
    assert [note["text"] for note in layout["annotations"]] == ["v7", "v8"]


def test_a_band_has_gaps_where_nothing_was_counted():
    values: list[float | None] = [0.2] * STEPS
    band: list[tuple[float, float] | None] = [(0.1, 0.3)] * STEPS
    for gap in (4, 6):
        values[gap] = band[gap] = None
    areas = draw(Curve("failed", values, "x", band=band))["data"][:-1]
    assert [len(area["x"]) for area in areas] == [4, 4, 2, STEPS - 7, STEPS - 7]
