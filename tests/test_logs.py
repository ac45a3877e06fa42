"""What is written to the log: once a minute what repeats, and no secret in a traceback."""

from __future__ import annotations

import json
import logging
import sys

import pytest

from tracehub.projects import logs

KEY = "th_ing_0123456789abcdef"


def record(message: str = "A task failed.") -> logging.LogRecord:
    try:
        raise ValueError(f"not with {KEY}")
    except ValueError:
        return logging.LogRecord("celery", logging.ERROR, "", 0, message, (), sys.exc_info())


def test_an_error_is_told_once_a_minute_and_then_how_often_it_came(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(logs.time, "monotonic", lambda: now[0])
    seldom = logs.Seldom()
    assert [seldom.filter(record()) for _ in range(1000)] == [True] + [False] * 999
    now[0] += logs.SELDOM
    again = record()
    assert seldom.filter(again)
    assert again.getMessage() == "A task failed. (999 like it were left out before.)"
    assert not seldom.filter(record())


def test_what_fails_elsewhere_or_without_a_traceback_is_told():
    seldom = logs.Seldom()
    assert seldom.filter(record())
    plain = logging.LogRecord("celery", logging.WARNING, "", 0, "The broker is away.", (), None)
    assert seldom.filter(plain)
    assert seldom.filter(plain)
    try:
        raise KeyError("another")
    except KeyError:
        other = logging.LogRecord("celery", logging.ERROR, "", 0, "x", (), sys.exc_info())
    assert seldom.filter(other)


def test_forms_without_their_token_are_told_once_a_minute_however_many_come():
    """Who is not signed in can send them for ever; each line has another path."""
    seldom, text = logs.Seldom(), "Forbidden (%s): %s"
    told = [
        seldom.filter(
            logging.LogRecord(
                "django.security.csrf", logging.WARNING, "", 0, text, ("no cookie", f"/{n}"), None
            )
        )
        for n in range(1000)
    ]
    assert told == [True] + [False] * 999


def test_a_refused_host_costs_a_line_without_where_it_was_refused():
    refused = record("Invalid HTTP_HOST header: 'evil.example'.")
    refused.name = "django.security.DisallowedHost"
    assert logs.Seldom().filter(refused)
    assert refused.exc_info is None


def test_who_is_refused_what_is_told_once_a_minute_each():
    seldom, text = logs.Seldom(), "Refused: person %s, for %s."
    told = [
        seldom.filter(
            logging.LogRecord(logs.ACCESS, logging.WARNING, "", 0, text, (who, "settings"), None)
        )
        for who in (1, 1, 2, 1)
    ]
    assert told == [True, False, True, False]


def test_what_a_line_quotes_makes_no_second_line_and_turns_no_colour():
    record = logging.LogRecord("x", logging.ERROR, "", 0, "Got %s", ("a\nINFO: b\x1b[31m\r",), None)
    said = logs.PlainFormatter("%(levelname)s: %(message)s").format(record)
    assert said == r"ERROR: Got a\nINFO: b\x1b[31m\r"
    assert len(logs.JsonFormatter().format(record).splitlines()) == 1


@pytest.mark.parametrize("formatter", [logs.PlainFormatter("%(message)s"), logs.JsonFormatter()])
def test_a_traceback_holds_no_secret(formatter):
    text = formatter.format(record())
    assert "ValueError" in text
    assert KEY not in text
    if isinstance(formatter, logs.JsonFormatter):
        assert json.loads(text)["level"] == "error"
