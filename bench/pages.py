"""Whole answers of a real web process, timed where they are asked for.

Not through Django's test client: its calls lie deeper in the interpreter's stack, which made the
templates of a page take twice the time.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import requests
from stand import process, wait_for_port

Get = Callable[..., float]  # path, query, headers -> ms


@contextmanager
def served() -> Iterator[str]:
    """Give the base URL of a web process, with the static files that `stand.prepared` collected."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        listener.set_inheritable(True)
        fd, port = listener.fileno(), listener.getsockname()[1]
        command = [sys.executable, "-m", "tracehub.cli.serve", str(fd)]
        with process(command, dict(os.environ), pass_fds=[fd]):
            wait_for_port(port)
            yield f"http://127.0.0.1:{port}"


@contextmanager
def signed_in(user: Any) -> Iterator[Get]:
    """Give what asks for a page as a person and returns its milliseconds. Needs `django.setup`."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    with served() as base, requests.Session() as session:
        for name, cookie in client.cookies.items():
            session.cookies.set(name, cookie.value)

        def get(path: str, query: dict[str, str], headers: dict[str, str] | None = None) -> float:
            began = time.perf_counter()
            with session.get(
                base + path, params=query, headers=headers, stream=True, allow_redirects=False
            ) as answer:
                answer.raw.read()  # as it came, compressed
            took = (time.perf_counter() - began) * 1000
            assert answer.status_code == 200, (path, query, answer.status_code)
            return took

        yield get
