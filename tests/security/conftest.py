"""A web process of its own, whose memory and life can be watched."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests

from tests.ingest.conftest import key, project, url

__all__ = ["key", "project", "url"]


@dataclass
class Web:
    """A running web process."""

    url: str
    process: psutil.Process

    @property
    def rss_mb(self) -> float:
        return self.process.memory_info().rss / 1e6

    @property
    def address(self) -> tuple[str, int]:
        host, _, port = self.url.removeprefix("http://").partition(":")
        return host, int(port)


@pytest.fixture
def start_web(committed_db: str, tmp_path: Path, wait_for) -> Iterator[Callable[..., Web]]:
    """`start_web()` starts a web process on the test's database; call it twice for two.

    Settings go by name: `start_web(TRACEHUB_WEB_WORKERS="2")`.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=600)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    children: list[subprocess.Popen[bytes]] = []
    env = {
        **os.environ,
        "DATABASE_URL": committed_db,
        "TRACEHUB_DATA_DIR": str(tmp_path),
        "TRACEHUB_SECRET_KEY": "a key for tests only, which guards nothing at all",
    }

    def start(**more: str) -> Web:
        fd = listener.fileno()
        command = [sys.executable, "-m", "tracehub.cli.serve", str(fd)]
        children.append(subprocess.Popen(command, env=env | more, pass_fds=[fd]))
        wait_for(lambda: is_up(url), seconds=40, why="the web process")
        return Web(url, psutil.Process(children[-1].pid))

    yield start
    for child in children:
        child.terminate()
    for child in children:
        child.wait(20)
    listener.close()


@pytest.fixture
def web(start_web) -> Web:
    return start_web()


def is_up(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthz", timeout=5).ok
    except requests.RequestException:
        return False
