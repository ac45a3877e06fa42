from __future__ import annotations

import re
from pathlib import Path

import pytest

from tracehub.api.calls import CALLS
from tracehub.core.assertions import TYPES
from tracehub.core.exports import FORMATS


@pytest.mark.django_db
def test_the_document_names_every_call_with_its_body(client):
    answer = client.get("/api/v1/openapi.json")
    assert answer.headers["Content-Type"] == "application/json"
    document = answer.json()
    assert document["openapi"] == "3.1.0"
    for call in CALLS:
        operation = document["paths"][call.path][call.method.lower()]
        assert ("requestBody" in operation) == (call.body is not None)
        names = {p["name"] for p in operation["parameters"]}
        assert names == {p.name for p in call.params} | set(re.findall(r"{(\w+)}", call.path))
    ids = [op["operationId"] for path in document["paths"].values() for op in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.django_db
def test_the_page_shows_every_call_and_format_and_needs_no_key(client):
    page = client.get("/api/v1/docs")
    assert page.status_code == 200
    for call in CALLS:
        assert f"{call.method} {call.path}" in page.text
    for name in FORMATS:
        assert f"<code>{name}</code>" in page.text
    assert "script-src 'nonce-" in page.headers["Content-Security-Policy"]


def test_the_reference_has_a_row_for_every_call_format_and_assertion():
    reference = Path(__file__).parents[2] / "docs" / "reference"
    api = (reference / "api.md").read_text()
    for call in CALLS:
        assert f"| `{call.method} {call.path}` | " in api
    exports = (reference / "exports.md").read_text()
    for name, fmt in FORMATS.items():
        assert f"| `{name}`" in exports
        for file in fmt.files:
            assert f"`{file}`" in exports
    for kind in TYPES:
        assert f"`{kind}`" in exports
