"""Traces as JSON lines, CSV and Parquet."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.trace_rows import signal, trace_row
from tests.web import stories
from tracehub.core import parquet, trace_table
from tracehub.digest import trace_files
from tracehub.traces.models import Trace

pytestmark = pytest.mark.django_db


def written(project, kind: str) -> bytes:
    rows = Trace.objects.in_project(project).newest_first()
    made = trace_files.pieces(kind, project, rows, head=True)
    if kind != "parquet":
        return b"".join(made)
    file = io.BytesIO()
    trace_files.finish(made, file)
    return file.getvalue()


@pytest.fixture
def project():
    made = stories.project()
    trace_row(
        made, name="=1+1", output_preview="@SUM(A1)", cost=None, tags=["a", "b"],
        signals=[signal("schema_error"), signal("schema_error"), signal("slow")],
    )  # fmt: skip
    return made


def test_csv_and_parquet_hold_the_same_flat_row(project):
    (row,) = csv.DictReader(io.StringIO(written(project, "csv").decode()))
    (typed,) = parquet.read(io.BytesIO(written(project, "parquet")))
    assert list(row) == list(typed) == list(trace_table.COLUMNS)
    assert row["name"] == "'=1+1"
    assert row["output"] == "'@SUM(A1)"
    assert typed["name"] == "=1+1"
    assert row["signals"] == "schema_error,slow"
    assert typed["signals"] == ["schema_error", "slow"]
    assert row["cost"] == ""
    assert typed["cost"] is None
    assert row["total_tokens"] == "600"
    assert typed["total_tokens"] == 600
    assert typed["started_at"].tzinfo is not None


def test_what_is_json_stands_in_a_flat_row_as_text(project):
    output, question = '{"refund":{"amount":null}}', '[{"id":1}]'
    trace_row(project, name="json", output_preview=output, input_preview=question)
    rows = {row["name"]: row for row in parquet.read(io.BytesIO(written(project, "parquet")))}
    cells = {
        row["name"]: row for row in csv.DictReader(io.StringIO(written(project, "csv").decode()))
    }
    assert [rows["json"]["output"], rows["json"]["input"]] == [output, question]
    assert [cells["json"]["output"], cells["json"]["input"]] == [output, question]


def test_json_lines_hold_whole_traces(project):
    stories.refund_trace(project)
    lines = [json.loads(line) for line in written(project, "jsonl").splitlines()]
    # The row without spans stands for a trace that retention took meanwhile.
    (whole,) = lines
    assert len(whole["spans"]) == 11
    assert whole["reviews"] == []
