from __future__ import annotations

import csv
import io
import json
import zipfile

import pytest
import yaml

from tests.core.exports.conftest import ASSERTIONS, FULL, HOSTILE
from tracehub.core import cases, parquet
from tracehub.core.exports import FORMATS, Bundle, ExportError, Tally, download, find
from tracehub.core.exports.draft07 import CannotConvert, convert
from tracehub.core.exports.yaml_text import flow


def rows(body: bytes) -> list[dict]:
    """Read JSONL as a careless reader does: lines split at whatever Python calls a line break."""
    text = body.decode()
    assert text.endswith("\n")
    assert "\r" not in text
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("name", FORMATS)
def test_the_same_version_is_the_same_bytes_and_says_what_became_of_assertions(name, bundle):
    first, again = (download(find(name), bundle) for _ in range(2))
    assert first.body == again.body
    assert not first.body.startswith(b"\xef\xbb\xbf")
    assert first.filename.startswith("refund-regressions-v3")
    assert first.summary.startswith(f"{name}: 3 cases")
    assert first.summary.isascii()


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_version_is_refused(name):
    with pytest.raises(ExportError, match="has no cases"):
        download(find(name), Bundle("empty", 1, []))


@pytest.mark.parametrize("name", FORMATS)
def test_the_recorded_output_is_never_the_answer_to_be_scored(name, files):
    for file, body in files(name).items():
        if file.endswith((".jsonl", ".json", ".yaml")) and name not in {"native", "pytest"}:
            assert b"418.60 EUR" not in body, file


@pytest.mark.parametrize("name", [n for n in FORMATS if n not in {"parquet", "ragas"}])
def test_the_trace_link_is_in_every_format(name, files):
    assert any(FULL["source"]["url"].encode() in body for body in files(name).values())


def test_code_files_are_the_same_whatever_the_cases_say(files, bundle):
    plain = Bundle("other", 1, [list(bundle.cases)[2]])
    for name in ("promptfoo", "pytest", "pydantic-evals"):
        other = {f: b"".join(p) for f, p in find(name).write(plain, Tally())}
        for file, body in files(name).items():
            if file.endswith((".py", ".cjs", ".ini")):
                assert body == other[file]


def test_an_unknown_format_names_the_known_ones():
    with pytest.raises(ExportError, match="one of native, openai-jsonl"):
        find("excel")


def test_native_is_one_complete_case_a_line_that_can_be_added_again(files, bundle):
    lines = rows(files("jsonl")["cases.jsonl"])
    assert lines == list(bundle.cases)
    assert list(lines[0])[:6] == ["schema", "id", "set", "version", "kind", "title"]
    for line in lines:
        assert cases.same(cases.read(line), {k: line[k] for k in cases.read(line)})


def test_openai_messages_carry_arguments_as_text_and_images_as_urls(files):
    first, second, third = rows(files("openai-jsonl")["cases.jsonl"])
    call = first["messages"][2]["tool_calls"][0]
    assert call["function"] == {"name": "find_flight", "arguments": '{"u":"1"}'}
    assert first["messages"][2]["content"] == ""
    assert second["messages"][0]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,aGk="},
    }
    assert third["messages"] == [{"role": "user", "content": '{"a":[true,null],"b":1}'}]
    assert [r["ideal"] for r in (second, third)] == ["23 kg", None]


def test_parquet_has_the_columns_of_the_csv_with_types(files):
    table = list(csv.DictReader(io.StringIO(files("csv")["cases.csv"].decode(), newline="")))
    found = list(parquet.read(io.BytesIO(files("parquet")["cases.parquet"])))
    assert [list(row) for row in found] == [list(row) for row in table]
    assert found[0]["version"] == 3
    assert found[0]["trace_url"] == FULL["source"]["url"]
    assert found[0]["tags"] == ["eu", "known_failure"]
    assert found[0]["created_at"].isoformat() == "2026-11-20T09:12:00+00:00"
    assert json.loads(found[0]["expected_output"]) == FULL["expected_output"]
    assert found[1]["title"] == "=cmd|' /C calc'!A0"  # a spreadsheet runs nothing of it
    assert found[2]["expected_output"] is None


def test_csv_is_read_strictly_and_runs_nowhere(files):
    body = files("csv")["cases.csv"].decode()
    table = list(csv.DictReader(io.StringIO(body, newline=""), strict=True))
    assert [row["id"] for row in table] == ["c_0001", "c_0002", "c_0003"]
    assert table[1]["title"] == "'=cmd|' /C calc'!A0"
    assert json.loads(table[0]["messages"]) == list(json.loads(table[0]["messages"]))
    assert [row["expected_output_type"] for row in table] == ["json", "text", ""]
    assert table[0]["tags"] == "eu,known_failure"
    assert body.count("\r\n") >= 4


