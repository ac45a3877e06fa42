"""Results of other tools, as they write them, and what is refused.

promptfoo 0.121, pytest 9, Inspect 0.3.285, DeepEval 4.3.1.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile

import pytest
import zstandard

from tracehub.core.results import ResultsError, read

CASES = ("c_0001", "c_0002", "c_0003")
PROMPTFOO = {
    "evalId": "eval-x",
    "results": {
        "version": 3,
        "results": [
            {
                "success": True, "cost": 0.002, "latencyMs": 812,
                "testCase": {"metadata": {"tracehub_case": "c_0001", "kind": "success"}},
                "response": {"output": "23 kg"},
                "gradingResult": {"pass": True, "componentResults": [
                    {"pass": True, "reason": "Assertion passed",
                     "assertion": {"type": "icontains", "metric": "a1:contains"}}]},
            },
            {
                "success": False, "error": "Expected output to contain \"kg\"", "latencyMs": 3,
                "testCase": {"metadata": {"tracehub_case": "c_0002"}},
                "response": {"output": "no"},
                "gradingResult": {"pass": False, "componentResults": [
                    {"pass": False, "reason": "Expected output to contain \"kg\"",
                     "assertion": {"type": "contains", "metric": "a2:contains"}}]},
            },
            {
                "success": False, "error": "API call error: timeout",
                "testCase": {"metadata": {"tracehub_case": "c_0003"}},
            },
        ],
    },
}  # fmt: skip
JUNIT = """<?xml version="1.0" encoding="utf-8"?><testsuites name="pytest tests">
<testsuite name="pytest" errors="0" failures="1" skipped="1" tests="4" time="0.12">
<testcase classname="test_tracehub_cases" name="test_case[c_0001]" time="0.004">
 <properties><property name="tracehub_case" value="c_0001"/></properties></testcase>
<testcase classname="test_tracehub_cases" name="test_case[c_0002-refund]" time="1.5">
 <failure message="a1 contains: 'kg' is not in the output">a1 contains</failure></testcase>
<testcase classname="test_tracehub_cases" name="c_0003 Baggage" time="0">
 <error message="boom">Traceback</error></testcase>
<testcase classname="tests.other" name="test_nothing_of_ours" time="0.1"/>
</testsuite></testsuites>"""


def test_promptfoo_s_results_are_read_by_case():
    one, two, three = read(json.dumps(PROMPTFOO).encode(), CASES)
    assert (one["case"], one["passed"], one["cost"], one["latency_ms"]) == (
        "c_0001", True, 0.002, 812,
    )  # fmt: skip
    assert one["output"] == "23 kg"
    assert two["passed"] is False
    assert two["assertions"][0]["id"] == "a2"
    assert two["assertions"][0]["message"] == 'Expected output to contain "kg"'
    assert three["error"] == "API call error: timeout"


def test_junit_is_read_by_property_else_by_a_case_id_in_the_name():
    found = read(JUNIT.encode(), CASES)
    assert [one["case"] for one in found] == ["c_0001", "c_0002", "c_0003"]
    assert [one.get("passed") for one in found] == [True, False, None]
    assert found[1]["latency_ms"] == 1500.0
    assert found[1]["assertions"][0]["message"].startswith("a1 contains: 'kg'")
    assert found[2]["error"].startswith("boom")


def test_the_native_form_is_lines_or_an_array():
    rows = [{"case": "c_0001", "passed": True}, {"case": "c_0001", "output": {"a": 1}}]
    assert read("\n".join(map(json.dumps, rows)).encode() + b"\n\n", CASES) == rows
    assert read(json.dumps(rows).encode(), CASES) == rows


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"case": "c_0001", "passed": true}\n{"case"', "line 2 is not JSON"),
        (b'{"passed": true}', 'line 1 must be an object with "case"'),
        (b'{"case": "c_0009", "passed": true}', "'c_0009', which is no case of this version"),
        (b"", "has no results"),
        (b"<testsuite", "not XML"),
        (b"<testsuite/>", "has no results"),
        (b'<!DOCTYPE x [<!ENTITY a "aaaa">]><testsuite>&a;</testsuite>', "declares entities"),
        (b'{"results": {"results": [{"success": true}]}}', "no testCase.metadata.tracehub_case"),
        (b"\xff\xfe{", "not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why(body, message):
    with pytest.raises(ResultsError, match=message):
        read(body, CASES)


def inspect_sample(case, *values, **more):
    scores = {
        name: {"value": value, "answer": "20 kg", "explanation": f"{name} said so"}
        for name, value in zip(("match", "includes"), values, strict=False)
    }
    output = {"choices": [{"message": {"content": "20 kg"}}], "completion": "20 kg"}
    return {"id": case, "epoch": 1, "output": output, "scores": scores, "total_time": 0.5, **more}


INSPECT = [
    inspect_sample("c_0001", "C", "C"),
    inspect_sample("c_0002", "I", "C", metadata={"tracehub_case": "c_0002"}),
    inspect_sample("c_0003", error={"message": "boom"}),
    inspect_sample("another", "C"),
]


def eval_file(samples):
    """An `.eval` file as Inspect writes it: a zip whose files are packed by zstd, method 93."""
    file, sizes = io.BytesIO(), {}
    with zipfile.ZipFile(file, "w") as archive:
        for sample in samples:
            name, body = f"samples/{sample['id']}_epoch_1.json", json.dumps(sample).encode()
            sizes[name] = len(body)
            archive.writestr(name, zstandard.compress(body))
        places = [(info.header_offset, info.filename) for info in archive.infolist()]
    body = bytearray(file.getvalue())
    at = body.index(b"PK\x01\x02")
    for offset, name in places:
        struct.pack_into("<H", body, offset + 8, 93)
        struct.pack_into("<H", body, at + 10, 93)
        struct.pack_into("<I", body, at + 24, sizes[name])
        at = body.find(b"PK\x01\x02", at + 4)
    return bytes(body)


@pytest.mark.parametrize(
    "body", [json.dumps({"eval": {}, "samples": INSPECT}).encode(), eval_file(INSPECT)]
)
def test_a_log_of_inspect_is_read_by_sample(body):
    one, two, three = read(body, CASES)
    assert (one["score"], one["output"], one["latency_ms"]) == (1.0, "20 kg", 500.0)
    assert two["score"] == 0.0
    assert [line["status"] for line in two["assertions"]] == ["fail", "pass"]
    assert two["assertions"][0]["message"] == "match said so"
    assert three["error"] == "boom"
    with pytest.raises(ResultsError, match="no log of Inspect"):
        read(b"PK\x03\x04 nothing", CASES)


def test_a_test_run_of_deepeval_is_read_by_name():
    metric = {"name": "Exact Match", "success": False, "score": 0.0, "reason": "They differ."}
    rows = [
        {"name": "c_0001", "success": True, "actualOutput": "23 kg", "metricsData": []},
        {"name": "t", "metadata": {"tracehub_case": "c_0002"}, "success": False, "runDuration": 2,
         "actualOutput": "20 kg", "metricsData": [metric]},
        {"name": "test_case[c_0003]", "success": False,
         "metricsData": [metric | {"error": "boom"}]},
        {"name": "of another", "success": True},
    ]  # fmt: skip
    for body in ({"testCases": rows}, {"testRunData": {"testCases": rows}}):
        one, two, three = read(json.dumps(body).encode(), CASES)
        assert one["passed"] is True
        assert (two["passed"], two["latency_ms"]) == (False, 2000)
        assert two["assertions"] == [
            {"id": "Exact-Match", "status": "fail", "message": "They differ.", "got": "score 0"}
        ]
        assert three["error"] == "boom"
