"""Section 4, Headers: reports of violations are bounded and logged without what they quote."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from tracehub.core.bucket import Buckets
from tracehub.web import reports

REPORT = {
    "document-uri": "https://h/skylane/traces?q=secret-word",
    "blocked-uri": "https://evil.example/?secret-word",
    "effective-directive": "img-src\r\nERROR forged",
    "script-sample": "secret-word",
}


@pytest.fixture
def send(monkeypatch):
    monkeypatch.setattr(reports, "_buckets", Buckets(lambda: 0.0))

    def post(body):
        return Client().post("/csp-report", body, content_type="application/csp-report").status_code

    return post


def test_a_report_is_one_line_without_what_it_quotes_and_a_flood_is_quiet(send, caplog):
    assert [send(json.dumps({"csp-report": REPORT})) for _ in range(5)] == [204] * 5
    (line,) = [record.getMessage() for record in caplog.records if "policy" in record.getMessage()]
    assert line.startswith("A browser stopped an address of another host under img-src of")
    for word in ("secret-word", "forged", "evil", "\n"):
        assert word not in line


@pytest.mark.parametrize("body", ["[]", "{}", "\0", '{"csp-report": 1}', '{"csp-report": []}'])
def test_what_is_no_report_is_refused(send, body):
    assert send(body) == 400
    assert send("x" * 9000) == 413
