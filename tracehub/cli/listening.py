"""The listening socket: bound once by the supervisor, inherited by every web process.

A web process that dies takes no connection with it that was not accepted yet: they wait in the
socket's queue for the next one.
"""

from __future__ import annotations

import errno
import socket

from tracehub.cli.config import DEFAULT_HOST, DEFAULT_PORT, ConfigError

BACKLOG = 2048
_TRIES = 100


def listen(host: str = DEFAULT_HOST, port: int | None = None) -> socket.socket:
    """Return a listening socket on `port`, or without one on the first free from 8000 on.

    Raises ConfigError with the reason and the mend.
    """
    family, address = _resolve(host)
    if port is not None:
        return _bound(family, address, port)
    for candidate in range(DEFAULT_PORT, DEFAULT_PORT + _TRIES):
        try:
            return _bound(family, address, candidate)
        except ConfigError as error:
            if not _is_taken(error):
                raise
    raise ConfigError(
        f"No free port from {DEFAULT_PORT} to {DEFAULT_PORT + _TRIES - 1} on {host}. "
        "Name one with --port."
    )


def base_url(listener: socket.socket) -> str:
    """Return the address under which this machine reaches the socket."""
    host, port = listener.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  compared with, not bound to
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise ConfigError(f"--host must be an address of this machine. Got {host!r}.") from error
    # IPv4 first: it is what 127.0.0.1 in every snippet of the documentation means.
    family, _kind, _proto, _name, address = min(found, key=lambda item: item[0] != socket.AF_INET)
    return family, str(address[0])


def _bound(family: socket.AddressFamily, address: str, port: int) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigError(_reason(error, address, port)) from error
    return listener


def _is_taken(error: ConfigError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno == errno.EADDRINUSE


def _reason(error: OSError, address: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"Port {port} on {address} is taken by another program. Choose another with --port, "
            "or leave --port out to take the next free one."
        )
    return (
        f"Cannot listen on port {port} of {address}: {error.strerror}. Choose with --host, --port."
    )
