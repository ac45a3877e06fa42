"""The real ASGI application in a thread of the test, on a port of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from tracehub.ingest.protocol import IngestProtocol


@contextlib.contextmanager
def running() -> Iterator[str]:
    """Serve `tracehub.asgi` until the block ends; gives its base URL.

    Django must point to a database whose commits are real (`committed_db`).
    """
    from tracehub import asgi
    from tracehub.ingest.runtime import Ingest

    asgi._ingest = Ingest()
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        asgi.application,
        http=IngestProtocol,
        loop="uvloop",
        lifespan="on",
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server = uvicorn.Server(config)
    started = threading.Event()
    real_startup = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        await real_startup(sockets)
        started.set()

    server.startup = startup
    server.install_signal_handlers = lambda: None
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    assert started.wait(20), "the server did not start"
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
        listener.close()
