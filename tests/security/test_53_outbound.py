"""53: addresses that people set reach nothing inside, however they are written and answered."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import click
import pytest
import requests

from tracehub.cli import judge
from tracehub.cli.targets import Endpoint
from tracehub.core.assess.checks import CannotCheck
from tracehub.projects import outbound


class Inside(BaseHTTPRequestHandler):
    """A server inside that notes who came, and sends every caller on to `/secret`."""

    seen: list[str]

    def do_GET(self):
        self.seen.append(f"{self.path} {self.headers.get('Authorization', '')}")
        self.send_response(302)
        self.send_header("Location", "/secret")
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET

    def log_message(self, *_):
        pass


@pytest.fixture
def inside():
    server = HTTPServer(("127.0.0.1", 0), Inside)
    Inside.seen = []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


HOSTS = ("127.0.0.1", "localhost", "[::1]", "0x7f.1", "2130706433", "0177.0.0.1", "127.1",
         "0.0.0.0", "[::ffff:127.0.0.1]")  # fmt: skip


@pytest.mark.parametrize("host", HOSTS)
def test_53_loopback_is_refused_in_every_writing(inside, host):
    with pytest.raises((requests.ConnectionError, requests.exceptions.InvalidURL)):
        outbound.session().get(f"http://{host}:{inside}/")
    assert Inside.seen == []


@pytest.mark.parametrize(
    "address",
    ["169.254.169.254", "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "fd00::1", "fe80::1",
     "224.0.0.1", "::", "2002:7f00:1::", "64:ff9b::a9fe:a9fe"],
)  # fmt: skip
def test_53_addresses_inside_are_known(address):
    assert not outbound.is_outside(address)
    assert outbound.is_outside("93.184.216.34")


def test_53_a_name_is_looked_up_once_and_each_answer_checked(inside, monkeypatch):
    """A rebinding name answers with an outside address first and an inside one later."""
    answers = iter([["93.184.216.34", "127.0.0.1"], ["127.0.0.1"]])
    asked = []

    def look_up(host, port, *_, **__):
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in next(answers)]

    monkeypatch.setattr(outbound.socket, "getaddrinfo", look_up)
    with pytest.raises(requests.ConnectionError, match="lies inside"):
        outbound.session().get(f"http://rebind.example:{inside}/")
    assert asked == ["rebind.example"]
    assert Inside.seen == []


def test_53_a_redirect_is_checked_as_the_first_address_was(inside, settings, monkeypatch):
    settings.OUTBOUND_INSIDE = ["127.0.0.1/32"]
    real = socket.getaddrinfo
    names = {"first.example": "127.0.0.1", "127.0.0.2": "127.0.0.2"}
    monkeypatch.setattr(
        outbound.socket, "getaddrinfo", lambda host, *a, **k: real(names.get(host, host), *a, **k)
    )
    monkeypatch.setattr(
        Inside, "send_header",
        lambda self, name, value: BaseHTTPRequestHandler.send_header(
            self, name, f"http://127.0.0.2:{inside}/" if name == "Location" else value
        ),
    )  # fmt: skip
    with pytest.raises(requests.ConnectionError, match="lies inside"):
        outbound.session().get(f"http://first.example:{inside}/begin")
    assert [line.split()[0] for line in Inside.seen] == ["/begin"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://x/", "gopher://x/", "data:text/a,b"])
def test_53_other_schemes_have_no_way_out(url, monkeypatch):
    with pytest.raises(requests.exceptions.InvalidSchema):
        outbound.session().get(url)
    with pytest.raises(click.BadParameter):
        Endpoint(url, 5)
    monkeypatch.setenv("TRACEHUB_JUDGE_URL", url)
    monkeypatch.setenv("TRACEHUB_JUDGE_MODEL", "m")
    with pytest.raises(click.UsageError):
        judge.configured()


def test_53_the_judges_key_goes_nowhere_else_and_its_answer_is_not_repeated(inside, monkeypatch):
    monkeypatch.setenv("TRACEHUB_JUDGE_URL", f"http://127.0.0.1:{inside}")
    monkeypatch.setenv("TRACEHUB_JUDGE_KEY", "sk-judge")
    monkeypatch.setenv("TRACEHUB_JUDGE_MODEL", "m")
    with pytest.raises(CannotCheck):
        judge.configured()("rubric", None, "output")
    assert Inside.seen == ["/chat/completions Bearer sk-judge"]