def test_a_csv_for_programs_keeps_cells_as_they_are(bundle):
    body = download(find("csv", raw=True), bundle).body.decode()
    table = list(csv.DictReader(io.StringIO(body, newline="")))
    assert table[1]["title"] == "=cmd|' /C calc'!A0"
    assert table[0]["tags"] == "eu,known_failure"
    with pytest.raises(ExportError, match=r"raw goes with the format csv only\. Got promptfoo"):
        find("promptfoo", raw=True)


def test_a_zip_opens_with_the_files_it_names(bundle):
    file = download(find("promptfoo"), bundle)
    with zipfile.ZipFile(io.BytesIO(file.body)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == list(find("promptfoo").files)


def test_promptfoo_reads_no_file_and_renders_nothing_from_a_case(files, summary):
    config = yaml.safe_load(files("promptfoo")["promptfooconfig.yaml"])
    assert config["description"] == "TraceHub refund-regressions@3"
    assert config["tests"] == "file://tests.jsonl"
    first = rows(files("promptfoo")["tests.jsonl"])[0]
    assert not any(isinstance(value, str) for value in first["vars"].values())
    assert first["vars"]["variables"]["note"] == HOSTILE
    by_id = {a["metric"].split(":")[0]: a for a in first["assert"]}
    assert by_id["a1"]["value"] == '{{ "file" }}:///etc/passwd {{ "{{" }} x }}'
    assert by_id["a2"]["type"] == "javascript"
    assert by_id["a4"] == {"type": "icontains", "value": "23 KG", "metric": "a4:contains"}
    assert by_id["a6"]["type"] == "not-contains"
    assert (by_id["a7"]["type"], by_id["a8"]["type"]) == ("regex", "javascript")
    schema = by_id["a9"]["value"]
    assert "$schema" not in schema
    assert set(schema["properties"]) == {"items", "$schema"}
    assert schema["$defs"]["pair"] == {"items": [{"type": "number"}], "additionalItems": False}
    assert schema["dependencies"] == {"a": ["b"]}
    assert by_id["a10"]["type"] == "javascript"
    assert by_id["a10"]["config"]["schema"]["unevaluatedProperties"] is False
    assert by_id["a11"] == {"type": "is-json", "metric": "a11:json_schema"}
    assert (by_id["a15"]["threshold"], by_id["a16"]["threshold"]) == (0.05, 2500)
    assert by_id["a17"]["type"] == "llm-rubric"
    assert "9 assertions need tracehub_assert.cjs" in summary("promptfoo")


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$dynamicRef": "#x"}}},
        {"contains": {}, "minContains": 2},
        {"$ref": "https://example.org/schema"},
        {"allOf": ["text"]},
    ],
)
def test_a_schema_that_draft_07_cannot_say_is_left_to_the_helper(schema):
    with pytest.raises(CannotConvert):
        convert(schema)


def test_inspect_has_no_null_content_and_arguments_as_objects(files):
    first, second, third = rows(files("inspect")["samples.jsonl"])
    assert first["input"][2]["content"] == ""
    assert first["input"][2]["tool_calls"] == [
        {"id": "call_9", "function": "find_flight", "arguments": {"u": "1"}, "type": "function"}
    ]
    assert second["input"][0]["content"][1]["image"].startswith("data:image/png;base64,")
    assert (second["target"], third["target"]) == ("23 kg", "")
    assert third["input"] == '{"a":[true,null],"b":1}'


def test_deepeval_is_one_array_of_goldens(files):
    goldens = json.loads(files("deepeval")["goldens.json"])
    assert [g["name"] for g in goldens] == ["c_0001", "c_0002", "c_0003"]
    assert goldens[0]["input"] == HOSTILE
    assert goldens[0]["expected_tools"] == [
        {"name": "get_booking", "input_parameters": {"pnr": "X"}}
    ]
    assert goldens[0]["context"] == ["23 kg"]
    assert goldens[0]["additional_metadata"]["context_ids"] == ["policy-22"]
    assert all(isinstance(v, str) for g in goldens for v in g["custom_column_key_values"].values())


