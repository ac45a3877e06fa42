"""The web process is ready for its first page before it takes a connection."""

from __future__ import annotations

import asyncio

from django.urls import clear_url_caches, get_resolver

from tracehub import asgi


def test_routes_are_loaded_when_it_starts(monkeypatch):
    said = []
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive():
        return next(messages)

    async def send(message):
        said.append(("url_patterns" in vars(get_resolver()), message["type"]))

    async def nothing(_self):
        return None

    monkeypatch.setattr(asgi.Ingest, "start", nothing)
    monkeypatch.setattr(asgi.Ingest, "stop", nothing)
    monkeypatch.setattr(asgi.telemetry, "start", lambda *_: None)
    clear_url_caches()
    asyncio.run(asgi.application({"type": "lifespan"}, receive, send))
    assert said == [(True, "lifespan.startup.complete"), (True, "lifespan.shutdown.complete")]
