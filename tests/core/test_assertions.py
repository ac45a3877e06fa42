from __future__ import annotations

import json
import re
import shutil
import subprocess
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tracehub.core.assertions import at_pointer, is_pointer, ordered, read, unportable
from tracehub.core.shape import ShapeError

TOKENS = [
    *"ab09-^$.|()[]{},*+?/\\<>=!:& ", "\\d", "\\B", "\\-", "\\]", "\\1", "\\x41", "\\u0041", "(?:",
    "(?=", "(?<=", "(?i)", "(?P<n>", "{2}", "{2,}", "{,2}", "{1,3}", "[^", "[a-", "\\A", "\\0",
]  # fmt: skip
patterns = st.lists(st.sampled_from(TOKENS), min_size=1, max_size=8).map("".join)


@pytest.mark.parametrize(
    "pattern",
    [
        "refund",
        r"\d{2} kg",
        r"^a|b$",
        r"(?:a)(b)\1",
        r"[\w-]+",
        r"(?<=a)b(?!c)",
        r"[^\]]{1,3}?",
        "é",
    ],
)
def test_a_pattern_of_both_languages_is_taken(pattern):
    assert unportable(pattern) is None


@pytest.mark.parametrize(
    "pattern",
    ["(?i)a", "(?P<n>a)", r"\Aa", r"a\Z", "a++", "(?>a)", "(?#x)", "[]a]", "a]", "{", "a}", "a{,3}",
     r"\_", r"\-", "(?=a)*", r"\07", "(", "a**", r"\N{BULLET}", r"\10", "(?(1)a|b)", "\\"],
)  # fmt: skip
def test_a_pattern_that_only_one_language_reads_is_refused(pattern):
    assert unportable(pattern) is not None


@given(patterns)
def test_every_pattern_taken_compiles_here_and_none_raises(pattern):
    if unportable(pattern) is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node")
@settings(max_examples=5, deadline=None)
@given(st.lists(patterns, min_size=300, max_size=300))
def test_every_pattern_taken_compiles_in_ecmascript(candidates):
    taken = [pattern for pattern in candidates if unportable(pattern) is None]
    code = "for (const p of JSON.parse(require('fs').readFileSync(0))) new RegExp(p, 'u')"
    subprocess.run(["node", "-e", code], input=json.dumps(taken).encode(), check=True)


def test_ids_are_given_in_order_around_those_that_are_taken():
    items = [{"type": "contains", "value": "x"} for _ in range(3)]
    items[1]["id"] = "a1"
    assert [item["id"] for item in read(items)] == ["a2", "a1", "a3"]


def test_keys_come_in_the_order_of_the_table():
    assert list(ordered({"threshold": 1, "rubric": "x", "type": "llm_rubric", "id": "a1"})) == [
        "id", "type", "rubric", "threshold",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("pointer", "valid"),
    [("", True), ("/a~1b/~0/0", True), ("a", False), ("/a~2", False), ("/a\n", True)],
)
def test_pointers_follow_rfc_6901(pointer, valid):
    assert is_pointer(pointer) is valid


def test_a_pointer_to_nothing_is_a_lookup_error():
    value = {"a": [1], "": 2}
    assert at_pointer(value, "/") == 2
    for pointer in ("/b", "/a/1", "/a/01", "/a/-", "/a/0/x"):
        with pytest.raises(LookupError):
            at_pointer(value, pointer)


@pytest.mark.parametrize(
    ("assertion", "field"),
    [
        ({"type": "max_cost", "usd": "1e5"}, "usd"),
        ({"type": "max_latency", "ms": True}, "ms"),
        ({"type": "llm_rubric", "rubric": "x", "threshold": 1.5}, "threshold"),
        ({"type": "json_schema", "schema": []}, "schema"),
        ({"type": "tool_called", "name": "x", "match": "some"}, "match"),
        ({"type": "exact", "value": 1, "extra": 2}, "extra"),
        ({"type": "exact", "value": 1, "id": "a\n"}, "id"),
    ],
)
def test_a_wrong_assertion_is_refused_by_field(assertion, field):
    with pytest.raises(ShapeError) as error:
        read([assertion])
    assert error.value.field == f"assertions[0].{field}"