def test_langsmith_and_phoenix_carry_stable_ids_and_no_run_ids(files):
    smith = rows(files("langsmith")["examples.jsonl"])
    assert smith[0]["id"] == "0352b83b-a67f-56a1-a725-b93bac0e16af"
    assert "source_run_id" not in smith[0]
    assert [row["outputs"] for row in smith][1:] == [{"output": "23 kg"}, None]
    phoenix = rows(files("phoenix")["examples.jsonl"])
    assert [row["output"] for row in phoenix][1:] == [{"output": "23 kg"}, {}]
    assert [row["splits"] for row in phoenix] == [["known_failure"], ["success"], ["format"]]
    table = files("phoenix")["examples.csv"].decode()
    assert len(list(csv.DictReader(io.StringIO(table, newline=""), strict=True))) == 3


def test_langfuse_and_braintrust_rows(files):
    fuse = rows(files("langfuse")["items.jsonl"])
    assert fuse[0]["id"] == "refund-regressions:c_0001"
    assert fuse[0]["sourceTraceId"] == "9f" * 16
    assert "expectedOutput" not in fuse[2]
    brain = rows(files("braintrust")["rows.jsonl"])
    assert brain[0]["tags"] == ["known_failure", "eu", "mode:wrong-type"]
    assert "expected" not in brain[2]


def test_openai_evals_sort_cases_by_matcher_and_count_what_has_no_answer(files, summary):
    made = files("openai-evals")
    registry = yaml.safe_load(made["evals/refund-regressions.yaml"])
    assert registry["refund-regressions-match"] == {
        "id": "refund-regressions-match.dev.v3",
        "metrics": ["accuracy"],
    }
    assert registry["refund-regressions-json.dev.v3"]["args"] == {
        "samples_jsonl": "tracehub/json.jsonl"
    }
    assert [r["ideal"] for r in rows(made["data/tracehub/match.jsonl"])] == ["23 kg"]
    assert summary("openai-evals").endswith("1 cases without an expected output lost")


def test_openai_evals_api_items_follow_their_schema(files):
    made = files("openai-evals-api")
    schema = json.loads(made["eval.json"])["data_source_config"]["item_schema"]
    assert sorted(schema["required"]) == sorted(schema["properties"])
    for row in rows(made["items.jsonl"]):
        assert set(row["item"]) == set(schema["required"])
        assert all(isinstance(row["item"][k], str) for k in schema["properties"] if k != "messages")
        assert all(isinstance(m["content"], str) for m in row["item"]["messages"])


def test_ragas_parts_single_and_multi_turn(files, summary):
    made = files("ragas")
    assert [r["tracehub_case"] for r in rows(made["single_turn.jsonl"])] == ["c_0002", "c_0003"]
    (multi,) = rows(made["multi_turn.jsonl"])
    assert [turn["type"] for turn in multi["user_input"]] == ["human", "ai", "tool"]
    assert multi["reference_tool_calls"] == [{"name": "get_booking", "args": {"pnr": "X"}}]
    assert summary("ragas").endswith("19 assertions, 1 system messages lost")


def test_mlflow_tags_are_text(files):
    first = rows(files("mlflow")["records.jsonl"])[0]
    assert all(isinstance(value, str) for value in first["tags"].values())
    assert first["expectations"]["guidelines"] == ["Is it kind? {{ x }}"]
    assert set(first["inputs"]) == {"messages", "variables", "context"}


def test_pydantic_evals_yaml_says_the_same_to_a_yaml_1_1_reader(files, bundle, summary):
    dataset = yaml.safe_load(files("pydantic-evals")["dataset.yaml"])
    assert dataset["name"] == "refund-regressions@3"
    first, _, third = dataset["cases"]
    assert first["expected_output"] == FULL["expected_output"]
    assert first["inputs"]["variables"]["note"] == HOSTILE
    assert "expected_output" not in third
    names = [next(iter(e)) for e in first["evaluators"]]
    assert len(names) == len(ASSERTIONS)
    assert {"Equals", "Contains", "MaxDuration", "LLMJudge", "TraceHubAssertion"} == set(names)
    assert "1 thresholds of rubrics lost" in summary("pydantic-evals")


@pytest.mark.parametrize(
    "value",
    [1e22, -1e-7, 5.0, 2**70, "1e5", "yes", "\u0085\u2028\ufeff\x7f\ufffe", "😀", {"k" * 2000: 1},
     {"a: b": [None, True, ""]}, "- x\n? y"],
)  # fmt: skip
def test_flow_yaml_is_read_back_as_it_was(value):
    assert yaml.safe_load(flow(value)) == value
    assert yaml.safe_load(f"- {flow([value])}\n") == [[value]]
