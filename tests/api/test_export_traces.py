"""`tracehub export traces` by the API, which needs no database: for CI and for scripts."""

from __future__ import annotations

import csv
import http.client
import io
import json

import pytest
from django.test import Client

from tests.trace_rows import trace_row
from tests.web import stories
from tracehub.cli import export_traces_remote
from tracehub.cli.remote import Api, Refused, Reply
from tracehub.core import parquet
from tracehub.projects.actions import create_key


class Served(Api):
    """The API as the command calls it, answered by the test client in the place of a socket."""

    def _call(self, method: str, path: str, data: bytes | None = None) -> Reply:
        answer = Client().generic(
            method, f"/api/v1{path}", headers={"authorization": f"Bearer {self._key}"}
        )
        if answer.status_code >= 400:
            raise Refused(answer.json()["error"]["message"], answer.status_code)
        headers = http.client.HTTPMessage()
        for name, value in answer.items():
            headers[name] = value
        return Reply(answer.content, headers)


@pytest.fixture
def write(project, tmp_path, monkeypatch):
    """Export and return the file's bytes; two traces are a page."""
    monkeypatch.setattr(export_traces_remote, "PAGE", 2)
    api = Served("http://tracehub.test", create_key(project, "viewer", "CI")[1])

    def export(kind: str, q: str = "", bounds: tuple[str, str] = ("", "")) -> bytes:
        export_traces_remote.write(api, q, bounds, kind, f"{tmp_path}/")
        return (tmp_path / f"traces.{kind}").read_bytes()

    return export


def test_all_pages_come_as_csv_and_parquet(project, write, capsys):
    for n in range(5):
        trace_row(project, name=f"t{n}", output_preview='{"a":1}')
    rows = list(csv.DictReader(io.StringIO(write("csv").decode())))
    assert {row["name"] for row in rows} == {f"t{n}" for n in range(5)}
    assert capsys.readouterr().err.endswith("Exported 5 traces.\n")
    typed = list(parquet.read(io.BytesIO(write("parquet"))))
    assert [(row["name"], row["output"]) for row in typed] == [
        (row["name"], '{"a":1}') for row in rows
    ]
    assert write("csv", "name:t3").count(b"\r\n") == 2


def test_json_lines_hold_whole_traces_and_skip_what_retention_took(project, write):
    trace_row(project, name="a row without spans")
    trace_id = stories.refund_trace(project)
    (whole,) = map(json.loads, write("jsonl").splitlines())
    assert whole["trace_id"] == str(trace_id).replace("-", "")
    assert len(whole["spans"]) == 11


def test_a_wrong_filter_leaves_no_file(write, tmp_path):
    with pytest.raises(Refused, match="There is no key 'modle'"):
        write("jsonl", "modle:x")
    assert list(tmp_path.iterdir()) == []
