"""The middle pane: one span as blocks to read, its messages by role, its calls and its output."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tracehub.core.trace import Json, Span
from tracehub.web.trace_view.code import Code, Note, laid_out, parsed
from tracehub.web.trace_view.documents import Document, documents
from tracehub.web.trace_view.parts import Chip, parts
from tracehub.web.trace_view.text import EVERYTHING, Text, folded, one_line, visible

MESSAGES_AT_FIRST = 60
DOCUMENTS_AT_FIRST = 20

ROLES = {
    "system": "System",
    "developer": "System",
    "user": "User",
    "assistant": "Assistant",
    "tool": "Tool",
}


@dataclass(slots=True)
class Block:
    """One thing to read. `type` picks the template part; the other fields belong to some types.

    `system` `message` `reasoning`: text, chips. `context`: documents. `call`: arguments, result.
    `output` `value`: code with notes in place. `error`: title, text. `more`: count.
    """

    type: Literal[
        "system", "message", "reasoning", "context", "call", "output", "value", "error", "more"
    ]
    role: str = ""
    title: str = ""
    text: Text | None = None
    chips: list[Chip] = field(default_factory=list)
    code: Code | None = None
    arguments: Code | None = None
    result: Code | None = None
    result_text: Text | None = None
    documents: list[Document] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    count: int = 0
    failed: bool = False
    tries: str = ""
    span_id: str = ""
    duration_ns: int | None = None
    open: bool = True

    @property
    def length(self) -> int:
        """Characters of the whole text, the folded ones too."""
        return len(self.text.text) + self.text.hidden if self.text else 0

    @property
    def contract(self) -> str:
        """The contract that the first note with one names."""
        lines = self.code.lines if self.code else []
        notes = [note for line in lines for note in line.notes]
        return next((note.contract for note in notes if note.contract), "")

    @property
    def errors(self) -> int:
        return len(self.notes) + (self.code.errors if self.code else 0)


@dataclass(slots=True)
class _Reader:
    """What the blocks of one span need: its notes, and which text is wanted whole."""

    span: Span
    notes: Sequence[Note]
    whole: str
    answer: Json
    tried: Callable[[str], str]  # how the tries of a span's call went, "" for the only one

    def code(self, value: Json, key: str, *, notes: Sequence[Note] = ()) -> Code:
        return laid_out(value, notes=notes, key=key, whole=self.whole)

    def text(self, value: str, key: str) -> Text:
        return folded(value, key, whole=self.whole)


def blocks(
    span: Span,
    *,
    notes: Sequence[Note] = (),
    sources: Sequence[Span] = (),
    calls: Sequence[Span] = (),
    whole: str = "",
    answer: Json = None,
    tried: Callable[[str], str] = lambda _: "",
) -> list[Block]:
    """Return the blocks of a span, in the order of reading.

    `notes` are its validation errors and the signals that point into its output; `sources` are
    the retrievers whose documents it could read; `calls` are tool spans, to tell which call of a
    message failed and how long it took. `whole` is the key of the text that is shown unfolded.
    `answer` is held against the documents; `tried` says how the tries of a tool span went.
    """
    reader = _Reader(span, notes, whole, answer, tried)
    found: list[Block] = []
    if span.error and (span.error_type or span.error_message):
        text = reader.text(span.error_message or "", "error")
        found.append(Block("error", "Error", visible(span.error_type or "Error"), text))
    context = [block for s in sources if s is not span for block in _context(reader, s)]
    if span.tool is not None and span.kind == "tool":
        found.append(_tool(reader))
        return found
    found.extend(_input(reader, calls))
    asked = max((n for n, b in enumerate(found) if b.role == "User"), default=len(found) - 1)
    found[asked + 1 : asked + 1] = context
    found.extend(_context(reader, span))
    found.extend(_output(reader, calls))
    return found


def messages_of(value: Json) -> list[dict[str, Json]] | None:
    """Return the messages of an input or output, or None when it is something else.

    >>> messages_of({"messages": ["AutoGen writes texts"]}) is None
    True
    """
    items = value.get("messages") if isinstance(value, dict) else None
    if isinstance(items, list) and all(isinstance(m, dict) for m in items):
        return items
    return None


def count(span: Span) -> int:
    """Return the number of messages in and out of a span, for the tab."""
    return len(messages_of(span.input) or ()) + len(messages_of(span.output) or ())


def _input(reader: _Reader, calls: Sequence[Span]) -> Iterator[Block]:
    messages = messages_of(reader.span.input)
    if messages is None:
        if reader.span.input is not None:
            yield _value(reader, reader.span.input, "Input", "input", ())
        return
    shown = messages
    if len(messages) > MESSAGES_AT_FIRST and reader.whole not in ("messages", EVERYTHING):
        head = 10
        shown = messages[:head]
        yield from _conversation(reader, shown, calls, messages, "i")
        yield Block("more", count=len(messages) - MESSAGES_AT_FIRST)
        shown = messages[head - MESSAGES_AT_FIRST :]
        yield from _conversation(reader, shown, calls, messages, "j")
        return
    yield from _conversation(reader, shown, calls, messages, "i")


def _conversation(
    reader: _Reader,
    shown: Sequence[dict[str, Json]],
    calls: Sequence[Span],
    all_messages: Sequence[dict[str, Json]],
    prefix: str,
) -> Iterator[Block]:
    """Yield the messages, each tool call joined with the message that answers it."""
    answers = {
        m["tool_call_id"]: m
        for m in all_messages
        if m.get("role") == "tool" and isinstance(m.get("tool_call_id"), str)
    }
    asked = {
        call.get("id")
        for m in all_messages
        for call in _calls_of(m)
        if isinstance(call.get("id"), str)
    }
    spans = _by_call(calls)
    for n, message in enumerate(shown):
        key = f"{prefix}{n}"
        if message.get("role") == "tool" and message.get("tool_call_id") in asked:
            continue  # shown beside its call
        yield from _message(reader, message, key)
        for c, call in enumerate(_calls_of(message)):
            yield _call(reader, call, answers.get(call.get("id")), spans, f"{key}c{c}")


def _calls_of(message: dict[str, Json]) -> list[dict[str, Json]]:
    calls = message.get("tool_calls")
    return [c for c in calls if isinstance(c, dict)] if isinstance(calls, list) else []


def _by_call(calls: Sequence[Span]) -> dict[str, Span]:
    return {s.tool.call_id: s for s in calls if s.tool is not None and s.tool.call_id}


def _message(reader: _Reader, message: dict[str, Json], key: str) -> Iterator[Block]:
    raw_role = message.get("role")
    role = ROLES.get(str(raw_role), visible(str(raw_role or "Message"))[:20])
    text, chips, reasoning = parts(message.get("content"))
    if reasoning:
        yield Block("reasoning", role, "Reasoning", reader.text(reasoning, f"{key}r"), open=False)
    if not text and not chips:
        return
    if role == "System":
        yield Block("system", role, one_line(text), reader.text(text, key), chips, open=False)
        return
    value, is_json = parsed(text)
    if is_json and role != "User":
        yield Block("value", role, "JSON", chips=chips, code=reader.code(value, key))
    else:
        yield Block("message", role, text=reader.text(text, key), chips=chips)


def _call(
    reader: _Reader,
    call: dict[str, Json],
    answer: dict[str, Json] | None,
    spans: dict[str, Span],
    key: str,
) -> Block:
    block = Block("call", "Tool call", visible(str(call.get("name") or "tool"))[:200])
    block.arguments = reader.code(call.get("arguments", {}), f"{key}a")
    span = spans.get(str(call.get("id")))
    result: Json = span.tool.result if span is not None and span.tool else None
    if answer is not None:
        result, block.chips, _ = parts(answer.get("content"))
    _set_result(reader, block, result, f"{key}r")
    if span is not None:
        block.failed, block.span_id = span.error, span.span_id
        block.duration_ns = span.duration_ns
        block.tries = reader.tried(span.span_id)
    return block


def _set_result(reader: _Reader, block: Block, result: Json, key: str) -> None:
    """Show a call's result as JSON where it is JSON, else as text."""
    if isinstance(result, str):
        value, is_json = parsed(result)
        if not is_json:
            block.result_text = reader.text(result, key)
            return
        result = value
    if result is not None:
        block.result = reader.code(result, key)


