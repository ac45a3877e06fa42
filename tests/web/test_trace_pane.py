"""The middle pane: what a span's messages, calls, documents and output become."""

from __future__ import annotations

from tests.web.test_trace_tree import span
from tracehub.core.trace import ToolUse
from tracehub.web.trace_view import pane
from tracehub.web.trace_view.code import Note


def said(role: str, text: str, **more) -> dict:
    return {"role": role, "content": [{"type": "text", "text": text}], **more}


def call(**fields):
    return span(1, kind="llm", **fields)


def kinds(blocks) -> list[tuple[str, str]]:
    return [(block.type, block.role) for block in blocks]


def test_messages_keep_their_order_and_the_system_prompt_is_folded():
    found = pane.blocks(
        call(
            input={"messages": [said("system", "You are an agent."), said("user", "Refund me")]},
            output={"messages": [said("assistant", "Done.")]},
        )
    )
    assert kinds(found) == [("system", "System"), ("message", "User"), ("message", "Assistant")]
    assert found[0].title == "You are an agent."
    assert not found[0].open


def test_a_call_stands_beside_its_result():
    asked = [{"id": "c1", "name": "get_booking", "arguments": {"pnr": "X7K2QD"}}]
    found = pane.blocks(
        call(
            input={
                "messages": [
                    said("user", "Refund me"),
                    {"role": "assistant", "content": [], "tool_calls": asked},
                    said("tool", '{"total": 418.6}', tool_call_id="c1"),
                ]
            }
        ),
        calls=[span(9, kind="tool", tool=ToolUse(name="get_booking", call_id="c1"), error=True)],
    )
    assert kinds(found) == [("message", "User"), ("call", "Tool call")]
    block = found[1]
    assert block.arguments.lines[0].text == '{ "pnr": "X7K2QD" }'
    assert block.result.lines[0].text == '{ "total": 418.6 }'
    assert (block.failed, block.span_id) == (True, f"{9:016x}")


def test_a_result_without_its_call_is_still_shown():
    messages = [said("tool", "no such booking", tool_call_id="lost")]
    found = pane.blocks(call(input={"messages": messages}))
    assert (found[0].type, found[0].text.text) == ("message", "no such booking")


def test_the_answer_carries_the_errors_at_their_place():
    notes = [Note("/refund/amount", 'must be number. Got the string "418.60 EUR".')]
    output = {"messages": [said("assistant", '{"refund": {"amount": "418.60 EUR"}}')]}
    (block,) = pane.blocks(call(output=output), notes=notes)
    assert (block.type, block.errors) == ("output", 1)
    assert any(line.notes for line in block.code.lines)


def test_errors_of_an_answer_that_is_no_json_stand_below_it():
    notes = [Note("", "must be JSON.")]
    (block,) = pane.blocks(call(output={"messages": [said("assistant", "Sure!")]}), notes=notes)
    assert (block.type, block.text.text, block.errors) == ("output", "Sure!", 1)


def test_errors_are_shown_even_when_there_is_no_output():
    assert pane.blocks(call(), notes=[Note("", "is required.")])[0].errors == 1
    empty = call(output={"messages": []})
    assert pane.blocks(empty, notes=[Note("", "is required.")])[0].errors == 1


def test_documents_come_after_the_question_with_the_weak_ones_marked():
    found_by = span(
        7,
        kind="retriever",
        name="search-policy",
        input="refund",
        context=[
            {"id": "policy-118", "content": "Refund in full.", "score": 0.91, "metadata": {}},
            {"id": "p-2", "content": "Groups", "score": 0.5, "metadata": {"title": "Group §7"}},
            {"id": "p-3", "content": {"any": "thing"}, "score": None},
        ],
    )
    found = pane.blocks(
        call(input={"messages": [said("system", "s"), said("user", "q"), said("user", "more")]}),
        sources=[found_by],
    )
    assert kinds(found)[2:] == [("message", "User"), ("context", "Context")]
    first, second, third = found[3].documents
    assert (first.score, first.percent, first.weak) == ("0.91", 91, False)
    assert (second.title, second.weak) == ("Group §7", True)
    assert (third.score, third.text) == ("", '{"any": "thing"}')


def test_media_of_other_types_are_chips_and_never_opened():
    parts = [
        {"type": "image", "mime_type": "image/svg+xml", "data": "PHN2Zz4="},
        {"type": "document", "uri": "https://evil.example/a.pdf", "mime_type": "application/pdf"},
        {"type": "image", "uri": "data:text/html;base64,PHNjcmlwdD4="},
        {"type": "strange", "x": 1},
        "plain",
        5,
    ]
    (block,) = pane.blocks(call(input={"messages": [{"role": "user", "content": parts}]}))
    assert [(c.kind, c.type, c.where) for c in block.chips] == [
        ("image", "image/svg+xml", ""),
        ("document", "application/pdf", "https://evil.example/a.pdf"),
        ("image", "text/html", "in the message"),
        ("strange", "", ""),
    ]
    assert not any(chip.source for chip in block.chips)
    assert block.text.text == "plain\n\n5"


def test_reasoning_is_folded_before_the_answer():
    content = [{"type": "reasoning", "text": "Hm."}, {"type": "text", "text": "Yes."}]
    found = pane.blocks(call(output={"messages": [{"role": "assistant", "content": content}]}))
    assert kinds(found) == [("reasoning", "Assistant"), ("message", "Assistant")]


def test_a_tool_span_shows_arguments_result_and_error():
    use = ToolUse(name="get_fare_rules", arguments={"fare": "FLEX"}, result="503 upstream")
    failed = span(1, kind="tool", tool=use, error=True, error_type="HTTPError", error_message="503")
    error, block = pane.blocks(failed)
    assert (error.type, error.title, error.text.text) == ("error", "HTTPError", "503")
    assert block.arguments.lines[0].text == '{ "fare": "FLEX" }'
    assert block.result_text.text == "503 upstream"


def test_any_other_json_is_shown_as_input_and_output():
    found = pane.blocks(span(1, input={"a": 1}, output="plain text"))
    assert kinds(found) == [("value", "Input"), ("message", "Output")]


def test_a_very_long_conversation_is_cut_in_the_middle():
    messages = [said("user", f"m{n}") for n in range(100)]
    found = pane.blocks(call(input={"messages": messages}))
    assert len(found) == pane.MESSAGES_AT_FIRST + 1
    assert (found[10].type, found[10].count) == ("more", 40)
    assert len(pane.blocks(call(input={"messages": messages}), whole="messages")) == 100


def test_odd_shapes_never_break_the_pane():
    for value in (None, 3, [], {"messages": "x"}, {"messages": [None, {}, {"tool_calls": [1]}]}):
        pane.blocks(call(input=value, output=value), notes=[Note("/a", "b")])
