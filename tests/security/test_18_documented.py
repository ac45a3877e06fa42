"""18: the table of docs/security.md has every number of the list and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
NUMBERS = range(1, 80)
WITHOUT = {79}  # said so on the page


def test_every_number_has_its_row_with_a_test_or_the_word_none():
    rows = dict(re.findall(r"^\| (\d+) \| .* \| (.*) \|$", PAGE, re.MULTILINE))
    assert list(map(int, rows)) == list(NUMBERS)
    assert {int(number) for number, tests in rows.items() if "::" not in tests} == WITHOUT


def test_every_test_of_the_table_exists():
    named = re.findall(r"`([a-z0-9_/]+\.py)(?:::(\w+))?`", PAGE)
    assert len(named) > len(NUMBERS)
    missing = [
        (file, test)
        for file, test in named
        if not (TESTS / file).exists()
        or (test and f"def {test}(" not in (TESTS / file).read_text(encoding="utf-8"))
    ]
    assert missing == []
