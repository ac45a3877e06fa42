"""Routes below `/api/v1/`."""

from __future__ import annotations

from django.urls import URLPattern, path, re_path

from tracehub.api import pages
from tracehub.api.calls import CALLS
from tracehub.api.router import not_found, url_patterns

urlpatterns: list[URLPattern] = [
    path("openapi.json", pages.document, name="api_document"),
    path("docs", pages.page, name="api_docs"),
    *url_patterns(CALLS),
    re_path(r"^(?P<rest>.*)$", not_found),
]
