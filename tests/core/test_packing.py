"""What was received comes back byte for byte, whatever content it lies beside."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.expectations import ARRIVED_NS, FOLDER, decode, is_traces, load_meta
from tracehub.core import stored
from tracehub.core.digest import digest
from tracehub.core.packing import compress, pack, unpack
from tracehub.core.wire.normalise import normalise

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def through_jsonb(value):
    """The value as Postgres gives it back: object keys by length, then bytes."""
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: (len(key.encode()), key.encode()))
        return {key: through_jsonb(value[key]) for key in keys}
    return [through_jsonb(item) for item in value] if isinstance(value, list) else value


@given(received=JSON, content=st.dictionaries(TEXTS, JSON, max_size=4))
def test_any_json_comes_back(received, content):
    text = orjson.dumps({"it": received, "same": content, "inner": json.dumps(content)})
    assert unpack(pack(text, content), through_jsonb(content)) == text


@given(texts=st.lists(st.text(st.sampled_from('ab"\\\né\x7f☃'), min_size=20), max_size=6))
def test_texts_inside_each_other_come_back_however_they_are_escaped(texts):
    content = {"input": texts, "output": "".join(texts)}
    forms = [json.dumps(content), orjson.dumps(content).decode(), json.dumps(json.dumps(content))]
    text = orjson.dumps([content, forms])
    assert unpack(pack(text, content), through_jsonb(content)) == text


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.meta.json")), ids=lambda path: path.name)
def test_every_captured_span_comes_back(path):
    requests = [r for r in load_meta(path)["requests"] if is_traces(r)]
    good = [r for r in requests if r.get("expect", {}).get("status", 200) == 200]
    for raw in [raw for request in good for raw in decode(request).spans]:
        span = normalise(raw, arrived_ns=ARRIVED_NS)
        received = stored.received_json(raw)
        row = stored.row_of(1, span, digest(span), received)
        assert unpack(row.raw, through_jsonb(orjson.loads(row.content))) == received


def test_a_text_that_is_in_the_content_is_not_stored_twice():
    words = " ".join(f"{n * 7919 % 4093:x}" for n in range(400))
    received = orjson.dumps({"attributes": {"input.value": words, "input": json.dumps([words])}})
    assert len(pack(received, {"input": words})) < 100 < len(compress(received))


def test_content_of_another_span_is_an_error_not_a_wrong_text():
    packed = pack(orjson.dumps({"input": "a" * 30}), {"input": "a" * 30})
    with pytest.raises(ValueError, match="content has 0"):
        unpack(packed, {})


def test_an_unknown_version_is_named():
    with pytest.raises(ValueError, match="must begin with"):
        unpack(b"\x09abc", {})
