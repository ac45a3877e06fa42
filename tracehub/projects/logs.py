"""Log lines without secrets: keys, cookies and query strings are cut before anything is written."""

from __future__ import annotations

import json
import logging
import re
from datetime import UTC, datetime

_SECRETS = re.compile(
    r"th_(?:ing|api)_[0-9A-Za-z_]{6,}"
    r"|(?i:bearer|basic)\s+[A-Za-z0-9+/=._~%-]{8,}"
    r"|(?<=://)[^/\s:@]+:[^/\s@]+(?=@)"
    r"|(?i:sessionid|csrftoken|tracehub|csrf)=[^;\s]+"
)
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


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and the traceback when there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False)
