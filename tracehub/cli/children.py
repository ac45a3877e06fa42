"""Child processes that are started again when they die, until they are told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

from tracehub.cli.output import Output

# A child that dies for the third time within WINDOW seconds is given a pause, then a longer one.
WINDOW = 10.0
LONGEST_PAUSE = 30.0
_LONGEST_LINE = 8192


@dataclass
class Pace:
    """How long to wait before the next start of a child that died.

    >>> pace = Pace()
    >>> [pace.pause(lived=1.0, now=float(t)) for t in (0, 1, 2, 4, 8)]
    [0.0, 0.0, 1.0, 2.0, 4.0]
    >>> pace.pause(lived=60.0, now=100.0)
    0.0
    """

    deaths: deque[float] = field(default_factory=deque)
    level: int = 0

    def pause(self, *, lived: float, now: float) -> float:
        """Return the seconds to wait, given that the child `lived` that many and died `now`."""
        self.deaths.append(now)
        while now - self.deaths[0] > WINDOW:
            self.deaths.popleft()
        if lived > WINDOW:
            self.level = 0
        if len(self.deaths) < 3 and self.level == 0:
            return 0.0
        self.level += 1
        return min(LONGEST_PAUSE, 2.0 ** (self.level - 1))


@dataclass
class Child:
    """A program to keep running. `before` is called (in a thread) ahead of every start."""

    name: str
    command: Sequence[str]
    options: dict[str, Any]
    before: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = None
    deaths: int = 0
    last_words: str = ""

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def signal(self, number: signal.Signals, *, with_group: bool = False) -> None:
        """Send a signal to the child, `with_group` to what it started as well."""
        if self.process is None or not self.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            if with_group:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)


class Keeper:
    """Runs children and their log lines in one event loop, whose thread must be the main one.

    (The kernel ties a child's life to the thread that started it, see `dies_with_parent`.)
    """

    def __init__(self, output: Output) -> None:
        self.output = output
        self.stopping = asyncio.Event()
        self.failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def keep(self, child: Child) -> None:
        """Start a child and start it again whenever it dies."""
        task = self._tasks[child.name] = asyncio.create_task(self._keep(child), name=child.name)
        task.add_done_callback(self._note_failure)

    def _note_failure(self, task: asyncio.Task[None]) -> None:
        """Pass an error of ours on to who waits for `failed`; it must not pass in silence."""
        if not task.cancelled() and (error := task.exception()) and not self.failed.done():
            self.failed.set_exception(error)

    async def run_once(self, child: Child, *, own_stderr: bool = False) -> int:
        """Run a child to its end and return its exit code.

        Its lines are passed on as log lines; with `own_stderr` only those of standard output, and
        its standard error is ours (a progress bar on a terminal).
        """
        stderr = None if own_stderr else subprocess.STDOUT
        return await self._run(child, stdout=subprocess.PIPE, stderr=stderr)

    async def stop(self, children: Sequence[Child], first: signal.Signals, grace: float) -> None:
        """Ask children to end with the signal `first`; kill those that take longer than `grace`."""
        self.stopping.set()
        for child in children:
            child.signal(first)
        tasks = [self._tasks[c.name] for c in children if c.name in self._tasks]
        waiting = [self._tasks[c.name] for c in children if c.alive]
        if waiting:
            await asyncio.wait(waiting, timeout=max(grace, 0.0))
        for child in children:
            if child.alive:
                self.output.say(f"{child.name} did not end in time and is killed.")
                child.signal(signal.SIGKILL, with_group=True)
        if waiting:
            await asyncio.wait(waiting, timeout=2.0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, child: Child) -> None:
        pace = Pace()
        while not self.stopping.is_set():
            started = time.monotonic()
            code = await self._run(child, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            if self.stopping.is_set():
                return
            child.deaths += 1
            now = time.monotonic()
            pause = pace.pause(lived=now - started, now=now)
            again = f"starting it again in {pause:.0f} s" if pause else "starting it again"
            self.output.say(f"{child.name} ended ({ended_by(code)}), {again}.")
            await asyncio.sleep(pause)

    async def _run(self, child: Child, *, stdout: int, stderr: int | None) -> int:
        if child.before is not None:
            await asyncio.to_thread(child.before)
        if self.stopping.is_set():
            return 0
        pipes = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": stderr}
        try:
            process = child.process = subprocess.Popen(child.command, **(child.options | pipes))
        except OSError as error:  # no process or memory left: perhaps at the next try
            child.last_words = f"cannot be started: {error.strerror}"
            self.output.line(child.name, child.last_words)
            return 127
        log = asyncio.create_task(self._log(child, await _reader(process.stdout)))
        try:
            code = await _ended(process)
        except asyncio.CancelledError:
            child.signal(signal.SIGKILL, with_group=True)
            raise
        # What the child started may keep the pipe open for as long as it likes.
        await asyncio.wait({log}, timeout=0.5)
        log.cancel()
        return code

    async def _log(self, child: Child, stream: asyncio.StreamReader) -> None:
        """Pass lines on until the stream ends; a line that never ends is cut into pieces."""
        rest = b""
        while data := await stream.read(65536):
            *lines, rest = (rest + data).split(b"\n")
            if len(rest) > _LONGEST_LINE:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._pass_on(child, line)
        if rest:
            self._pass_on(child, rest)

    def _pass_on(self, child: Child, line: bytes) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        if text.strip():
            child.last_words = text.strip()
            self.output.line(child.name, text)


def ended_by(code: int) -> str:
    """Say how a process ended.

    >>> ended_by(-9), ended_by(3)
    ('killed by SIGKILL', 'exit code 3')
    """
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"


async def _reader(pipe: IO[bytes] | None) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    return reader


async def _ended(process: subprocess.Popen[bytes]) -> int:
    """Wait for the end of the process itself, whoever else holds its pipes.

    A thread of its own waits: asyncio's `wait` hangs on open pipes in some versions of Python.
    """
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def tell(code: int) -> None:
        if not ended.done():
            ended.set_result(code)

    def watch() -> None:
        code = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody asks any more
            loop.call_soon_threadsafe(tell, code)

    threading.Thread(target=watch, daemon=True, name=f"wait-{process.pid}").start()
    return await ended
