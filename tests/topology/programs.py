"""Processes of the topology: started with a log each, ended with all that they started."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
from pathlib import Path

from tracehub.cli.processes import SystemUser, as_user

# Where Debian puts servers, which are not in everybody's path.
PLACES = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
END_SECONDS = 20.0


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """One process with its own group; `start` again after `kill` runs the same command."""

    def __init__(
        self,
        log_file: Path,
        command: list[str],
        env: dict[str, str],
        user: SystemUser | None = None,
    ) -> None:
        self.log_file, self.command, self.env, self.user = log_file, command, env, user
        self.start()

    def start(self) -> None:
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.log_file.parent,
                env=self.env,
                start_new_session=True,
                **as_user(self.user),
            )

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait(END_SECONDS)


class Programs:
    """What was started, in order; `close` kills it the other way round."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: list[Program] = []

    def run(
        self, name: str, command: list[str], env: dict[str, str], user: SystemUser | None = None
    ) -> Program:
        self.started.append(Program(self.folder / f"{name}.log", command, env, user))
        return self.started[-1]

    def logs(self) -> str:
        """Return the ends of all logs, for a failure."""
        return "\n".join(f"--- {p.log_file.stem}\n{p.log[-1500:]}" for p in self.started)

    def close(self) -> None:
        for program in reversed(self.started):
            program.kill()
