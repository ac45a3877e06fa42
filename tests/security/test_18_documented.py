"""18: the table of docs/security.md has every number of the list and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = (TESTS.parent / "docs" / "security.md").read_text(encoding="utf-8")
NUMBERS = range(1, 80)
WITHOUT = {79}  # said so on the page

# How many requirements of levels 1 and 2 each section of ASVS 5.0.0 has: numbers 1 to so many.
ASVS = {
    "1.1": 2, "1.2": 9, "1.3": 11, "1.4": 3, "1.5": 2, "2.1": 3, "2.2": 3, "2.3": 4, "2.4": 1,
    "3.2": 2, "3.3": 4, "3.4": 6, "3.5": 5, "3.7": 2, "4.1": 3, "4.2": 1, "4.3": 2, "4.4": 4,
    "5.1": 1, "5.2": 3, "5.3": 2, "5.4": 3, "6.1": 3, "6.2": 12, "6.3": 4, "6.4": 4, "6.5": 5,
    "6.6": 3, "6.8": 4, "7.1": 3, "7.2": 4, "7.3": 2, "7.4": 5, "7.5": 2, "7.6": 2, "8.1": 2,
    "8.2": 3, "8.3": 1, "8.4": 1, "9.1": 3, "9.2": 4, "10.1": 2, "10.2": 2, "10.3": 4,
    "10.4": 11, "10.5": 5, "10.6": 2, "10.7": 3, "11.1": 2, "11.2": 3, "11.3": 3, "11.4": 4,
    "11.5": 1, "11.6": 1, "12.1": 3, "12.2": 2, "12.3": 4, "13.1": 1, "13.2": 5, "13.3": 2,
    "13.4": 5, "14.1": 2, "14.2": 4, "14.3": 3, "15.1": 3, "15.2": 3, "15.3": 7, "16.1": 1,
    "16.2": 5, "16.3": 4, "16.4": 3, "16.5": 3, "17.1": 1, "17.2": 4, "17.3": 2,
}  # fmt: skip


def test_every_requirement_of_asvs_has_one_row_in_order():
    every = [f"{section}.{n}" for section, most in ASVS.items() for n in range(1, most + 1)]
    assert len(every) == 253
    told = []
    for first, last in re.findall(r"^\| (\d+\.\d+\.\d+)(?: to (\d+\.\d+\.\d+))? \|", PAGE, re.M):
        told += every[every.index(first) : every.index(last or first) + 1]
    assert told == every


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
