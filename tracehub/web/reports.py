"""Where browsers tell of what the content security policy stopped.

Anybody can send here, so it is bounded in size and rate, and of a report only the directive and the
kind of what was stopped are logged: addresses and samples may hold what a trace says.
"""

from __future__ import annotations

import json
import logging
import re
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from tracehub.core.bucket import Buckets
from tracehub.core.whole import whole_number

logger = logging.getLogger(__name__)
MOST_BYTES = 8192
A_SECOND = 1.0  # of all browsers together; the others are not logged
_DIRECTIVE = re.compile(r"[a-z-]{1,40}")
_KINDS = frozenset({"inline", "eval", "self", "data", "blob", "wasm-eval"})
_buckets = Buckets()


@csrf_exempt  # browsers send reports by themselves, without a token
@require_POST
def csp(request: HttpRequest) -> HttpResponse:
    """Note one violation. The answer says nothing, whatever came."""
    length = whole_number(request.headers.get("content-length"))
    if length is None or length > MOST_BYTES:
        return HttpResponse(status=413 if length else 400)
    if _buckets.take(0, A_SECOND):
        return HttpResponse(status=204)
    try:
        sent = json.loads(request.body)
        report = sent["csp-report"]
        directive = str(report.get("effective-directive") or report["violated-directive"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return HttpResponse(status=400)
    known = _DIRECTIVE.match(directive)
    logger.warning(
        "A browser stopped %s under %s of the content security policy.",
        _kind(report.get("blocked-uri")),
        known[0] if known else "an unknown directive",
    )
    return HttpResponse(status=204)


def _kind(blocked: Any) -> str:
    """Say what was stopped, without its address.

    >>> _kind("https://evil.example/?q=secret"), _kind("inline"), _kind(None)
    ('an address of another host', 'inline', 'something')
    """
    text = str(blocked or "")
    if text in _KINDS:
        return text
    return "an address of another host" if urlsplit(text[:200]).scheme else "something"
