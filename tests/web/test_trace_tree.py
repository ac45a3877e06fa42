"""The span tree: any shape of spans becomes a bounded list of rows."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracehub.core.trace import Span, Tokens, ToolUse
from tracehub.web.trace_view import tree


def span(n: int, parent: int | None = None, *, start: float = 0, took: float = 1, **fields) -> Span:
    """A span whose times are in milliseconds."""
    return Span(
        trace_id="a" * 32,
        span_id=f"{n:016x}",
        parent_id=None if parent is None else f"{parent:016x}",
        name=fields.pop("name", f"step-{n}"),
        kind=fields.pop("kind", "chain"),
        start_ns=int(start * 1e6),
        duration_ns=None if took is None else int(took * 1e6),
        **fields,
    )


def names(rows: list[tree.Row]) -> list[str]:
    return [row.span.name if row.span else f"{row.more} more" for row in rows]


def test_rows_follow_the_tree_in_order_of_start():
    spans = [span(3, 1, start=5), span(1), span(2, 1, start=2), span(4, 2, start=3)]
    rows = tree.rows(tree.build(spans))
    assert names(rows) == ["step-1", "step-2", "step-4", "step-3"]
    assert [row.level for row in rows] == [1, 2, 3, 2]
    assert [row.expanded for row in rows] == [True, True, None, None]


def test_bars_are_shares_of_the_whole_trace():
    spans = [span(1, took=100), span(2, 1, start=25, took=50)]
    root, child = tree.rows(tree.build(spans))
    assert (root.x, root.width) == ("0.00%", "100.00%")
    assert (child.x, child.width, child.label) == ("25.00%", "50.00%", "0.05")


def test_a_label_stands_on_the_side_with_room():
    spans = [span(1, took=100), span(2, 1, start=1, took=5), span(3, 1, start=90, took=5)]
    _, early, late = tree.rows(tree.build(spans))
    assert (early.label_end, early.label_x) == (False, "6.00%")
    assert (late.label_end, late.label_x) == (True, "90.00%")


def test_an_instant_and_a_trace_without_length_still_have_a_bar():
    (row,) = tree.rows(tree.build([span(1, took=0)]))
    assert row.width == "0.50%"


def test_an_unfinished_span_runs_to_the_end_and_says_so():
    spans = [span(1, took=100), span(2, 1, start=60, took=None)]
    row = tree.rows(tree.build(spans))[1]
    assert (row.x, row.width, row.label) == ("60.00%", "40.00%", "running")


def test_a_span_whose_parent_never_came_is_a_root_that_says_so():
    rows = tree.rows(tree.build([span(1), span(2, 99)]))
    assert [(row.level, row.note) for row in rows] == [(1, ""), (1, "parent not received")]


def test_parents_in_a_circle_are_shown_once_each():
    spans = [span(1, 3), span(2, 1, start=1), span(3, 2, start=2), span(4, 4, start=3)]
    rows = tree.rows(tree.build(spans))
    assert names(rows) == ["step-1", "step-2", "step-3", "step-4"]
    assert rows[0].note == "parents form a circle"


def test_totals_sum_the_calls_below_and_roll_ups_are_not_counted_twice():
    spans = [
        span(1),
        span(2, 1, tokens=Tokens(total=30), tokens_counted=False, cost=Decimal("0.3")),
        span(3, 2, kind="llm", tokens=Tokens(total=10), cost=Decimal("0.1")),
        span(4, 2, kind="llm", tokens=Tokens(total=20), cost=Decimal("0.2")),
    ]
    rows = tree.rows(tree.build(spans))
    assert [row.tokens for row in rows] == [30, 30, 10, 20]
    assert rows[0].cost == Decimal("0.3")


def test_unknown_tokens_stay_unknown():
    assert tree.rows(tree.build([span(1, kind="llm")]))[0].tokens is None


def test_a_second_try_is_counted_only_after_a_failure_with_the_same_arguments():
    def call(n, pnr, **fields):
        use = ToolUse(name="find", arguments={"pnr": pnr})
        return span(n, 1, start=n, kind="tool", name="find", tool=use, **fields)

    spans = [span(1), call(2, "A", error=True), call(3, "B"), call(4, "A"), call(5, "A")]
    rows = tree.rows(tree.build(spans))
    assert [row.attempt for row in rows] == [0, 0, 0, 1, 1]


def test_a_signal_marks_its_span_as_failed():
    spans = [span(1), span(2, 1)]
    failed = [spans[1].span_id]
    rows = tree.rows(tree.build(spans, failed), failed=failed)
    assert [row.failed for row in rows] == [False, True]


def test_a_long_list_is_cut_and_the_rest_can_be_asked_for():
    spans = [span(1, took=5000), *(span(n, 1, start=n) for n in range(2, 2002))]
    built = tree.build(spans)
    rows = tree.rows(built)
    assert len(rows) == tree.ROWS_AT_FIRST + 1
    gap = rows[-1]
    assert (gap.first, gap.past, gap.more) == (119, 2000, 1881)
    more = tree.rows(built, under=gap.parent_id, first=gap.first, past=gap.past)
    assert more[0].span.name == "step-121"
    assert names(more)[-1] == "1681 more"
    assert len(more) == tree.ROWS_MORE + 1
    last = tree.rows(built, under=gap.parent_id, first=gap.first, past=gap.past, from_end=True)
    assert (names(last)[0], last[-1].span.name) == ("1681 more", "step-2001")
    assert len(last) == tree.ROWS_MORE + 1


def test_the_selected_span_is_there_however_far_down_it_lies():
    spans = [span(1, took=5000), *(span(n, 1, start=n) for n in range(2, 2002))]
    built = tree.build(spans)
    rows = tree.rows(built, selected=f"{1900:016x}")
    assert "step-1900" in names(rows)
    assert rows[1].more > 1000
    assert len(rows) < tree.ROWS_AT_FIRST + 5


def test_a_chain_of_thousands_needs_no_recursion():
    spans = [span(n, n - 1 if n > 1 else None, start=n) for n in range(1, 3001)]
    built = tree.build(spans)
    rows = tree.rows(built)
    assert len(rows) == tree.ROWS_AT_FIRST
    assert rows[-1].expanded is False
    assert rows[-1].depth == tree.DEEPEST_CLASS
    assert rows[-1].descendants == 2880
    deep = tree.rows(built, selected=f"{2500:016x}")
    assert "step-2500" in names(deep)


def test_asking_past_the_end_or_under_an_unknown_span_gives_what_is_there():
    built = tree.build([span(1), span(2, 1)])
    assert tree.rows(built, under=f"{1:016x}", first=-5, past=99)[0].span.name == "step-2"
    assert len(tree.rows(built, under="nothing")) == 2


def test_no_spans_give_no_rows():
    assert tree.rows(tree.build([])) == []


@given(st.lists(st.integers(0, 40) | st.none(), max_size=40))
def test_every_span_is_shown_once_whatever_its_parent(parents):
    spans = [span(n, parent, start=n) for n, parent in enumerate(parents)]
    rows = tree.rows(tree.build(spans))
    assert sorted(names(rows)) == sorted(s.name for s in spans)
    for before, after in pairwise(rows):
        assert after.level <= before.level + 1
