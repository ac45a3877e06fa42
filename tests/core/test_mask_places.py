"""Rules that look in one place: what they mask is nowhere in it, over every captured span."""

from __future__ import annotations

import orjson
import pytest
import re2

from tests.core.wire.expectations import ARRIVED_NS, FOLDER, decode, is_traces, load_meta
from tracehub.core.mask import Masker, own_rule
from tracehub.core.stored import content_of
from tracehub.core.wire.normalise import normalise

METAS = [
    path
    for path in sorted(FOLDER.glob("*.meta.json"))
    if any(is_traces(request) for request in load_meta(path)["requests"])
]
SIDES = {"input": ("input", "trace_input"), "output": ("output", "trace_output")}


def texts(value):
    """The longer texts of a value: what people wrote, not roles and names."""
    if isinstance(value, str):
        try:
            inner = orjson.loads(value)
        except orjson.JSONDecodeError:
            inner = None
        if isinstance(inner, dict | list):
            yield from texts(inner)
        elif len(value) >= 12 and " " in value:
            yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)


def mask(raw, masker):
    for name in ("name", "attributes", "events", "links", "resource", "scope", "status_message"):
        setattr(raw, name, masker.mask(getattr(raw, name)).value)
    return raw


def spans(path):
    for request in load_meta(path)["requests"]:
        if is_traces(request) and request.get("expect", {}).get("status", 200) == 200:
            yield from decode(request).spans


@pytest.mark.parametrize("path", METAS, ids=lambda path: path.name.removesuffix(".meta.json"))
@pytest.mark.parametrize("side", SIDES)
def test_what_a_rule_masks_in_one_place_is_nowhere_in_it(path, side):
    for before in spans(path):
        found = content_of(normalise(before, arrived_ns=ARRIVED_NS))
        said = [text for name in SIDES[side] for text in texts(found.get(name))][:1]
        if not said:
            continue
        masker = Masker([own_rule("said", re2.escape(said[0][:120]), side)])
        after = content_of(normalise(mask(before, masker), arrived_ns=ARRIVED_NS))
        left = orjson.dumps([after.get(name) for name in SIDES[side]])
        assert b"[masked:said]" in left
        assert all(said[0] not in text for name in SIDES[side] for text in texts(after.get(name)))


SENT = {
    "input.value": '{"question": "I am Bj\\u00f6rn,\\nroom 7", "n": 1}',
    "output.value": "Hello Björn",
    "user.id": "Björn",
    "pydantic_ai.all_messages": [{"arguments": "Björn", "output": "Björn"}],
}


def test_a_rule_looks_where_it_is_told_and_in_what_may_hold_anything():
    name = "Björn"
    masked = Masker([own_rule("who", name, "output")]).mask(SENT).value
    assert masked["input.value"] == SENT["input.value"]
    assert masked["output.value"] == "Hello [masked:who]"
    assert masked["user.id"] == name
    assert masked["pydantic_ai.all_messages"] == [
        {"arguments": "[masked:who]", "output": "[masked:who]"}
    ]
    masked = Masker([own_rule("who", name, "attributes.user.*")]).mask(SENT)
    assert (masked.value["user.id"], masked.counts) == ("[masked:who]", {"who": 1})
    native = {"name": name, "input": name, "metadata": {"input": name}, "spans": [{"output": name}]}
    masked = Masker([own_rule("who", name, "metadata")]).mask(native).value
    assert masked["metadata"] == {"input": "[masked:who]"}
    assert (masked["input"], masked["spans"]) == (name, [{"output": name}])


def test_json_in_a_string_stays_json_and_escapes_hide_nothing():
    masker = Masker([own_rule("who", "Björn"), own_rule("room", r"^room \d")])
    assert masker.touches(orjson.dumps(SENT["input.value"]))
    masked = masker.mask(SENT)
    assert orjson.loads(masked.value["input.value"]) == {
        "question": "I am [masked:who],\nroom 7",
        "n": 1,
    }
    assert masker.touches(b'"room 7"')
    assert masker.mask("room 7").value == "[masked:room]"


def test_an_event_of_a_message_has_the_place_of_its_role():
    events = [
        {"name": name, "attributes": {"content": "Björn"}}
        for name in ("gen_ai.user.message", "gen_ai.choice", "exception")
    ]
    masked = Masker([own_rule("who", "Björn", "input")]).mask(events).value
    assert [each["attributes"]["content"] for each in masked] == [
        "[masked:who]",
        "Björn",
        "[masked:who]",
    ]
