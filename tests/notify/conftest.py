"""A receiver on this machine, which webhooks may reach as an opened network."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone

from tests.web import stories
from tracehub.notify import sending


class Receiver:
    """What came, and how the next requests are answered (status, headers)."""

    def __init__(self) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                named = {name.lower(): value for name, value in self.headers.items()}
                outer.got.append((self.path, named, body))
                code, headers = outer.answers.pop(0) if outer.answers else (204, {})
                self.send_response(code)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_args) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def stop(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def receiver(settings):
    settings.OUTBOUND_INSIDE = ["127.0.0.0/8"]
    made = Receiver()
    yield made
    made.stop()


@pytest.fixture
def project(db):
    return stories.project()


@pytest.fixture
def admin(project):
    return stories.member(project, "admin")


@pytest.fixture
def carry():
    """Do what the worker does, `later` from now; return how many tries were made."""

    def run(later: timedelta = timedelta(0)) -> int:
        now = timezone.now() + later
        sending.distribute(now)
        return sending.deliver_due(until=time.monotonic() + 20, clock=lambda: now)

    return run
