"""`tracehub import`: whatever was exported comes in once, bad lines are named, breaks go on."""

from __future__ import annotations

import json

import click
import pytest

from tests.ingest.conftest import key, project, url
from tests.ingest.test_otlp import body, span
from tracehub.cli import import_lines, import_local, remote
from tracehub.traces.models import StoredSpan

__all__ = ["key", "project", "url"]

NATIVE = {"trace_id": "ab" * 16, "name": "refund", "model": "gpt-4o", "output": "Yes."}
RUN = {
    "id": "0197e4c2-3b1c-7e58-8a54-6a5a8a1f0001",
    "trace_id": "0197e4c2-3b1c-7e58-8a54-6a5a8a1f0001",
    "dotted_order": "20261124T100000000000Z0197e4c2-3b1c-7e58-8a54-6a5a8a1f0001",
    "name": "chat",
    "run_type": "llm",
    "start_time": "2026-11-24T10:00:00Z",
    "end_time": "2026-11-24T10:00:01Z",
    "inputs": {"messages": [{"role": "user", "content": "Hello"}]},
    "outputs": {"output": "Hi"},
}


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACEHUB_DATA_DIR", str(tmp_path / "data"))


def lines(tmp_path, *items):
    file = tmp_path / "traces.jsonl"
    file.write_text("".join(i if isinstance(i, str) else json.dumps(i) + "\n" for i in items))
    return file


def test_every_kind_comes_in_and_bad_lines_are_named(tmp_path, project, capsys):
    file = lines(
        tmp_path, body(span(1, 1), span(1, 2)), NATIVE, "{broken\n", "\n", RUN,
        {"name": "x", "wrong": 1}, {"a": 1}, body(span(2, 1)),
    )  # fmt: skip
    for _ in range(2):
        with import_local.door("skylane") as send:
            import_lines.load(file, "auto", send, "skylane")
        said = capsys.readouterr().err
        assert "Loaded 4 of 7 items." in said
        assert "line 3: is not JSON" in said
        assert "line 6: wrong" in said
        assert "line 7: is no trace" in said
    assert StoredSpan.objects.count() == 5


def test_a_server_elsewhere_takes_the_same_file(tmp_path, url, key):
    file = tmp_path / "traces.json"
    file.write_text(json.dumps([NATIVE, body(span(1, 1))], indent=1))
    import_lines.load(file, "auto", remote.Api(url, key).ingest, "there")
    assert StoredSpan.objects.count() == 2


def test_a_load_that_broke_off_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(import_lines, "CHUNK_LINES", 2)
    file = lines(tmp_path, *({**NATIVE, "trace_id": f"{n:032x}"} for n in range(1, 8)))
    sent = []

    def send(path, data):
        if len(sent) == 2:
            raise click.ClickException("cut off")
        sent.append([item["trace_id"] for item in json.loads(data)])
        return 200, b"{}"

    with pytest.raises(click.ClickException):
        import_lines.load(file, "native", send, "x")
    before, sent = sent, []
    import_lines.load(
        file, "native", lambda p, d: (sent.append(json.loads(d)), (200, b"{}"))[1], "x"
    )
    assert "Going on at line 5." in capsys.readouterr().err
    later = [item["trace_id"] for part in sent for item in part]
    assert [*(i for part in before for i in part), *later] == [f"{n:032x}" for n in range(1, 8)]


def test_nothing_to_load_is_said(tmp_path):
    with pytest.raises(click.ClickException, match="could be loaded"):
        import_lines.load(lines(tmp_path, "nonsense\n"), "auto", lambda *_: (200, b"{}"), "x")
