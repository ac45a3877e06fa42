"""One web process: `python -m tracehub.cli.serve FD`, with the listening socket inherited as FD.

In a container, where no supervisor holds the socket: `python -m tracehub.cli.serve HOST:PORT`.
"""

from __future__ import annotations

import socket
import sys

from tracehub.cli import listening

# In seconds. Idle connections are closed after IDLE; a stop lets running requests end in DRAIN.
IDLE = 60
DRAIN = 6


def main() -> None:
    import uvicorn

    from tracehub.ingest.protocol import IngestProtocol

    config = uvicorn.Config(
        "tracehub.asgi:application",
        http=IngestProtocol,
        loop="auto",
        lifespan="on",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=IDLE,
        timeout_graceful_shutdown=DRAIN,
        backlog=2048,
    )
    uvicorn.Server(config).run(sockets=[_listener(sys.argv[1])])


def _listener(where: str) -> socket.socket:
    if where.isdigit():
        return socket.socket(fileno=int(where))
    host, _, port = where.rpartition(":")
    return listening.listen(host, int(port))


if __name__ == "__main__":
    main()
