"""Attributes of spans for search: what is kept of a trace, and what a filter may ask."""

from __future__ import annotations

import json
from hashlib import blake2b

import pytest

from tracehub.core.query import FilterError, attributes, parse
from tracehub.core.query.attributes import MOST, SIZE, VALUES, indexed, kept, split
from tracehub.core.query.names import NAMES, coded, full
from tracehub.core.query.tree import Pattern


def test_a_key_with_endless_values_leaves_room_for_the_others():
    spans = [{"id": f"i{number}", "last": number == 4999} for number in range(5000)]
    found = indexed(spans)
    assert found.cut
    assert len([one for one in found.words if split(one)[0] == "id"]) == VALUES + 1
    assert "last\x1ftrue" in found.words


def test_words_are_bounded_by_number_and_by_size_and_keys_by_length():
    assert len(indexed([{f"k{n}": n for n in range(5000)}]).words) == MOST
    long = [{f"{n:03}{'k' * 197}": f"{n:03}{'🙂' * 197}" for n in range(900)}]
    assert sum(map(len, indexed(long).words)) <= SIZE
    assert indexed([{"k" * 201: 1}]).words == []
    assert indexed([{"k": "v" * 201, "n": None, "l": []}]) == (["k", "n", "l"], False)


def test_no_attribute_can_pose_as_another():
    assert indexed([{"a\x1fb": "c\x1ed\x00"}]).words == ["a\ufffdb", "a\ufffdb\x1fc\ufffdd\ufffd"]
    assert indexed([{"\x01A": 1}]).words[0] == "\ufffdA"  # a code begins with such a character
    assert attributes.sought("a\x1fb", Pattern(("c\x1e",))).bucket == "a\ufffdb\x1fc\ufffd"


def test_what_no_attribute_can_be_is_refused_and_not_left_out():
    for text in (f"attr.k:{'v' * 201}", f"attr.{'k' * 201}:v"):
        with pytest.raises(FilterError, match=r"up to 200 characters\. Got 201"):
            parse(text)
    with pytest.raises(FilterError, match=r"such as attr.http.route:/refund"):
        parse("attr:x")


@pytest.mark.parametrize(
    ("key", "value", "is_found"),
    [
        ("input.value", "Refund", False),
        ("llm.output_messages.0.message.content", "Refund", False),
        ("gen_ai.prompt.0.content", "Refund", False),
        ("metadata", '{"tenant": 1}', False),
        ("input.mime_type", "text/plain", True),
        ("llm.output_messages.0.message.tool_calls.0.tool_call.function.name", "refund", True),
        ("gen_ai.prompt.name", "refunds", True),
        ("ai.response.finishReason", "stop", True),
        ("my.own", "{role}", True),
    ],
)
def test_what_was_said_and_objects_are_found_by_their_keys(key, value, is_found):
    words = indexed([{key: value}]).words
    assert words == [key, f"{key}\x1f{value}"][: 1 + is_found]
    asked = f"attr.{key}:{json.dumps(value)}"
    assert attributes.term("attr.", key, value) == (asked.replace('"', "") if is_found else "")
    if is_found:
        parse(asked)
    else:
        with pytest.raises(FilterError, match=rf"attr\.{key}:\*"):
            parse(asked)
    parse(f"attr.{key}:*")


def test_terms_read_back_as_the_value_they_name():
    for value in ('say "no" \\ (x),*', "none", ">5", True, 2.5):
        said = attributes.term("attr.", "http.route", value)
        (part,) = parse(said).parts
        assert part.values[0].parts == (value if isinstance(value, str) else str(value).lower(),)
    assert attributes.term("attr.", "with space", "x") == ""


def test_usual_names_take_two_characters_and_come_back():
    for name in (one.replace("#", "7") for one in NAMES):
        code = coded(name)
        assert full(code) == name
        assert len(code) <= 5, name
    for name in ("", "my.own", "retrieval.documents.#.document.id", "llm.input_messages.x.message"):
        assert (coded(name), full(name)) == (name, name)
    long = "llm.input_messages.0.message.tool_calls.12.tool_call.function.name"
    assert full(coded(long)) == long
    assert coded(long)[2:] == "0.12"


def test_names_are_added_at_the_end_since_their_lines_are_stored():
    assert len(NAMES) == len(set(NAMES)) <= 27 * 64
    first = "\n".join(NAMES[:437]).encode()
    assert blake2b(first, digest_size=8).hexdigest() == "db7528e1738723c7"


def test_a_key_stands_alone_only_without_a_value_that_is_kept():
    words = indexed([{"a": 1, "long": "x" * 201}, {"a": "b"}]).words
    assert kept(words) == "\x1ea\x1f1\x1elong\x1f\x1f\x1ea\x1fb\x1e"
