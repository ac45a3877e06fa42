"""The installation of docker-compose.yml: its commands and settings, as processes."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import requests
import yaml

from tests.faults.ledger import Sender
from tests.topology.programs import Program, Programs, free_port, listens
from tests.topology.stores import BROKERS, PgBouncer, Postgres, broker_answers

ROOT = Path(__file__).parents[2]
START_SECONDS = 300.0
SECRETS = (
    "POSTGRES_PASSWORD OWNER_PASSWORD APP_PASSWORD REPLICATION_PASSWORD RABBITMQ_PASSWORD"
    " TRACEHUB_SECRET_KEY"
).split()


def filled(text: str, values: dict[str, str]) -> str:
    """Put variables in as compose does.

    >>> filled("a ${ONE:-1} ${TWO:?needed}", {"TWO": "2"})
    'a 1 2'
    """

    def value(match: re.Match) -> str:
        name, sign, other = match.groups()
        assert sign != ":?" or values.get(name), name
        return values.get(name) or (other if sign == ":-" else "")

    return re.sub(r"\$\{([A-Z_]+)(?:(:[-?])([^}]*))?\}", value, text)


class Topology:
    """Everything of the compose file but the proxy. `close` ends it."""

    def __init__(self, broker: str, wait_for: Callable) -> None:
        self.kind, self.wait_for = broker, wait_for
        self.folder = Path(tempfile.mkdtemp(prefix="tracehub-topology-"))
        self.folder.chmod(0o755)
        self.values = {name: secrets.token_hex(24) for name in SECRETS}
        self.programs = Programs(self.folder)
        self.senders: list[Sender] = []

    @cached_property
    def services(self) -> dict[str, dict]:
        return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    # -- starting ----------------------------------------------------------------------------

    def start(self) -> None:
        passwords = {name: self.values[name] for name in SECRETS if name.endswith("PASSWORD")}
        run, served = self.programs, list(self.services["postgres"]["command"])
        at = served.index("default_toast_compression=lz4")  # the embedded build knows no lz4
        del served[at - 1 : at + 1]
        self.primary = Postgres("primary", run, served, passwords)
        self.await_("PostgreSQL", self.primary.answers)
        self.primary.make_roles()
        self.standby = Postgres("standby", run, served, passwords, self.primary)
        self.await_("the standby", self.standby.answers)
        self.pool = PgBouncer(run, self.primary)
        self.await_("PgBouncer", lambda: listens(self.pool.port))
        command = self.services["redis"]["command"]
        begin = BROKERS[self.kind]
        self.broker, self.broker_url = begin(run, command, passwords["RABBITMQ_PASSWORD"])
        self.await_broker()
        self.ports = [free_port(), free_port()]
        self.grpc_port = free_port()
        self.values |= {
            "DATABASE_HOST": f"127.0.0.1:{self.pool.port}",
            "DATABASE_REPLICA_URL": self.standby.url("tracehub_app", "APP_PASSWORD"),
            "TRACEHUB_BROKER_URL": self.broker_url,
            "TRACEHUB_BASE_URL": self.urls[0],
        }
        self._set_up()
        self._start_ours()

    def env(self, service: str) -> dict[str, str]:
        """The environment of a service, with what the image of TraceHub sets."""
        given = self.services[service]["environment"]
        held = {name: filled(str(text), self.values) for name, text in given.items()}
        bin_ = str(Path(sys.executable).parent)
        return held | {
            "PATH": f"{bin_}:{os.defpath}",
            "TRACEHUB_DATA_DIR": str(self.folder / "data"),
            "DJANGO_SETTINGS_MODULE": "tracehub.settings",
            "PYTHONUNBUFFERED": "1",
            "TRACEHUB_MIN_FREE_MB": "0",  # the test is of no disk
        }

    def _set_up(self) -> None:
        """What the service `setup` does; it goes to the server itself, past the pool."""
        (self.folder / "data").mkdir(mode=0o700)
        env = self.env("setup")
        for name in ("DATABASE_URL", "DATABASE_OWNER_URL"):
            env[name] = env[name].replace("@postgres:5432", f"@127.0.0.1:{self.primary.port}")
        command = self.services["setup"]["command"]
        done = subprocess.run(command, env=env, cwd="/", capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        self.command("createuser", "you@example.com", "--superuser")
        self.command("createproject", "sky")
        self.ingest_key = self.command("createkey", "--project", "sky", "--scope", "ingest")
        self.key = self.command("createkey", "--project", "sky", "--scope", "viewer")

    def _start_ours(self) -> None:
        image = (ROOT / "Dockerfile").read_text().splitlines()
        serve = json.loads(image[-1].removeprefix("CMD "))
        assert serve[-1] == "0.0.0.0:8000"
        self.webs = [
            self._run(f"web{number}", [*serve[:-1], f"127.0.0.1:{port}"], "web")
            for number, port in enumerate(self.ports)
        ]
        worker = self.services["worker"]["command"]
        self.workers = [
            self._run(f"worker{number}", [*worker, "--hostname", f"{number}@%h"], "worker")
            for number in range(2)
        ]
        beat = [part.replace("/tmp", str(self.folder)) for part in self.services["beat"]["command"]]
        self.beat = self._run("beat", beat, "beat")
        grpc = [p.replace("0.0.0.0", "127.0.0.1") for p in self.services["otlp-grpc"]["command"]]
        self._run("grpc", [*grpc, "--port", str(self.grpc_port)], "otlp-grpc")
        for url in self.urls:
            self.await_ready(url)
        self.await_("gRPC", lambda: listens(self.grpc_port))

    def _run(self, name: str, command: list[str], service: str) -> Program:
        return self.programs.run(name, command, self.env(service))

    # -- looking -----------------------------------------------------------------------------

    @property
    def urls(self) -> list[str]:
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    def await_ready(self, url: str) -> None:
        def ready() -> bool:
            try:
                return requests.get(f"{url}/readyz", timeout=10).status_code == 200
            except requests.RequestException:
                return False

        self.await_(f"readiness of {url}", ready)

    def await_broker(self) -> None:
        self.await_("the broker", lambda: broker_answers(self.broker_url))

    def await_(self, what: str, check: Callable[[], bool]) -> None:
        """Wait for a part to come up; show all logs when it does not."""
        try:
            self.wait_for(check, seconds=START_SECONDS, why=what)
        except BaseException:
            print(self.programs.logs())
            raise

    def api(self, path: str, url: str = "", **options) -> requests.Response:
        headers = {"Authorization": f"Bearer {self.key}"}
        return requests.get(
            f"{url or self.urls[0]}/api/v1/{path}", headers=headers, timeout=20, **options
        )

    def command(self, *arguments: str) -> str:
        """Run a command of TraceHub and return what it printed."""
        return self.program(["tracehub", *arguments])

    def program(self, command: list[str], *, fails: bool = False) -> str:
        """Run a program as `docker compose run web` would; return what it printed.

        With `fails` it may end with another code than 0.
        """
        done = subprocess.run(
            command, env=self.env("web"), cwd="/", capture_output=True, text=True, timeout=120
        )
        assert fails or done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def send(self, url: str, **options) -> Sender:
        self.senders.append(Sender(url, self.ingest_key, **({"pause": 0.05} | options)).start())
        return self.senders[-1]

    def close(self) -> None:
        for sender in self.senders:
            sender.abandon()
        self.programs.close()
        shutil.rmtree(self.folder)
