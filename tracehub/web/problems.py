"""The answer to a request that failed for a reason nobody foresaw, or for want of the database."""

from __future__ import annotations

import sys

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from tracehub.projects.store import away

RETRY_SECONDS = "2"


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 when the database is away, takes no writes or has no connection left, else 500.

    Wherever it was missed, in a page, in the session or in a template, Django calls this.
    """
    if away(sys.exc_info()[1]):
        answer = render(None, "503.html", status=503)
        answer["Retry-After"] = RETRY_SECONDS
        return answer
    return render(None, "500.html", status=500)
