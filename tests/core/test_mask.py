"""What is masked, what is left alone, and what a bad pattern is told."""

from __future__ import annotations

import orjson
import pytest

from tracehub.core.mask import PERSONAL, SECRETS, BadPattern, Masker, PathRule, own_rule

ALL = Masker([*SECRETS, *PERSONAL.values()])


@pytest.mark.parametrize(
    ("text", "rule", "left"),
    [
        ("write to tor.o+x@mail.example.com now", "email", "write to [masked:email] now"),
        ("call +47 912 34 567.", "phone", "call [masked:phone]."),
        ("paid by 4111 1111 1111 1111", "card", "paid by [masked:card]"),
        ("to DE89 3704 0044 0532 0130 00 today", "iban", "to [masked:iban] today"),
        ("from 10.20.30.40:8080", "ip", "from [masked:ip]:8080"),
    ],
)
def test_personal_data_is_replaced_wherever_it_stands(text, rule, left):
    found = ALL.mask({"a": [text], "b": orjson.dumps({"inner": text}).decode()})
    assert found.value == {"a": [left], "b": orjson.dumps({"inner": left}).decode()}
    assert found.counts == {rule: 2}
    assert ALL.touches(orjson.dumps({"a": text}))


@pytest.mark.parametrize(
    "text",
    [
        "order 4111 1111 1111 1112",  # no card: the sum is wrong
        "GB81 WEST 1234 5698 7654 32",  # no IBAN
        "version 1.2.3 of 2026-11-24, 418.60 EUR",
        "max_tokens 1024, booking X7K2QD, flight SK 482",
        "999.1.1.1",
    ],
)
def test_what_only_looks_like_it_is_left_alone(text):
    assert ALL.mask(text).counts == {}


def test_attributes_are_dropped_masked_or_made_pseudonyms_by_name():
    masker = Masker(
        SECRETS,
        [
            PathRule("home", "user.address", "drop"),
            PathRule("who", "user.*", "hmac", b"key"),
            PathRule("note", "note", "mask"),
        ],
    )
    sent = {"user.address": "Oslo", "user.id": "u1", "user.name": "u1", "note": {"a": 1}, "x": 1}
    assert masker.touches(orjson.dumps({"user.id": "u1"}))
    kept = masker.mask(sent)
    assert kept.value["user.id"] == kept.value["user.name"]
    assert kept.value["user.id"].startswith("[who:")
    assert kept.value["note"] == "[masked:note]"
    assert set(kept.value) == {"user.id", "user.name", "note", "x"}
    assert kept.counts == {"home": 1, "who": 2, "note": 1}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing )"),
        (r"(?<=a)b", "RE2"),
        ("a*", "empty text"),
        ("x" * 501, "500 characters"),
        ("(a{1000}){1000}", "RE2"),
    ],
)
def test_a_bad_pattern_is_explained(pattern, said):
    with pytest.raises(BadPattern, match=said.replace(")", r"\)")):
        own_rule("mine", pattern)


def test_54_a_pattern_that_hangs_other_engines_takes_linear_time():
    masker = Masker([own_rule("slow", "(a+)+$")])
    assert masker.mask("a" * 1_000_000 + "b").counts == {}


@pytest.mark.parametrize(
    ("name", "value", "is_masked"),
    [
        ("llm.headers", "{'X-Api-Key': 'abc123'}", True),
        ("llm.headers", "None", False),
        ("process.command_args", ["node", "app.js", "--api-key", "hunter2"], True),
        ("process.command_args", ["node", "app.js"], False),
        ("process.command_line", "node app.js --password=x", True),
        ("http.request.header.authorization", ["Basic abc"], True),
        ("http.request.header.accept", ["*/*"], False),
        ("langsmith.metadata.LANGSMITH_API_KEY", "x", True),
        ("langsmith.metadata.LANGSMITH_PROJECT", "x", False),
    ],
)
def test_attributes_that_hold_credentials_go_by_their_name(name, value, is_masked):
    """Headers come as lists, or as the repr of a dict."""
    masker, sent = Masker(), {"resource": {name: value}}
    assert masker.touches(orjson.dumps(sent)) is is_masked
    result = masker.mask(sent)
    assert result.value["resource"][name] == ("[masked:credential_field]" if is_masked else value)
    assert masker.mask(result.value).counts == {}