def _tool(reader: _Reader) -> Block:
    """A tool span: what it was called with, and what it gave back, side by side."""
    span = reader.span
    tool = span.tool
    name = visible((tool.name if tool else None) or span.name)
    name += f"@{visible(tool.version)}" if tool and tool.version else ""
    block = Block("call", "Tool call", name, failed=span.error, duration_ns=span.duration_ns)
    arguments = tool.arguments if tool and tool.arguments is not None else span.input
    result = tool.result if tool and tool.result is not None else span.output
    block.arguments = reader.code(arguments, "arguments") if arguments is not None else None
    if isinstance(result, str):
        value, is_json = parsed(result)
        if not is_json:
            block.result_text = reader.text(result, "result")
            block.notes = list(reader.notes)
            return block
        result = value
    if result is not None:
        block.result = reader.code(result, "result", notes=reader.notes)
    else:
        block.notes = list(reader.notes)
    return block


def _context(reader: _Reader, span: Span) -> Iterator[Block]:
    if not span.context:
        return
    key = f"d{span.span_id}"
    shown = span.context if reader.whole in (key, EVERYTHING) else span.context[:DOCUMENTS_AT_FIRST]
    made = documents(shown, reader.answer, reader.text, key)
    asked = span.input if isinstance(span.input, str) else None
    block = Block("context", "Context", visible(span.name), documents=made)
    block.text = Text(one_line(asked)) if asked else None
    block.count, block.span_id = len(span.context), span.span_id
    yield block


