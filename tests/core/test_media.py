"""Media in texts: what is taken out, what stays, and that it comes back as it was."""

from __future__ import annotations

import base64
import json
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracehub.core import media
from tracehub.core.media import LEAST, Aside, put_back, read, references, told
from tracehub.core.trace import Span, ToolUse

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
TEXT = base64.b64encode(PNG).decode()
WAV = base64.b64encode(b"RIFF\x00\x00\x00\x00WAVEfmt " + b"\x07" * 5000).decode()


def taken(text: str) -> tuple[str, Aside]:
    aside = Aside()
    return aside.text(text), aside


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (TEXT, "image/png"),
        (f"data:image/png;base64,{TEXT}", "image/png"),
        (f"look: ![x](data:image/heic;name=a.b;base64,{TEXT}) and say", "image/heic"),
        (json.dumps([{"type": "image", "source": {"data": TEXT}}]), "image/png"),
        (json.dumps(json.dumps({"data": f"data:IMAGE/PNG;base64,{TEXT}"})), "image/png"),
        (WAV, "audio/wav"),
        (TEXT.rstrip("="), "image/png"),
    ],
)
def test_media_leave_a_reference_wherever_they_stand(text, kind):
    short, aside = taken(text)
    ((hash_, medium),) = aside.found.items()
    assert (medium.type, hash_) == (kind, sha256(medium.body).digest())
    (one,) = references(short)
    assert (one.type, one.size, bytes.fromhex(one.hash)) == (kind, len(medium.body), hash_)
    assert aside.named == {hash_}
    assert len(short) < 400
    assert told(short, lambda _: "").replace('"', "") != short
    back = {"a": [short]}
    put_back(back, lambda wanted: aside.found[bytes.fromhex(wanted.hash)].body)
    assert back["a"][0].replace("=", "") == text.replace("=", "")


@pytest.mark.parametrize(
    "text",
    [
        TEXT[: LEAST - 4],
        "x" + TEXT,  # the middle of something else
        f"data:image/png;base64,{TEXT[:-2]}!{TEXT}"[: LEAST + 20].replace("iVBOR", "iVBO*"),
        base64.b64encode(b"RIFF\x00\x00\x00\x00AVI " + b"\x07" * 5000).decode(),
        "word " * 5000,
        "a" * 50_000,
    ],
)
def test_what_is_no_medium_stays_as_it_is(text):
    short, aside = taken(text)
    assert short == text
    assert not aside.found


def test_beginnings_that_are_none_are_looked_at_a_bounded_number_of_times(monkeypatch):
    monkeypatch.setattr(media, "MISSES", 50)
    assert not taken("/9j/ " * 49 + ";base64," * 200_000)[1].found
    assert taken("/9j/ " * 49 + TEXT)[1].found
    assert not taken("/9j/ " * 51 + TEXT)[1].found


def test_records_are_changed_in_place_once_for_equal_texts_and_shared_parts_never():
    image = {"type": "image", "mime_type": "image/png", "data": TEXT}
    resource = {"big": TEXT}
    span = Span(
        trace_id="1" * 32, span_id="1" * 16, parent_id=None, name="x", kind="llm",
        start_ns=1, duration_ns=1,
        input={"messages": [{"content": [image]}]}, output=TEXT, resource=resource,
        tool=ToolUse("draw", None, {}, {"image": f"data:image/png;base64,{TEXT}"}),
        attributes={"input.value": json.dumps(image)},
    )  # fmt: skip
    aside = Aside()
    aside.take(span)
    assert len(aside.found) == 1
    assert read(span.output).size == read(image["data"]).size == len(PNG)
    assert TEXT not in repr([span.input, span.output, span.tool, span.attributes])
    assert span.resource == {"big": TEXT}


def test_a_reference_that_comes_back_is_spoken_of_again():
    short, aside = taken(TEXT)
    again = Aside()
    again.take({"a": f"see {short}"})
    assert again.named == aside.named
    assert not again.found


@given(st.text(alphabet=';base64,data:/9jiVBORw0KGg+=" ', max_size=300))
def test_any_text_comes_back_whole(text):
    long = text + TEXT + text
    short, aside = taken(long)
    back = [short]
    put_back(back, lambda wanted: aside.found[bytes.fromhex(wanted.hash)].body)
    assert back[0].replace("=", "") == long.replace("=", "")
