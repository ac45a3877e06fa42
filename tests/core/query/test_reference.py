"""The reference lists every key, and its example parses."""

from __future__ import annotations

import re
from pathlib import Path

from tracehub.core.query import keys, parse
from tracehub.core.query.parser import MAX_DEPTH, MAX_LENGTH, MAX_TERMS

TEXT = (Path(__file__).parents[3] / "docs" / "reference" / "filters.md").read_text()


def test_every_key_has_its_row():
    rows = re.findall(r"^\| `([a-z_.A-Z]+)` \|", TEXT.split("## Keys")[1], re.MULTILINE)
    assert set(rows) == set(keys.KEYS) | {"meta.KEY", "attr.KEY", "score.NAME"}


def test_the_example_and_the_limits_are_true():
    example = re.search(r"```\n(.+)\n```", TEXT)[1]
    assert str(parse(example)) == example
    for limit in (MAX_LENGTH, MAX_TERMS, MAX_DEPTH):
        assert f"{limit:,}" in TEXT


# The keys of the filter language, as people and programs are promised them.
PROMISED = (
    "is signal verdict mode severity reviewer failure queue set name agent kind span prompt model"
    " provider tool env cohort release session user tag meta.tenant attr.http.route latency ttft"
    " cost tokens input_tokens output_tokens spans retries score.thumbs outcome finish trace input"
    " output error"
).split()


def test_every_key_that_is_promised_is_there():
    assert [key for key in PROMISED if keys.find(key) is None] == []