def _output(reader: _Reader, calls: Sequence[Span]) -> Iterator[Block]:
    span = reader.span
    messages = messages_of(span.output)
    if messages is None:
        if span.output is not None:
            yield _value(reader, span.output, "Output", "output", reader.notes)
        elif reader.notes:
            yield Block("output", "Output", "Output", notes=list(reader.notes))
        return
    spans = _by_call(calls)
    answer_at = _answer(messages)
    if answer_at is None and reader.notes:
        yield Block("output", "Output", "Output", notes=list(reader.notes))
    for n, message in enumerate(messages):
        key = f"o{n}"
        if n != answer_at:
            yield from _message(reader, message, key)
        else:
            text, chips, reasoning = parts(message.get("content"))
            if reasoning:
                why = reader.text(reasoning, f"{key}r")
                yield Block("reasoning", "Assistant", "Reasoning", why, open=False)
            block = _value(reader, text, "Assistant", key, reader.notes)
            block.chips = chips
            yield block
        for c, call in enumerate(_calls_of(message)):
            yield _call(reader, call, None, spans, f"{key}c{c}")


def _answer(messages: Sequence[dict[str, Json]]) -> int | None:
    """Return which output message is the answer: the last one with text."""
    for n in range(len(messages) - 1, -1, -1):
        if parts(messages[n].get("content"))[0]:
            return n
    return None


def _value(reader: _Reader, value: Json, role: str, key: str, notes: Sequence[Note]) -> Block:
    """Show any value: JSON laid out with its notes in place, text with them below it."""
    kind: Literal["value", "output"] = "value" if key == "input" else "output"
    title = "Input" if kind == "value" else "Output"
    if isinstance(value, str):
        found, is_json = parsed(value)
        if not is_json:
            said, chips, _ = parts(value)
            text = reader.text(said, key)
            return Block(
                "message" if not notes else kind, role, title, text, chips, notes=list(notes)
            )
        value = found
    code = reader.code(value, key, notes=notes)
    return Block(kind, role, title, code=code)
