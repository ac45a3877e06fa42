"""The one process behind `tracehub up`: it owns the database, web, worker and beat."""

from __future__ import annotations

import asyncio
import contextlib
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tracehub.cli import config, listening, locks, processes, readiness
from tracehub.cli.bootstrap import ADMIN, TRY_AGAIN
from tracehub.cli.children import Child, Keeper
from tracehub.cli.config import ConfigError
from tracehub.cli.environment import SettingError
from tracehub.cli.output import Output
from tracehub.cli.postgres import Cluster

# A stop takes 10 s at most: requests and tasks may end within APPS, the rest is the database's.
STOP_SECONDS = 9.5
APPS_SECONDS = 6.5
# How long a start waits for a command that has the database running for itself (an export, say).
COMMAND_SECONDS = 60.0
RETRY_SECONDS = 2.0
# When both cores are busy, traces that arrive go before traces that are worked on.
WORKER_NICE = 15


@dataclass(frozen=True)
class Options:
    """What `tracehub up` was asked for. `port` None takes the first free one from 8000 on."""

    folder: Path
    host: str = config.DEFAULT_HOST
    port: int | None = None
    workers: int = 1
    demo: bool = False


@dataclass
class Supervisor:
    """Starts everything in order, keeps it running, stops it in the opposite order."""

    options: Options
    listener: socket.socket
    output: Output = field(default_factory=Output)
    env: dict[str, str] = field(default_factory=dict)
    database: Child | None = None
    apps: list[Child] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.url = listening.base_url(self.listener)
        temporary = self.options.folder / "tmp"
        temporary.mkdir(mode=0o700, exist_ok=True)
        # Of the database web and worker get the application's role alone.
        self.owner = {"DATABASE_OWNER_URL": os.environ.get("DATABASE_OWNER_URL", "")}
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in self.owner},
            "PYTHONUNBUFFERED": "1",
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
            "TRACEHUB_DATA_DIR": str(self.options.folder),
            "TRACEHUB_BASE_URL": os.environ.get("TRACEHUB_BASE_URL") or self.url,
            # Celery warns of root because of pickle, which is refused here.
            "PYTHONWARNINGS": "ignore:You're running the worker with superuser privileges",
            # kombu moves messages through the folder for temporary files: keep them on this disk.
            "TMPDIR": str(temporary),
        }

    async def run(self) -> None:
        """Run until a signal comes. Raises ConfigError when a start is not possible."""
        self.keeper = Keeper(self.output)
        stop = asyncio.Event()
        self._on_signals(stop)
        start = asyncio.create_task(self._start())
        asked = asyncio.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {asked, self.keeper.failed}
        try:
            await asyncio.wait(ends | {start}, return_when=asyncio.FIRST_COMPLETED)
            if start.done():
                start.result()  # raises what it raised
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self.keeper.failed.done():
                self.keeper.failed.result()
        finally:
            for task in (start, asked, self.keeper.failed):
                task.cancel()
            await asyncio.gather(start, asked, return_exceptions=True)
            await self._stop()

    def _on_signals(self, stop: asyncio.Event) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup asks to outlive a terminal
            loop.add_signal_handler(signal.SIGHUP, stop.set)

    async def _start(self) -> None:
        began = time.monotonic()
        if config.is_embedded():
            await self._start_database()
        welcome = await self._bootstrap()
        for child in self._app_children():
            self.apps.append(child)
            self.keeper.keep(child)
        while welcome is None:  # a foreign database that is away: serve, say so, try again
            await asyncio.sleep(RETRY_SECONDS)
            welcome = await self._bootstrap()
        await readiness.until_ready(self.url, self.output.say)
        self.output.say(f"Ready after {time.monotonic() - began:.1f} s.")
        self._greet(welcome)
        if self.options.demo:
            await self._fill_demo()

    async def _start_database(self) -> None:
        cluster = await asyncio.to_thread(Cluster.of, self.options.folder, self.output.say)

        def before() -> None:
            cluster.clear_leftovers()
            cluster.prepare()

        # Not tied to our life: after a kill -9 the next start stops it (see clear_leftovers).
        await asyncio.to_thread(before)
        self.database = child = Child(
            "database",
            cluster.command(),
            cluster.popen_options(dies_too=False),
            before=cluster.clear_leftovers,
        )
        self.keeper.keep(child)
        while not cluster.is_ready():
            if child.deaths > 1:
                raise ConfigError(f"PostgreSQL does not start: {child.last_words}")
            await asyncio.sleep(0.02)
        owner, self.env["DATABASE_URL"] = await asyncio.to_thread(_ensured, cluster)
        self.owner = {"DATABASE_OWNER_URL": owner}

    def _child(self, name: str, *arguments: str, **options: Any) -> Child:
        """Return a Python child that dies with us, whatever ends us."""
        command = [sys.executable, "-P", "-m", *arguments]
        alive = {
            "env": self.env,
            "cwd": self.options.folder,
            "start_new_session": True,
            "preexec_fn": processes.dies_with_parent(signal.SIGKILL),
        }
        return Child(name, command, alive | options)

    async def _bootstrap(self) -> dict[str, Any] | None:
        """Migrate and make the first project; None when the database cannot be reached."""
        result = self.options.folder / "tmp" / "welcome.json"
        child = self._child("setup", "tracehub.cli.bootstrap", str(result))
        child.options["env"] = self.env | self.owner
        code = await self.keeper.run_once(child)
        if code == TRY_AGAIN:
            return None
        if code != 0:
            raise ConfigError(child.last_words or f"The set-up ended with exit code {code}.")
        welcome = config.read_json(result)
        result.unlink()
        return welcome

    def _app_children(self) -> Iterator[Child]:
        descriptor = self.listener.fileno()
        for name in _numbered("web", int(os.environ.get("TRACEHUB_WEB_WORKERS") or 1)):
            serve = ("tracehub.cli.serve", str(descriptor))
            yield self._child(name, *serve, pass_fds=[descriptor])
        if port := int(os.environ.get("TRACEHUB_OTLP_GRPC_PORT") or 0):
            grpc = ("tracehub.cli.main", "otlp-grpc", "--host", self.options.host)
            yield self._child("otlp-grpc", *grpc, "--port", str(port))
        for name in _numbered("worker", self.options.workers):
            # One process each, so that the kernel ends every one of them with us.
            quiet = ("--without-gossip", "--without-mingle", "--without-heartbeat")
            yield self._child(
                name,
                *("celery", "-A", "tracehub.celery", "-q"),
                *("worker", "--pool=solo", f"-n{name}@%h", "-lWARNING", *quiet),
                preexec_fn=processes.dies_with_parent(signal.SIGKILL, nice=WORKER_NICE),
            )
        schedule = str(self.options.folder / "celerybeat-schedule")
        beat = ("celery", "-A", "tracehub.beat", "-q", "beat", "-s", schedule)
        yield self._child("beat", *beat, "--pidfile=", "-lWARNING")

    def _greet(self, welcome: dict[str, Any]) -> None:
        url = self.env["TRACEHUB_BASE_URL"].rstrip("/")
        say = self.output.result
        say("")
        say(f"  TraceHub is ready:     {url}/")
        say(f"  Sign in as {ADMIN}:")
        say(f"                         {url}{welcome['sign_in_path']}")
        say("                         (once, within 10 minutes; a new link at every start)")
        if key := welcome.get("ingest_key"):
            say(f"  Ingest key (default):  {key}")
            say("                         (shown this once; keep it)")
        else:
            say(f"  Ingest key (default):  {welcome['key_prefix']}")
            say(
                "                         (another: tracehub createkey --project default "
                "--scope ingest)"
            )
        say("  Stop with Ctrl-C.")
        say("")

    async def _fill_demo(self) -> None:
        done = self.options.folder / "demo_done"
        if done.exists():
            return
        child = self._child("demo", "tracehub.cli.main", "demo")
        code = await self.keeper.run_once(child, own_stderr=self.output.logs.isatty())
        if code == 0:
            done.touch()
        else:
            self.output.say("The demo data is not complete. Run `tracehub demo` to try again.")

    async def _stop(self) -> None:
        deadline = time.monotonic() + STOP_SECONDS
        self.output.say("Stopping.")
        self.listener.close()
        await self.keeper.stop(self.apps, signal.SIGTERM, APPS_SECONDS)
        if self.database is not None:
            # After SIGQUIT the next start replays the log: nothing acknowledged is lost.
            left = deadline - time.monotonic()
            await self.keeper.stop([self.database], signal.SIGINT, left)
        self.output.say("Stopped.")


