"""Generated input: JSON of every kind, and spans with keys that conventions know."""

from __future__ import annotations

import json

from hypothesis import strategies as st

from tests.core.wire.expectations import FOLDER, decode, is_traces
from tracehub.core.trace import RawSpan

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
# The words that readers look for, so that generated objects get past their first check.
WORDS = (
    "role content parts type text name id arguments tool_calls tool_call_id function messages "
    "output choices message finish_reason usage input_tokens data kwargs lc image_url url source "
    "toolUse toolResult toolUseId response documents page_content metadata score generations "
    "event.name loc msg pointer prompt system args input_str inputs contents "
    "model object error choices total part_kind refusal incomplete_details reason stopReason "
    "response_metadata generation_info usage_metadata config tool_name args 0 1"
).split()
ROLES = ["user", "assistant", "tool", "system", "ai", "human", "function_call", "text", "tool_call"]
near_misses = st.recursive(
    scalars | st.sampled_from(ROLES) | st.just(1),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5)
    ),
    max_leaves=14,
)
attribute_values = values | near_misses | near_misses.map(json.dumps) | st.text(max_size=40)


def known_keys():
    """Every attribute key and event name of the captured bodies."""
    keys, events = set(), set()
    for path in sorted(FOLDER.glob("*.meta.json")):
        for request in json.loads(path.read_text(encoding="utf-8"))["requests"]:
            if is_traces(request) and request.get("expect", {}).get("status", 200) == 200:
                for span in decode(request).spans:
                    keys.update(span.attributes)
                    for event in span.events:
                        events.add(event["name"])
                        keys.update(event["attributes"])
    return sorted(keys), sorted(events)


KEYS, EVENTS = known_keys()
attributes = st.dictionaries(
    st.sampled_from(KEYS) | st.text(max_size=12), attribute_values, max_size=12
)
events = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.sampled_from([*EVENTS, "gen_ai.evaluation.result", "feature_flag"]),
            "time_ns": st.integers(0, 2**64 - 1),
            "attributes": attributes,
        }
    ),
    max_size=3,
)
raw_spans = st.builds(
    RawSpan,
    st.just("ab" * 16),
    st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.none() | st.integers(1, 2**64 - 1).map(lambda number: f"{number:016x}"),
    st.text(max_size=20),
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    attributes,
    events,
    status_code=st.integers(0, 3),
    status_message=st.text(max_size=20),
    resource=attributes,
)
