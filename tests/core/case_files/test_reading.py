"""Cases out of files: exports come back, other files come in, bad lines are named."""

from __future__ import annotations

import json

import pytest

from tests.core.exports.conftest import bundle  # noqa: F401 a fixture
from tracehub.core import case_files
from tracehub.core.exports import Tally, find

FILES = {
    "native": "cases.jsonl", "csv": "cases.csv", "parquet": "cases.parquet",
    "openai-jsonl": "cases.jsonl", "promptfoo": "tests.jsonl", "inspect": "samples.jsonl",
    "deepeval": "goldens.json", "langsmith": "examples.jsonl", "langfuse": "items.jsonl",
    "braintrust": "rows.jsonl", "mlflow": "records.jsonl", "phoenix": "examples.jsonl",
}  # fmt: skip
WHOLE = ("native", "csv", "parquet")


def read(data: str | bytes | list) -> case_files.Read:
    if isinstance(data, list):
        data = "\n".join(json.dumps(row) for row in data)
    return case_files.read(data.encode() if isinstance(data, str) else data, most=100)


@pytest.mark.parametrize("name", FILES)
def test_an_export_comes_back_as_far_as_its_format_has_room(name, bundle):  # noqa: F811
    files = {file: b"".join(pieces) for file, pieces in find(name).write(bundle, Tally())}
    got = read(files[FILES[name]])
    assert (got.problems, got.untaken) == ([], {})
    assert list(got.formats) == ["table" if name in {"csv", "parquet"} else name]
    for (_, case), exported in zip(got.found, bundle.cases, strict=True):
        want = {key: exported[key] for key in case}
        for one in (case, want):
            one["source"] = {**one["source"], "url": None}  # the set makes it
        if name not in WHOLE:
            want |= {"parameters": {}, "recorded_output": None}
            want["tool_calls"] = {**want["tool_calls"], "recorded": []}
        if name == "deepeval":  # its context is texts
            want["context"] = [{**d, "score": None, "metadata": {}} for d in want["context"]]
        if name == "promptfoo":  # JSON Schemas were made draft-07
            for one in (case, want):
                one["assertions"] = [a for a in one["assertions"] if a["type"] != "json_schema"]
        assert case == want


def test_bad_lines_are_named_with_field_rule_and_what_came_and_good_ones_beside_them_stand():
    got = read(
        '{"input": {"variables": {"pnr": "X"}}}\n\n{"input": "Refund", "kind": "hard"}\n{"input": '
        '\n[1]\n{"input": {}}\n{"input": "x", "assertions": [{"type": "regex", "pattern": "("}]}\n'
    )
    assert [line for line, _ in got.found] == [1]
    assert [(p.line, p.field) for p in got.problems] == [
        (3, "kind"), (4, ""), (5, ""), (6, "input"), (7, "assertions[0].pattern"),
    ]  # fmt: skip
    assert "must be one of known_failure" in got.problems[0].message
    assert "Got 'hard'" in got.problems[0].message
    assert "is not JSON" in got.problems[1].message


def test_a_table_of_any_tool_gives_cases_and_names_what_it_cannot_take():
    got = read(
        'input,expected_output,owner\r\nBaggage limit?,23 kg,mina\r\n"a\nb","[1]",\r\nshort\r\n'
    )
    assert [(line, c["expected_output"]) for line, c in got.found] == [(2, "23 kg"), (3, [1])]
    assert got.untaken == {"owner": 2}
    assert [(p.line, p.message) for p in got.problems] == [
        (5, "the body must have 3 cells, as the first line. Got 1.")
    ]
    [(_, case)] = read("pnr,fare\r\nX7K2QD,Flex\r\n").found
    assert case["input"] == {"messages": [], "variables": {"pnr": "X7K2QD", "fare": "Flex"}}


def test_forms_of_other_tools_as_people_write_them():
    got = read([
        {"vars": {"question": "Limit?"}, "assert": [
            {"type": "icontains", "value": "23 {{ x }}"}, {"type": "answer-relevance"}]},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]}]},
        {"input": "Limit?", "target": "23 kg"},
        {"inputs": {"question": "Limit?"}, "expectations": {"expected_response": "23 kg"}},
        {"input": {"question": "Limit?"}, "expected": {"kg": 23}, "metadata": {"team": "eu"}},
    ])  # fmt: skip
    assert got.problems == []
    cases = [case for _, case in got.found]
    assert cases[0]["input"]["variables"] == {"question": "Limit?"}
    assert cases[0]["assertions"][0]["type"] == "contains"
    assert cases[1]["input"]["messages"][1]["tool_calls"][0]["arguments"] == {"a": 1}
    assert [case["expected_output"] for case in cases[2:]] == ["23 kg", "23 kg", {"kg": 23}]
    assert got.untaken == {"assertion answer-relevance": 1, "metadata.team": 1}


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"\xff\xfe", "must be UTF-8. Byte 1"), (b" \n", "is empty"), (b"[1", "JSON array"),
        (b"input\n", "has no cases"), (b"a,a\n1,2\n", "column 'a' twice"), (b"PAR1x", "Parquet"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_cases_says_why(data, says):
    with pytest.raises(case_files.FileError, match=says):
        read(data)
