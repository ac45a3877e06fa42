"""Every route of TraceHub that Django serves. Ingestion is mounted ahead of it in `asgi`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from tracehub.web import metrics, shell, traces

urlpatterns: list[URLPattern | URLResolver] = [
    path("", shell.home, name="home"),
    path("accounts/theme", shell.set_theme, name="set_theme"),
    path("accounts/", include("allauth.account.urls")),
    path("<slug:slug>/traces", traces.trace_list, name="traces"),
    path("<slug:slug>/metrics", metrics.page, name="metrics"),
]
