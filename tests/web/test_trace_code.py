"""JSON as lines: layout, pointers, notes, bounds; and text that hides nothing."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tracehub.web.trace_view.code import LINES_AT_MOST, Note, laid_out, parsed
from tracehub.web.trace_view.text import folded, one_line, visible

REPLY = {
    "refund": {"amount": "418.60 EUR", "method": "original_payment", "names": ["Ida", "Per"]},
    "reason": "carrier_cancellation",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


def lines(code) -> list[str]:
    return [line.text for line in code.lines]


def test_objects_take_a_line_per_key_and_short_lists_one():
    assert lines(laid_out(REPLY)) == [
        "{",
        '  "refund": {',
        '    "amount": "418.60 EUR",',
        '    "method": "original_payment",',
        '    "names": ["Ida", "Per"]',
        "  },",
        '  "reason": "carrier_cancellation"',
        "}",
    ]


def test_a_note_stands_at_the_line_of_its_value_and_marks_it():
    code = laid_out(REPLY, notes=[Note("/refund/amount", "must be number.")])
    (line,) = [line for line in code.lines if line.notes]
    assert line.text == '    "amount": "418.60 EUR",'
    assert [piece.text for piece in line.pieces if piece.marked] == ['"418.60 EUR"']
    assert (line.tone, code.errors) == ("fail", 1)


def test_a_note_inside_a_list_on_one_line_marks_that_item():
    code = laid_out({"names": ["Ida", 7]}, notes=[Note("/names/1", "must be string. Got 7.")])
    assert [p.text for line in code.lines for p in line.pieces if p.marked] == ["7"]


def test_a_missing_property_is_shown_at_the_object_that_lacks_it():
    code = laid_out(REPLY, notes=[Note("/refund/currency", "is required.")])
    (line,) = [line for line in code.lines if line.notes]
    assert line.text == '  "refund": {'
    assert not any(piece.marked for piece in line.pieces)


def test_a_note_on_the_whole_value_stands_at_its_first_line():
    code = laid_out(REPLY, notes=[Note("", "must be array.")])
    assert code.lines[0].notes[0].message == "must be array."


def test_keys_with_slashes_and_tildes_are_found_by_their_escaped_pointer():
    code = laid_out({"a/b": {"c~d": 1}}, notes=[Note("/a~1b/c~0d", "must be string.")])
    assert [p.text for line in code.lines for p in line.pieces if p.marked] == ["1"]


def test_a_long_value_is_cut_and_can_be_had_whole():
    value = list(range(10_000, 12_000))
    code = laid_out(value, key="o0")
    assert len(code.lines) == LINES_AT_MOST
    assert code.hidden == 2002 - LINES_AT_MOST
    assert laid_out(value, key="o0", whole="o0").hidden == 0


def test_the_lines_reach_down_to_the_last_note():
    value = [{"n": n, "text": "x" * 80} for n in range(500)]
    code = laid_out(value, notes=[Note("/450/n", "must be string.")])
    assert any(line.notes for line in code.lines)


def test_long_strings_are_cut_and_say_so():
    code = laid_out({"text": "x" * 5000})
    assert code.cut
    assert len(code.lines[1].text) < 1100


def test_json_is_told_from_text():
    assert parsed('{"a": 1}') == ({"a": 1}, True)
    assert parsed("[1, 2") == (None, False)
    assert parsed("Hello {you}") == (None, False)
    assert parsed("[" * 100_000) == (None, False)


@given(JSON)
def test_what_is_laid_out_reads_back_as_the_same_json(value):
    text = "".join(lines(laid_out(value, key="k", whole="k")))
    expected = json.dumps(value, ensure_ascii=False)
    if visible(expected) == expected:
        assert json.loads(text) == value


def test_hidden_characters_are_written_out():
    assert visible("pay\u202emoc.live") == "pay⟨U+202E⟩moc.live"
    assert visible("re\u200bfund") == "re⟨U+200B⟩fund"
    assert visible("a\u200db") == "a⟨U+200D⟩b"
    assert visible("nul\x00") == "nul⟨U+0000⟩"


def test_joined_emoji_and_other_scripts_stay_as_they_are():
    assert visible("👩\u200d👩\u200d👧 می\u200cخواهم é") == "👩\u200d👩\u200d👧 می\u200cخواهم é"


def test_terminal_colours_and_links_are_removed():
    assert visible("\x1b[1;31mred\x1b[0m") == "red"
    assert visible("\x1b]8;;https://x.example\x07link\x1b]8;;\x07") == "link"


def test_long_text_is_folded_unless_asked_for_by_its_key():
    long = "word " * 2000
    assert folded(long, "m1").hidden == 8500
    assert folded(long, "m1", whole="m1").hidden == 0
    assert folded(long, "m1", whole="m2").hidden == 8500
    assert folded("short", "m1").hidden == 0


def test_a_summary_is_one_short_line():
    assert one_line("You are\n\n  an agent") == "You are an agent"
    assert len(one_line("x" * 500)) == 160


def test_a_huge_value_costs_only_what_is_shown():
    huge = laid_out({"all": [{"n": n} for n in range(200_000)]}, notes=[Note("/all/199999", "x")])
    assert huge.endless
    assert len(huge.lines) < 10_100
    assert [line.text for line in huge.lines if line.notes] == ['  "all": [']
    wide = laid_out([[[[["x" * 5_000] * 50]]]])
    assert wide.cut
    deep: list = []
    for _ in range(60):
        deep = [deep, "y" * 3_000]
    assert max(len(line.text) for line in laid_out(deep).lines) < 2_000
