"""PostgreSQL, its standby, PgBouncer and the brokers, by the scripts and settings of deploy/."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import psycopg
from kombu import Connection

from tests.topology.programs import PLACES, Program, Programs, free_port
from tracehub.cli import pgbinaries
from tracehub.cli.processes import as_user

DEPLOY = Path(__file__).parents[2] / "deploy"
# As the image of PostgreSQL has it: by password from everywhere.
HBA = "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n"


class Postgres:
    """A primary, or with `standby_of` another a copy that follows it."""

    def __init__(
        self,
        name: str,
        programs: Programs,
        command: list[str],
        passwords: dict[str, str],
        standby_of: Postgres | None = None,
    ) -> None:
        self.passwords, self.port = passwords, free_port()
        self.folder = folder = programs.folder / name
        folder.mkdir()
        self.user = pgbinaries.system_user(folder)
        if self.user is not None:
            os.chown(folder, self.user.uid, self.user.gid)
        self.binaries = pgbinaries.locate(self.user)
        self.env = {"PATH": f"{self.binaries.folder}:{os.defpath}", "LC_ALL": "C"}
        self.env |= passwords | {"PGDATA": str(folder / "data")}
        own = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={folder}"]
        own += ["-c", f"port={self.port}"]
        if standby_of is None:
            self._initdb()
            whole = [*command, *own, "-D", str(folder / "data")]
        else:
            self.env |= {"PGPASSWORD": passwords["REPLICATION_PASSWORD"]}
            self.env |= {"PRIMARY_HOST": "127.0.0.1", "PRIMARY_PORT": str(standby_of.port)}
            whole = ["bash", str(self._readable("standby.sh")), *own]
        self.program = programs.run(name, whole, self.env, self.user)

    def _readable(self, script: str) -> Path:
        """Return a copy of a script where the server's account can read it."""
        copy = self.folder / script
        copy.write_text((DEPLOY / "postgres" / script).read_text())
        copy.chmod(0o644)
        return copy

    def _initdb(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.passwords["POSTGRES_PASSWORD"])
        secret.chmod(0o644)
        command = [self.binaries.tool("initdb"), "-D", self.env["PGDATA"], "-U", "postgres"]
        command += ["--auth=scram-sha-256", f"--pwfile={secret}", "--data-checksums"]
        command += ["--encoding=UTF8", "--locale=C"]
        self._run(command)
        (self.folder / "data" / "pg_hba.conf").write_text(HBA)

    def _run(self, command: list[str], **env: str) -> None:
        done = subprocess.run(
            command, capture_output=True, text=True, cwd="/", env=self.env | env,
            **as_user(self.user),
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def make_roles(self) -> None:
        """Do what the image does in an empty folder: the database, then the script."""
        self.sql("CREATE DATABASE tracehub", database="postgres")
        where = {"PGHOST": "127.0.0.1", "PGPORT": str(self.port)}
        where |= {"PGPASSWORD": self.passwords["POSTGRES_PASSWORD"]}
        self._run(["bash", str(self._readable("roles.sh"))], **where)
        self.sql("SELECT pg_reload_conf()")

    def answers(self) -> bool:
        try:
            return self.sql("SELECT 1", database="postgres") == [(1,)]
        except psycopg.OperationalError:
            return False

    def url(self, role: str, password: str, database: str = "tracehub") -> str:
        secret = self.passwords[password]
        return f"postgresql://{role}:{secret}@127.0.0.1:{self.port}/{database}"

    @property
    def owner_url(self) -> str:
        return self.url("tracehub_owner", "OWNER_PASSWORD")

    def sql(self, query: str, *, database: str = "tracehub") -> list[tuple]:
        """Run a statement as the superuser."""
        url = self.url("postgres", "POSTGRES_PASSWORD", database)
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as link:
            done = link.execute(query)
            return done.fetchall() if done.description else []


class PgBouncer:
    """The pool of deploy/pgbouncer; `point_to` gives it another server."""

    def __init__(self, programs: Programs, server: Postgres) -> None:
        folder = programs.folder / "pool"
        folder.mkdir()
        self.port = free_port()
        if server.user is not None:
            os.chown(folder, server.user.uid, server.user.gid)
        script, given = folder / "start.sh", folder / "given.ini"
        script.write_text((DEPLOY / "pgbouncer" / "start.sh").read_text())
        text = (DEPLOY / "pgbouncer" / "pgbouncer.ini").read_text()
        for before, after in (
            ("listen_addr = 0.0.0.0", "listen_addr = 127.0.0.1"),
            ("listen_port = 6432", f"listen_port = {self.port}"),
            ("/tmp/userlist.txt", str(folder / "users")),
        ):
            assert before in text, before
            text = text.replace(before, after)
        given.write_text(text)
        for file in (script, given):
            file.chmod(0o644)
        env = server.passwords | {"PATH": PLACES, "PRIMARY_HOST": "127.0.0.1"}
        env |= {"USERLIST": str(folder / "users"), "CONFIG": str(folder / "pgbouncer.ini")}
        env |= {"PRIMARY_PORT": str(server.port)}
        self.program = programs.run("pgbouncer", ["sh", str(script), str(given)], env, server.user)

    def point_to(self, server: Postgres) -> None:
        """Start it anew for another primary, as `docker compose up` does."""
        self.program.kill()
        self.program.env["PRIMARY_PORT"] = str(server.port)
        self.program.start()


def redis(programs: Programs, command: list[str], _password: str) -> tuple[Program, str]:
    """Start Redis with the command of the compose file; return it and its URL."""
    port = free_port()
    own = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(programs.folder)]
    program = programs.run("redis", [*command, *own], {"PATH": PLACES})
    return program, f"redis://127.0.0.1:{port}/0"


def rabbitmq(programs: Programs, _command: list[str], password: str) -> tuple[Program, str]:
    """Start RabbitMQ, its name server beside it in the same group; return it and its URL."""
    port, names, between = free_port(), free_port(), free_port()
    home = programs.folder / "rabbitmq"
    home.mkdir()
    config = home / "rabbitmq.conf"
    config.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{port}\ndefault_user = tracehub\ndefault_pass = {password}\n"
    )
    (home / "plugins").write_text("[].\n")
    env = {
        "PATH": PLACES,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "ERL_EPMD_PORT": str(names),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": "tracehub@localhost",
        "RABBITMQ_DIST_PORT": str(between),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}",
        "RABBITMQ_CONFIG_FILE": str(config),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_LOGS": "-",
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }
    command = ["sh", "-c", "epmd & exec /usr/lib/rabbitmq/bin/rabbitmq-server"]
    program = programs.run("rabbitmq", command, env)
    return program, f"amqp://tracehub:{password}@127.0.0.1:{port}//"


BROKERS = {"redis": redis, "rabbitmq": rabbitmq}


def broker_answers(url: str) -> bool:
    try:
        with Connection(url, connect_timeout=2) as link:
            link.ensure_connection(max_retries=1, interval_start=0, timeout=2)
    except Exception as error:  # each client has errors of its own while a broker starts
        return not re.search("refused|reset|closed|ACCESS|timed out|Socket|loading", repr(error))
    return True