def _numbered(name: str, count: int) -> list[str]:
    return [name if n == 1 else f"{name}-{n}" for n in range(1, count + 1)]


def _ensured(cluster: Cluster) -> tuple[str, str]:
    """Return the URLs of the owner and of the application."""
    from tracehub.cli import pgroles

    pgroles.ensure_database(cluster)
    pgroles.check_durable(cluster.url())
    return cluster.url(), cluster.app_url()


def run(options: Options) -> None:
    """Run TraceHub on one data folder until it is told to stop.

    Raises ConfigError when a setting is wrong, another supervisor lives on the folder, the port is
    taken, or a part does not start; each with the mend.
    """
    folder = config.make_data_dir(options.folder)
    _check_settings()
    state = folder / "up.json"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.held(folder / "up.lock"))
        except locks.Busy:
            running = config.read_json(state)
            raise ConfigError(
                f"TraceHub already runs on {folder}: process {running.get('pid', 'unknown')}, "
                f"{running.get('url', 'still starting')}. Stop it first, or choose another "
                "folder with --data."
            ) from None
        listener = listening.listen(options.host, options.port)
        supervisor = Supervisor(options, listener)
        stack.callback(state.unlink, missing_ok=True)
        about = {"pid": os.getpid(), "url": supervisor.env["TRACEHUB_BASE_URL"]}
        config.write_private(state, config.to_json(about | {"local_url": supervisor.url}))
        stack.enter_context(_database_owned(folder, supervisor.output))
        asyncio.run(supervisor.run())


def _check_settings() -> None:
    """Read all settings, so that a wrong one stops a start before there is anything to stop."""
    try:
        runpy.run_module("tracehub.settings")
    except SettingError as error:
        raise ConfigError(str(error)) from error


@contextlib.contextmanager
def _database_owned(folder: Path, output: Output) -> Iterator[None]:
    """Hold the embedded database; a command that has it started for itself is waited for."""
    if not config.is_embedded():
        yield
        return
    lock = folder / "database.lock"
    try:
        with locks.held(lock):
            yield
            return
    except locks.Busy as busy:
        output.say(f"Waiting for a command that uses the database (process {busy}).")
    try:
        with locks.held(lock, wait_seconds=COMMAND_SECONDS):
            yield
    except locks.Busy as busy:
        raise ConfigError(
            f"Process {busy} still uses the database in {folder}. Let it end, or stop it."
        ) from None
