"""Starting `tracehub up` as a process, as a person would."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import psutil
import pytest

from tests import seed

MODULE = (sys.executable, "-m", "tracehub.cli.main")
URL = re.compile(r"TraceHub is ready: +(http://\S+)/")
START_SECONDS = 90.0
# Nothing of pytest's own installation may reach the one under test.
CLEAN = {k: v for k, v in os.environ.items() if not k.startswith(("TRACEHUB_", "DATABASE_"))}


def own_port() -> int:
    """A free port that nothing else takes while it is free for a moment.

    Below the ports that the kernel hands out, and not among those that `up` tries by itself.
    """
    while True:
        port = random.randrange(12_000, 30_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


class Up:
    """A running `tracehub up`, its log in a file."""

    def __init__(self, folder: Path, *arguments: str, user: str | None = None, **env: str) -> None:
        self.folder = folder
        self.log_file = Path(tempfile.mkstemp(prefix="tracehub-up-", suffix=".log")[1])
        command = [*MODULE, "up", "--data", str(folder), *arguments]
        switch = {}
        if user:
            switch = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        with self.log_file.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=CLEAN | env,
                start_new_session=True,
                **switch,
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def url(self) -> str:
        found = URL.search(self.log)
        return found[1] if found else ""

    def children(self) -> list[psutil.Process]:
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def child(self, word: str) -> psutil.Process | None:
        """The live child whose command line has `word` in it."""
        for child in self.children():
            with contextlib.suppress(psutil.Error):
                if any(word in part for part in child.cmdline()):
                    return child
        return None

    def get(self, path: str) -> int:
        """The status of a GET; 0 without an answer."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=5) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(15)


@pytest.fixture(autouse=True)
def environment() -> Iterator[None]:
    """Commands set variables of their process, which is the tests' own when they run inside it."""
    with mock.patch.dict(os.environ):
        yield


@contextlib.contextmanager
def open_folder() -> Iterator[Path]:
    """A place for data folders that every account can pass (pytest's own is 0700)."""
    path = Path(tempfile.mkdtemp(prefix="tracehub-cli-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """The data folder of a file's tests, in any order: each leaves it stopped.

    Its tables are there: a first start takes twice the time of any other.
    """
    with open_folder() as path:
        seed.copy_to(path / "data")
        yield path / "data"


@pytest.fixture
def start_up(wait_for) -> Iterator[Callable[..., Up]]:
    """Start `tracehub up` and, unless `ready=False`, wait until it says that it is ready."""
    started: list[Up] = []

    def start(folder: Path, *arguments: str, ready: bool = True, **options: str) -> Up:
        up = Up(folder, *arguments, **options)
        started.append(up)
        if ready:
            try:
                wait_for(lambda: up.url or up.process.poll() is not None, seconds=START_SECONDS)
            finally:
                assert up.url, f"tracehub up did not get ready:\n{up.log}"
        return up

    yield start
    for up in started:
        if up.process.poll() is None:
            orphans = up.children()
            up.process.send_signal(signal.SIGTERM)
            try:
                up.process.wait(15)
            except subprocess.TimeoutExpired:
                up.process.kill()
            for orphan in orphans:
                if orphan.is_running():
                    orphan.kill()
        up.log_file.unlink()


@pytest.fixture
def run_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a `tracehub` command to its end."""

    def run(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*MODULE, *arguments],
            check=False,
            capture_output=True,
            text=True,
            timeout=90,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=CLEAN | env,
        )

    return run
