"""What the trace page makes of texts: markdown, images, used documents, tries."""

from __future__ import annotations

import base64

import pytest

from tests import trace_factory as factory
from tests.web import stories
from tracehub.web.trace_view import pane, tree, tries
from tracehub.web.trace_view.markdown import rendered
from tracehub.web.trace_view.parts import chip, parts
from tracehub.web.trace_view.sources import uses

T = "a" * 32
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


def test_markdown_can_do_nothing():
    html = rendered(" ".join(stories.ATTACKS) + "\n\n[x](javascript:alert(1)) [y](/logout)")
    assert "<script" not in html
    assert "<img" not in html
    assert 'href="javascript' not in html
    assert 'href="/logout' not in html
    assert "<div" not in html


def test_an_image_is_shown_only_when_it_is_what_its_type_says():
    assert chip({"type": "image", "mime_type": "image/png", "data": PNG}).shown
    in_uri = chip({"type": "image", "uri": f"data:image/png;base64,{PNG}"})
    assert in_uri.source == f"data:image/png;base64,{PNG}"
    svg = base64.b64encode(b"<svg onload='x'>").decode()
    for mime, data in (
        ("image/svg+xml", svg), ("image/png", svg), ("text/html", PNG), ("image/png", PNG + "\"x"),
        ("image/png", PNG * 100_000),
    ):  # fmt: skip
        assert not chip({"type": "image", "mime_type": mime, "data": data}).source
    name = "fare\u202e.pdf\n" + "x" * 99
    (named,) = parts([{"type": "document", "file_id": "f1", "filename": name}])[1]
    assert named.name.startswith("fare") and "\u202e" not in named.name and len(named.name) == 60
    pdf = chip({"mime_type": "application/pdf", "data": base64.b64encode(b"%PDF-1.7").decode()})
    assert (bool(pdf.source), pdf.shown) == (True, False)


def test_documents_are_used_when_cited_or_repeated_word_by_word():
    text = "Refund in full to the original form of payment within 7 days."
    answer = "We refund in full to the original form of payment. See [policy-9]."
    first, second, third = uses(answer, [("a-1", text), ("policy-9", "Else."), ("b", "No.")])
    assert [text[start:end] for start, end in first.shared] == [
        "Refund in full to the original form of payment"
    ]
    assert (second.cited, second.shared) == (True, ())
    assert (third.cited, third.shared) == (False, ())


def test_tries_stand_beside_each_other_with_what_changed():
    def answer(n: int, text: str, **more):
        return factory.span(
            T, span_id=f"{n:016x}", parent_id="f" * 16, start_ns=n, output=text, **more
        )

    top = factory.span(T, span_id="f" * 16, kind="agent", start_ns=0)
    spans = [
        top,
        answer(1, "amount: 418 EUR", error=True, error_type="schema"),
        answer(2, "amount: 418"),
        answer(3, "else", name="other"),
    ]
    built = tree.build(spans)
    found = tree.tries(built, "0" * 15 + "2")
    assert [span.span_id[-1] for span in found] == ["1", "2"]
    assert tries.names(found) == "schema, then worked"
    first, second = tries.laid_out(found, ())
    assert (first.failed, first.error, second.asked_same) == (True, "schema", True)
    assert second.answered[0].differs
    assert tree.tries(built, "0" * 15 + "3") == []


def test_everything_is_unfolded_for_a_search():
    span = factory.span(T, input="x" * 50_000, output={"long": "y" * 5_000})
    blocks = pane.blocks(span, whole="*")
    assert not blocks[0].text.hidden
    assert not blocks[1].code.cut


@pytest.mark.django_db
def test_a_span_comes_as_curl_and_python_and_its_text_as_markdown(client):
    project = stories.project()
    client.force_login(stories.member(project, "viewer"))
    trace = stories.refund_trace(project)
    at = f"/skylane/traces/{trace}/json?span=0000000100000009"
    curl = client.get(f"{at}&as=curl")
    assert curl["Content-Type"].startswith("text/plain")
    assert curl.text.startswith('curl "https://api.openai.com/v1/chat/completions"')
    assert client.get(f"{at}&as=python").text.startswith("messages = [")
    page = client.get(f"/skylane/traces/{trace}?md=1&span=0000000100000003").text
    assert '<div class="prose" hx-ignore><p>SK 482 to Lisbon' in page
    tab = client.get(f"/skylane/traces/{trace}?span=0000000100000008&tab=retries").text
    assert "503: 503 Service Unavailable" in tab
    assert "Asked: the same as before" in tab
    assert "q=env%3Aproduction" in page
