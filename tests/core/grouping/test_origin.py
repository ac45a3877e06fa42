"""What a failure is laid to: the prompt of the span that failed, not the first of the trace."""

from __future__ import annotations

import pytest

from tests import trace_factory as factory
from tracehub.core.digest import digest
from tracehub.core.grouping.origin import prompt_of
from tracehub.core.trace import Prompt

TRACE = "a" * 32


def span(span_id, start, prompt=None, parent=None):
    label = Prompt(*prompt.split("@")) if prompt else None
    made = factory.span(TRACE, span_id=span_id * 16, parent_id=parent and parent * 16, prompt=label)
    made.start_ns = start
    return digest(made)


SPANS = [
    span("a", 1),
    span("b", 2, "answer@v3", "a"),
    span("c", 3, None, "a"),
    span("d", 4, "refund@v12", "a"),
    span("e", 5, None, "d"),
    span("f", 6, None, "a"),
    span("g", 7, None, "a"),
    span("h", 8, None, "g"),
    span("i", 9, "route@v2", "g"),
]


@pytest.mark.parametrize(
    ("failed", "prompt"),
    [
        ("d", "refund@v12"),  # its own
        ("e", "refund@v12"),  # of the span around it
        ("c", "answer@v3"),  # of the call before it
        ("f", "refund@v12"),
        ("a", "route@v2"),  # the last call inside
        ("h", "route@v2"),  # of the agent that it is in, though another call came before it
        (None, "route@v2"),  # of the whole trace: the last, which answered
        ("z", "route@v2"),  # a span that is not there
    ],
)
def test_the_prompt_of_the_failing_span(failed, prompt):
    assert prompt_of(failed and failed * 16, SPANS) == prompt


def test_spans_in_a_circle_end():
    circle = [span("a", 1, None, "b"), span("b", 2, None, "a")]
    assert prompt_of("a" * 16, circle) is None
