"""docs/reference/metrics.md names every metric and grouping, and none that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from tracehub.core import metrics

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "metrics.md"


def rows() -> list[tuple[str, ...]]:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [tuple(re.findall(r"[^|]+", line)) for line in lines if line.startswith("| `")]


def test_every_metric_has_its_row_with_its_unit():
    found = {
        row[0].strip(" `"): row[1].strip() for row in rows() if len(row) == 3 and row[2].strip()
    }
    assert {name: found.get(name) for name in metrics.METRICS} == {
        name: metric.unit for name, metric in metrics.METRICS.items()
    }


def test_every_row_is_a_metric_or_a_grouping():
    names = {row[0].strip(" `") for row in rows()} - {"metric", "group"}
    assert names == set(metrics.METRICS) | {name or "none" for name in metrics.GROUPS}
