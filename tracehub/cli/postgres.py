"""The embedded PostgreSQL: made once, started as a direct child, cleaned up after any death.

Layout of its home (`postgres/` in the data folder, or a folder under /var/lib/tracehub when root's
data folder is closed to the system account): `data/` the cluster, `run/` the socket.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import psutil

from tracehub.cli import config, pgbinaries, pgconfig
from tracehub.cli.config import ConfigError
from tracehub.cli.processes import SystemUser, as_user, dies_with_parent

SUPERUSER = "tracehub_super"
PASSWORDS = ("superuser_password", "owner_password", "app_password", "read_password")
START_SECONDS = 60.0
STOP_SECONDS = 20.0
_SOCKET_NAME = ".s.PGSQL.5432"
_LONGEST_SOCKET_PATH = 107  # sun_path holds 108 bytes with its NUL


@dataclass
class Cluster:
    """One embedded server on disk, running or not. Make it with `Cluster.of(data_folder)`."""

    folder: Path
    home: Path
    user: SystemUser | None
    say: Callable[[str], None]

    @classmethod
    def of(cls, folder: Path, say: Callable[[str], None] = lambda _line: None) -> Cluster:
        """Return the cluster of a data folder; `say` gets lines that the operator should read.

        Raises ConfigError when this machine has no account or no place for it.
        """
        known = config.read_json(folder / "postgres.json")
        usual = folder / "postgres"
        home = Path(known["home"]) if known.get("home") else usual
        user = pgbinaries.system_user(home / "data")
        if user is not None and home == usual and not home.exists():
            home = _open_to(user, folder, say)
        return cls(folder, home, user, say)

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def state(self) -> dict[str, Any]:
        """What is kept in `postgres.json` (0600): passwords, socket folder, home if elsewhere."""
        return config.read_json(self.folder / "postgres.json")

    @cached_property
    def binaries(self) -> pgbinaries.Binaries:
        return pgbinaries.locate(self.user)

    def url(self, database: str = config.DATABASE_NAME) -> str:
        """Return the URL of the owner of the database, who makes its tables."""
        return self._url(config.OWNER_ROLE, "owner_password", database)

    def app_url(self, database: str = config.DATABASE_NAME) -> str:
        """Return the URL with which web and worker connect: they read and write rows alone."""
        return self._url(config.APP_ROLE, "app_password", database)

    def superuser_url(self, database: str = "postgres") -> str:
        """Return the URL for maintenance; the application never gets it."""
        return self._url(SUPERUSER, "superuser_password", database)

    def _url(self, role: str, password: str, database: str) -> str:
        state = self.state
        if password not in state:
            raise ConfigError(
                f"{self.folder / 'postgres.json'} has no {password}: an older TraceHub made it. "
                "Stop what runs on this folder and run `tracehub up` of this version once."
            )
        return config.socket_url(Path(state["socket_dir"]), role, state[password], database)

    # -- making ------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what a start needs: the cluster, a clean socket folder, our configuration.

        Call it with nothing running (see `clear_leftovers`). Raises ConfigError.
        """
        self._own(self.home)
        self._check_version()
        new = not (self.data / "PG_VERSION").exists()
        if not new and "superuser_password" not in self.state:
            raise ConfigError(
                f"{self.folder / 'postgres.json'} is missing, which holds the passwords of the "
                f"database in {self.data}. Bring it back from a backup of the data folder."
            )
        self._complete_passwords()
        if new:
            self._initdb()
        socket_dir = self._socket_dir()
        self._remember(socket_dir=str(socket_dir))
        values = pgconfig.settings(self.home, socket_dir, self._supported())
        self._write(self.data / "postgresql.conf", pgconfig.render(values))
        self._write(self.data / "pg_hba.conf", pgconfig.HBA)
        if not (self.data / "local.conf").exists():
            self._write(self.data / "local.conf", pgconfig.LOCAL)

    def _own(self, path: Path) -> None:
        """Make a folder that only the server's account (and root) can enter."""
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.user is not None and path.stat().st_uid != self.user.uid:
            os.chown(path, self.user.uid, self.user.gid)
        path.chmod(0o700)

    def _write(self, path: Path, text: str) -> None:
        """Replace a file of the cluster as its owner."""
        config.write_private(path, text)
        if self.user is not None:
            os.chown(path, self.user.uid, self.user.gid)

    def _remember(self, **values: str) -> None:
        state = self.state | values
        if self.home != self.folder / "postgres":
            state["home"] = str(self.home)
        config.write_private(self.folder / "postgres.json", config.to_json(state))

    def _complete_passwords(self) -> None:
        """Make the passwords that are not there: all at first, a newer version's ones later."""
        missing = [name for name in PASSWORDS if name not in self.state]
        if missing:
            self._remember(**{name: secrets.token_urlsafe(32) for name in missing})

    def _check_version(self) -> None:
        marker = self.data / "PG_VERSION"
        if marker.exists() and (found := marker.read_text().strip()) != str(pgbinaries.MAJOR):
            raise ConfigError(
                f"{self.data} was made by PostgreSQL {found}; this TraceHub brings PostgreSQL "
                f"{pgbinaries.MAJOR}. Move it over with `tracehub backup` of the TraceHub that "
                "made it and `tracehub restore` here, or choose another folder with --data."
            )

    def _initdb(self) -> None:
        """Make the cluster beside its place and move it there whole, so that a kill leaves none."""
        draft = self.home / "new"
        shutil.rmtree(draft, ignore_errors=True)
        password_file = self.home / "password"
        self._write(password_file, self.state["superuser_password"] + "\n")
        command = [self.binaries.tool("initdb"), "-D", str(draft), "-U", SUPERUSER]
        command += ["--auth=scram-sha-256", f"--pwfile={password_file}", "--data-checksums"]
        command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        command += ["--locale=C", "--no-instructions"]
        if sys.platform == "linux":
            command.append("--sync-method=syncfs")  # one flush, not one for each of 1,000 files
        try:
            self._run(command, "initdb")
        finally:
            password_file.unlink()
        draft.rename(self.data)
        entry = os.open(self.home, os.O_RDONLY)
        try:
            os.fsync(entry)
        finally:
            os.close(entry)

    def _run(self, command: list[str], name: str) -> str:
        options = self._child_options()
        done = subprocess.run(command, check=False, capture_output=True, text=True, **options)
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip().splitlines()
            raise ConfigError(f"PostgreSQL's {name} failed: {reason[-1] if reason else 'silently'}")
        return str(done.stdout)

    def _supported(self) -> dict[str, str]:
        """Return the settings that this build of the server knows: lz4 where it was built in."""
        wanted = {"default_toast_compression": "lz4", "wal_compression": "lz4"}
        found = {}
        for name, value in wanted.items():
            with contextlib.suppress(ConfigError):
                self._run(
                    [self.binaries.tool("postgres"), "-C", name, "-c", f"{name}={value}"], name
                )
                found[name] = value
        return found

    def _socket_dir(self) -> Path:
        """Return a 0700 folder in which a Unix socket can be bound, made clean."""
        folder = self.home / "run"
        self._own(folder)
        for leftover in folder.glob(f"{_SOCKET_NAME}*"):
            leftover.unlink()
        if _takes_sockets(folder):
            return folder
        if (old := self.state.get("socket_dir")) and Path(old) != folder:
            shutil.rmtree(old, ignore_errors=True)
        base = Path("/run") if self.user is not None and Path("/run").is_dir() else None
        elsewhere = Path(tempfile.mkdtemp(prefix="tracehub-", dir=base))
        self._own(elsewhere)
        return elsewhere

    # -- running -----------------------------------------------------------------------------

    def command(self) -> list[str]:
        """Return the command line of the server, which stays in the foreground."""
        return [self.binaries.tool("postgres"), "-D", str(self.data)]

    def _child_options(self) -> dict[str, Any]:
        return {
            **as_user(self.user),
            "cwd": "/",
            "stdin": subprocess.DEVNULL,
            # Nothing of our environment (passwords among it) concerns the server.
            "env": {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
        }

    def popen_options(self, *, dies_too: bool) -> dict[str, Any]:
        """Return the options of `Popen` for the server.

        With `dies_too` it shuts down (fast) when the thread that started it ends, whatever the
        reason; without, it lives on after a `kill -9` for the next start to find.
        """
        options = self._child_options() | {"start_new_session": True}
        if dies_too:
            options["preexec_fn"] = dies_with_parent(signal.SIGINT)
        return options

    def is_ready(self) -> bool:
        """Tell whether the server accepts connections, by the last line of its pid file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"

    def start(self, *, settings: dict[str, str] | None = None, dies_too: bool = True) -> Server:
        """Start the server and wait until it takes connections; `settings` go before ours.

        For commands and tests; `tracehub up` runs the same command in its own loop.
        Raises ConfigError with the server's last words when it does not come up.
        """
        self.clear_leftovers()
        self.prepare()
        command = self.command()
        for name, value in (settings or {}).items():
            command += ["-c", f"{name}={value}"]
        log = self.folder / "postgres.log"
        with log.open("wb") as sink:
            process = subprocess.Popen(
                command, stdout=sink, stderr=sink, **self.popen_options(dies_too=dies_too)
            )
        server = Server(self, process)
        deadline = time.monotonic() + START_SECONDS
        while not self.is_ready():
            if process.poll() is not None or time.monotonic() > deadline:
                server.stop()
                words = log.read_text(errors="replace").strip().splitlines()
                raise ConfigError(
                    f"PostgreSQL did not start: {words[-1] if words else 'it said nothing'}"
                )
            time.sleep(0.02)
        return server

    # -- leftovers ---------------------------------------------------------------------------

    def processes(self) -> list[psutil.Process]:
        """Return every live Postgres process of this cluster.

        The server and all its backends work in the cluster's folder, which no other program does;
        so a pid file that names a stranger (a reused pid) is told apart.
        """
        found = []
        for process in psutil.process_iter(["name"]):
            if process.info["name"] != "postgres":
                continue
            with contextlib.suppress(psutil.Error):
                if process.cwd() == str(self.data.resolve()) and process.status() != "zombie":
                    found.append(process)
        return found

    def clear_leftovers(self) -> None:
        """Stop what a killed supervisor or a killed server left behind, then drop its pid file.

        The pid file is Postgres's own guard against two servers on one folder, so it goes only
        when no process of the cluster is left.
        """
        alive = self.processes()
        if alive:
            self.say(f"Ending what is left of an earlier database ({len(alive)} processes).")
        for step, seconds in (
            (signal.SIGINT, STOP_SECONDS),
            (signal.SIGQUIT, 5.0),
            (signal.SIGKILL, 5.0),
        ):
            if not alive:
                break
            for process in self._to_signal(alive, step):
                with contextlib.suppress(psutil.Error):
                    process.send_signal(step)
            deadline = time.monotonic() + seconds
            while (alive := self.processes()) and time.monotonic() < deadline:
                time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    @staticmethod
    def _to_signal(alive: list[psutil.Process], step: signal.Signals) -> list[psutil.Process]:
        """The server alone, which tells its backends; without a server, or to kill, all of them."""
        servers = []
        for process in alive:
            with contextlib.suppress(psutil.Error):  # it ended meanwhile
                if "-D" in process.cmdline():
                    servers.append(process)
        return servers if servers and step != signal.SIGKILL else alive


@dataclass
class Server:
    """A running embedded server that this process started."""

    cluster: Cluster
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        """Stop it fast (open transactions are rolled back) and wait; harder when it does not."""
        for step, seconds in ((signal.SIGINT, STOP_SECONDS), (signal.SIGQUIT, 5.0)):
            if self.process.poll() is not None:
                return
            self.process.send_signal(step)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(seconds)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def _open_to(user: SystemUser, folder: Path, say: Callable[[str], None]) -> Path:
    """Return a home for a new cluster that `user` can reach: in `folder`, else under /var/lib."""
    os.chown(folder, -1, user.gid)
    folder.chmod(0o710)
    if pgbinaries.can_enter(folder, user):
        return folder / "postgres"
    folder.chmod(0o700)
    home = pgbinaries.SYSTEM_HOME / f"db-{secrets.token_hex(6)}"
    pgbinaries.SYSTEM_HOME.mkdir(mode=0o755, parents=True, exist_ok=True)
    say(
        f"PostgreSQL runs as {user.name}, who cannot enter {folder}: the database is kept "
        f"in {home}."
    )
    return home


def _takes_sockets(folder: Path) -> bool:
    """Tell whether a socket in `folder` has a short enough path and its file system knows them."""
    longest = folder / f"{_SOCKET_NAME}.lock"
    if len(os.fsencode(longest)) > _LONGEST_SOCKET_PATH:
        return False
    probe = folder / f"{_SOCKET_NAME}.try"
    with socket.socket(socket.AF_UNIX) as trial:
        try:
            trial.bind(str(probe))
        except OSError:
            return False
    probe.unlink()
    return True
