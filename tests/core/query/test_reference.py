"""The reference lists every key, and its example parses."""

from __future__ import annotations

import re
from pathlib import Path

from tracehub.core.query import keys, parse
from tracehub.core.query.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "filters.md").read_text()


def test_every_key_has_its_row():
    rows = re.findall(r"^\| `([a-z_.A-Z]+)` \|", TEXT.split("## Keys")[1], re.MULTILINE)
    assert set(rows) == set(keys.KEYS) | {"meta.KEY", "score.NAME"}


def test_the_example_and_the_limits_are_true():
    example = re.search(r"```\n(.+)\n```", TEXT)[1]
    assert str(parse(example)) == example
    for limit in (MAX_LENGTH, MAX_TERMS, MAX_DEPTH):
        assert f"{limit:,}" in TEXT


def test_keys_that_cannot_be_answered_are_named():
    for key in keys.LATER:
        assert f"`{key}" in TEXT
