"""Every route of TraceHub that Django serves. Ingestion is mounted ahead of it in `asgi`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
