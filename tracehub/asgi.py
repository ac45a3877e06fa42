"""The ASGI application: ingestion ahead of Django, whose bodies are bounded here."""

from __future__ import annotations

import gc
import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tracehub.settings")
django = get_asgi_application()

from importlib.metadata import version  # noqa: E402

from django.conf import settings  # noqa: E402
from django.template.loader import get_template  # noqa: E402
from django.urls import get_resolver  # noqa: E402

import tracehub.celery  # noqa: E402, F401  (what wakes the worker is sent by this application)
from tracehub.ingest import app as ingestion  # noqa: E402  (needs the settings above)
from tracehub.ingest.bounded import bounded  # noqa: E402
from tracehub.ingest.http import Message, Receive, Send  # noqa: E402
from tracehub.ingest.runtime import Ingest  # noqa: E402
from tracehub.projects import telemetry  # noqa: E402

_ingest = Ingest()


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Route a request to ingestion or to Django; start and stop ingestion with the server."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif ingestion.handles(scope):
        await ingestion.serve(_ingest, scope, receive, send)
    elif scope["type"] == "http":
        if settings.SECURE:  # people come by https, which a proxy in front ends
            scope["scheme"] = "https"
        await bounded(django, scope, receive, send)
    else:
        await django(scope, receive, send)


def warm() -> None:
    """Load what the first request would wait for: all routes, template tags, the frame of pages.

    The collector never looks at it again: to walk all of it took 80 ms out of some request.
    """
    get_resolver().url_patterns  # noqa: B018 a cached property
    get_template("base.html")
    gc.collect()
    gc.freeze()


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            telemetry.start("web", version("tracehub"))
            warm()
            await _ingest.start()
            await send({"type": "lifespan.startup.complete"})
        else:
            await _ingest.stop()
            await send({"type": "lifespan.shutdown.complete"})
            return
