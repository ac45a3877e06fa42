"""`tracehub import`: whatever was exported comes in once, bad lines are named, breaks go on."""

from __future__ import annotations

import json

import click
import pytest

from tests.ingest.conftest import key, project, url
from tests.ingest.test_otlp import body, span
from tracehub.cli import import_lines, import_local, import_reading, remote
from tracehub.core import parquet
from tracehub.digest.actions import digest_all
from tracehub.traces.models import Feedback, StoredSpan, Trace

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
    monkeypatch.setattr(import_reading, "CHUNK_LINES", 2)
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


# As GET /api/public/traces/{id} answers, cut to what matters; ids as SDKs before 2025 made them.
LANGFUSE = {
    "id": "booking-7",
    "timestamp": "2026-11-24T10:00:00.000Z",
    "name": "refund",
    "input": {"question": "Refund X7K2QD"},
    "output": "Refunded.",
    "sessionId": "s-1",
    "userId": "u-1",
    "release": "2026.11.3",
    "environment": "production",
    "tags": ["eu"],
    "metadata": {"tenant": 12},
    "latency": 2.5,
    "totalCost": 0.018,
    "htmlPath": "/project/p/traces/booking-7",
    "observations": [
        {
            "id": "obs-1",
            "traceId": "booking-7",
            "type": "GENERATION",
            "name": "compose",
            "startTime": "2026-11-24T10:00:00.100Z",
            "endTime": "2026-11-24T10:00:02.100Z",
            "completionStartTime": "2026-11-24T10:00:00.512Z",
            "model": "gpt-4o",
            "modelParameters": {"temperature": 0.2},
            "input": [{"role": "user", "content": "Refund X7K2QD"}],
            "output": {"role": "assistant", "content": "Refunded."},
            "usageDetails": {"input": 100, "output": 20, "total": 120},
            "costDetails": {"total": 0.018},
            "promptName": "refund",
            "promptVersion": 12,
            "level": "DEFAULT",
            "parentObservationId": None,
            "metadata": {},
        },
        {
            "id": "obs-2",
            "traceId": "booking-7",
            "type": "TOOL",
            "name": "get_booking",
            "startTime": "2026-11-24T10:00:02.100Z",
            "endTime": "2026-11-24T10:00:02.400Z",
            "input": {"pnr": "X7K2QD"},
            "level": "ERROR",
            "statusMessage": "timed out",
            "parentObservationId": None,
        },
    ],
    "scores": [
        {"id": "sc-1", "traceId": "booking-7", "observationId": "obs-1", "name": "helpful",
         "value": 0, "dataType": "BOOLEAN", "source": "API", "comment": "wrong amount"},
    ],
}  # fmt: skip
BLOB_ROW = {
    "id": "ab12ab12ab12ab12",
    "trace_id": "cd" * 16,
    "type": "SPAN",
    "start_time": "2026-11-24 10:00:00.000",
    "end_time": "2026-11-24 10:00:01.000",
    "name": "plan",
    "parent_observation_id": "",
    "level": "DEFAULT",
    "usage_details": {},
}


def load(file, capsys):
    with import_local.door("skylane") as send:
        import_lines.load(file, "auto", send, "skylane")
    return capsys.readouterr().err


def test_a_langfuse_export_keeps_traces_observations_and_scores(tmp_path, project, capsys):
    page = {"data": [BLOB_ROW], "meta": {"page": 1}}
    lone = {"id": "sc-2", "traceId": "cd" * 16, "name": "tone", "value": 0.9, "dataType": "NUMERIC"}
    broken = {"traceId": "x", "startTime": "2026-11-24T10:00:00Z", "type": "SPAN"}
    file = lines(tmp_path, LANGFUSE, page, lone, broken)
    for _ in range(2):
        said = load(file, capsys)
        assert "line 4: id of an observation is missing." in said
        assert "Loaded 3 of 4 items." in said
    digest_all(seconds=20)
    trace = Trace.objects.get(name="refund")
    assert (trace.session_id, trace.user_id, trace.environment) == ("s-1", "u-1", "production")
    assert (trace.tags, trace.metadata, trace.release) == (["eu"], {"tenant": 12}, "2026.11.3")
    assert (trace.span_count, trace.error_count, trace.root_present) == (3, 1, True)
    assert (trace.prompts, trace.model_names, str(trace.cost)) == (
        ["refund@12"], ["gpt-4o"], "0.0180000000",
    )  # fmt: skip
    assert (trace.total_tokens, trace.ttft_ns, trace.duration_ns) == (120, 412_000_000, 25 * 10**8)
    assert "Refund X7K2QD" in trace.input_preview
    tool = StoredSpan.objects.get(name="get_booking")
    assert (tool.kind, tool.error) == ("tool", True)
    assert Trace.objects.get(name="plan").trace_id.hex == "cd" * 16
    scores = {(f.name, f.value, f.trace_id) for f in Feedback.objects.all()}
    assert scores == {
        ("helpful", False, trace.trace_id),
        ("tone", 0.9, Trace.objects.get(name="plan").trace_id),
    }


def test_parquet_of_phoenix_and_langsmith_comes_in_and_goes_on_by_rows(
    tmp_path, project, capsys, monkeypatch
):
    phoenix = [
        {
            "context.trace_id": "ef" * 16, "context.span_id": f"{n:016x}", "name": "chat",
            "start_time": "2026-11-24T10:00:00+00:00", "end_time": "2026-11-24T10:00:01+00:00",
            "span_kind": "LLM", "attributes.llm.model_name": "gpt-4o",
        }
        for n in range(1, 4)
    ]  # fmt: skip
    file = tmp_path / "spans.parquet"
    with file.open("wb") as out:
        parquet.write(dict.fromkeys(phoenix[0], "text"), phoenix, out)
    monkeypatch.setattr(import_reading, "PARQUET_ROWS", 2)
    seen = []

    def send(path, data):
        if seen:
            raise click.ClickException("cut off")
        seen.append(path)
        return 200, b"{}"

    with pytest.raises(click.ClickException, match="cut off"):
        import_lines.load(file, "auto", send, "skylane")
    assert "Going on at line 3." in load(file, capsys)
    assert StoredSpan.objects.get().model == "gpt-4o"

    run = {k: json.dumps(v) if isinstance(v, dict) else v for k, v in RUN.items()}
    file = tmp_path / "runs.parquet"
    with file.open("wb") as out:
        parquet.write(dict.fromkeys(run, "text"), [run, {**run, "id": "7"}], out)
    said = load(file, capsys)
    assert "line 2: id" in said
    assert "Loaded 1 of 2 items." in said
    assert StoredSpan.objects.get(name="chat", model=None).kind == "llm"

    file.write_bytes(b"PAR1 and then nothing")
    with pytest.raises(click.ClickException, match="not a readable Parquet file"):
        load(file, capsys)
