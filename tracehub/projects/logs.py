"""Log lines without secrets, and not without end.

Keys, cookies and query strings are cut before anything is written; what fails again and again is
told once a minute.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

SELDOM = 60.0  # seconds
ANYBODY = "django.security"  # can cause what this logger tells
ACCESS = "tracehub.access"  # tells who was refused what
_SECRETS = re.compile(
    r"th_(?:ing|api)_[0-9A-Za-z_]{6,}"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9+/=._~%-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:sessionid|csrftoken|tracehub|csrf)=[^;\s]+"
)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_QUERY = re.compile(r"(?<=[\w/])\?[^\s\"']+(?=[\s\"']|$)")


def redact(text: str) -> str:
    """Return the text with keys, credentials and query strings replaced.

    >>> redact("GET /x?q=secret key th_ing_0123456789abc")
    'GET /x?… key [redacted]'
    """
    return _QUERY.sub("?…", _SECRETS.sub("[redacted]", text))


class Redact(logging.Filter):
    """Cuts secrets out of the finished message, whatever library logged it."""

    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        return True


class Seldom(logging.Filter):
    """Lets what repeats pass once a minute: errors of one place, requests that are refused.

    A wrong Host header, forms without their token, or tasks without their database would fill the
    disk otherwise. The next line of the same kind says how many were left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str], tuple[float, int]] = {}  # until when, left out since

    def filter(self, record: logging.LogRecord) -> bool:
        if (kind := _kind(record)) is None:
            return True
        now = time.monotonic()
        with self._lock:
            until, left_out = self._told.get(kind, (0.0, 0))
            if now < until:
                self._told[kind] = (until, left_out + 1)
                return False
            self._told[kind] = (now + SELDOM, 0)
        if record.name.startswith(ANYBODY):
            record.exc_info = None  # where in Django it was refused tells an operator nothing
        if left_out:
            message = f"{record.getMessage()} ({left_out} like it were left out before.)"
            record.msg, record.args = message, None
        return True


def _kind(record: logging.LogRecord) -> tuple[str, str] | None:
    """Return what records that repeat have in common; None for one that is told each time."""
    if record.exc_info and record.exc_info[2] is not None:
        return record.name, _place(record.exc_info[2])
    if record.name.startswith(ANYBODY):
        return record.name, str(record.msg)
    if record.name == ACCESS:
        return record.name, record.getMessage()
    return None


def _place(trace: TracebackType) -> str:
    """Return file and line where an exception was raised."""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"


class PlainFormatter(logging.Formatter):
    """A line of text, whatever characters it quotes; its traceback without secrets."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        line = super().formatMessage(record)
        return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), line)

    def formatException(self, ei: Any) -> str:
        return redact(super().formatException(ei))


class JsonFormatter(PlainFormatter):
    """One JSON object a line: time, level, logger, message, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
