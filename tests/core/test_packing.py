"""Content and what was received come back from a payload byte for byte."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tests.core.wire.expectations import ARRIVED_NS, FOLDER, decode, is_traces, load_meta
from tracehub.core import stored
from tracehub.core.digest import digest
from tracehub.core.packing import DICTIONARIES, pack, unpack
from tracehub.core.stored import content_of
from tracehub.core.wire.normalise import normalise

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=60)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(received=JSON, content=JSON)
def test_any_json_comes_back(received, content):
    both = (orjson.dumps(content), orjson.dumps({"it": received, "inner": json.dumps(content)}))
    assert unpack(pack(*both)) == both


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.meta.json")), ids=lambda path: path.name)
def test_every_captured_span_comes_back(path):
    requests = [r for r in load_meta(path)["requests"] if is_traces(r)]
    good = [r for r in requests if r.get("expect", {}).get("status", 200) == 200]
    for raw in [raw for request in good for raw in decode(request).spans]:
        span = normalise(raw, arrived_ns=ARRIVED_NS)
        received = stored.received_json(raw)
        row = stored.row_of(1, span, digest(span), received)
        assert unpack(row.payload)[1] == received
        assert stored.content_in(row.payload) == orjson.loads(orjson.dumps(content_of(span)))


@pytest.mark.parametrize("size", [400, 60_000, 400_000])
def test_a_text_that_is_in_the_content_is_not_stored_twice(size):
    words = " ".join(f"{n * 7919 % 65_521:x}" for n in range(size // 4))
    content = orjson.dumps({"input": words})
    received = orjson.dumps({"attributes": {"input.value": words, "input": json.dumps([words])}})
    alone, both = len(pack(content, b"{}")), pack(content, received)
    assert len(both) < 1.05 * alone + 100
    assert unpack(both) == (content, received)


def test_threads_that_pack_at_once_do_not_disturb_each_other():
    texts = [orjson.dumps(f"{n} " * 5_000) for n in range(200)]
    with ThreadPoolExecutor(8) as pool:
        payloads = list(pool.map(pack, texts, texts))
        assert list(pool.map(unpack, payloads)) == [(text, text) for text in texts]


def test_what_was_packed_with_the_names_alone_is_read():
    both = (b'{"input":"refund 418.60"}', b'{"attributes":{"input.value":"refund 418.60"}}')
    before = zstandard.ZstdCompressor(dict_data=DICTIONARIES[b"\x02"], write_dict_id=False)
    assert unpack(b"\x02" + before.compress(b"\n".join(both))) == both


def test_an_unknown_version_is_named():
    with pytest.raises(ValueError, match="must begin with one of"):
        unpack(b"\x09abc")
