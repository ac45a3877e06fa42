"""`tracehub up` as a process: starts anywhere, heals, and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tracehub.cli.postgres import Cluster
from tracehub.cli.supervisor import WORKER_NICE

pytestmark = pytest.mark.processes


def postgres_of(folder: Path) -> list[psutil.Process]:
    return Cluster.of(folder).processes()


def check_private(up) -> None:
    """What it keeps is for its owner alone, and the database listens on no network."""
    assert up.folder.stat().st_mode & 0o007 == 0
    for name in ("secret_key", "postgres.json", "up.json"):
        assert (up.folder / name).stat().st_mode & 0o777 == 0o600, name
    database = up.child("bin/postgres")
    assert not [c for c in database.net_connections("inet") if c.status == "LISTEN"]
    if os.geteuid() == 0:
        assert database.uids().effective != 0


def gone(processes: list[psutil.Process]) -> bool:
    return not any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in processes)


def test_first_start_prints_link_and_key_the_second_the_prefix_whatever_lies_about(
    start_up, folder
):
    up = start_up(folder / "data")
    assert up.get("/readyz") == 200
    check_private(up)
    yields = up.child("--pool=solo").nice() - up.child("tracehub.cli.serve").nice()
    assert yields == WORKER_NICE
    key = re.search(r"Ingest key \(default\): +(th_ing_\w+)\n", up.log)[1]
    first_link = re.search(r"http://\S+/accounts/\S+", up.log)[0]
    assert up.stop() == 0
    plant_leftovers(folder / "data")
    again = start_up(folder / "data")
    assert key not in again.log
    assert key[:17] + "…" + key[-4:] in again.log
    assert "tracehub createkey" in again.log
    assert re.search(r"http://\S+/accounts/\S+", again.log)[0] != first_link
    assert again.stop(signal.SIGINT) == 0


def plant_leftovers(folder: Path) -> None:
    """What a power cut can leave: pid files that name a stranger who lives, an old state."""
    data = Cluster.of(folder).data
    stranger = os.getpid()  # alive, and no Postgres
    (data / "postmaster.pid").write_text(f"{stranger}\n{data}\n0\n5432\n\n\n\nready\n")
    (data.parent / "run" / ".s.PGSQL.5432.lock").write_text(f"{stranger}\n")
    (folder / "up.json").write_text('{"pid": 1, "url": "http://nowhere"}')


def test_a_stop_leaves_no_process(start_up, home, wait_for):
    up = start_up(home, "--workers", "2", TRACEHUB_WEB_WORKERS="2")
    children = up.children() + postgres_of(home)
    assert up.child("tracehub.cli.serve") and "worker-2" in " ".join(
        part for child in children for part in child.cmdline()
    )
    assert up.stop(signal.SIGTERM) == 0
    wait_for(lambda: gone(children), why="all children to end")


def test_a_child_that_is_killed_is_started_again(start_up, home, wait_for):
    up = start_up(home)
    for word in ("tracehub.cli.serve", "--pool=solo", "beat", "bin/postgres"):
        victim = up.child(word)
        victim.kill()
        wait_for(lambda victim=victim: gone([victim]))
        wait_for(lambda word=word: up.child(word), why=f"another {word}")
        wait_for(lambda: up.get("/readyz") == 200, seconds=20, why=f"readiness without {word}")
    assert up.log.count("ended (killed by SIGKILL), starting it again.") == 4
    assert up.stop() == 0


def test_after_a_kill_of_the_supervisor_children_die_and_the_next_start_works(
    start_up, folder, wait_for
):
    folder.chmod(0o700)  # as root the database must then live where its account can reach it
    up = start_up(folder / "data")
    home = Cluster.of(folder / "data").home
    if os.geteuid() == 0:
        assert home.is_relative_to("/var/lib/tracehub")
        assert f"the database is kept in {home}" in up.log
    server = postgres_of(folder / "data")
    others = [child for child in up.children() if child not in server]
    up.process.kill()
    up.process.wait(5)
    wait_for(lambda: gone(others), why="web, worker and beat to die with the supervisor")
    again = start_up(folder / "data")
    assert again.get("/readyz") == 200
    assert gone(server)  # the old database was stopped, not doubled
    assert again.stop() == 0
    shutil.rmtree(home)


def test_a_second_up_and_a_taken_port_are_refused_and_the_first_is_unharmed(
    start_up, home, run_command
):
    with socket.socket() as other:
        # If somebody else has the port already, that does as well.
        with contextlib.suppress(OSError):
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            other.bind(("127.0.0.1", 8000))
            other.listen()
        up = start_up(home)
        port = int(up.url.rpartition(":")[2])
        assert port > 8000
    taken = run_command("up", "--data", str(home.with_name("other")), "--port", str(port))
    assert taken.returncode == 1
    assert f"Port {port} on 127.0.0.1 is taken by another program." in taken.stderr
    second = run_command("up", "--data", str(home))
    assert second.returncode == 1
    assert second.stderr.startswith("Error: TraceHub already runs on ")
    assert str(up.process.pid) in second.stderr
    assert len(second.stderr.splitlines()) == 1
    assert up.get("/readyz") == 200


def test_a_cluster_of_another_version_and_one_that_is_not_durable_are_refused(folder, run_command):
    home = folder / "data"
    home.mkdir()
    cluster = Cluster.of(home)
    cluster.start().stop()
    (cluster.data / "local.conf").write_text("fsync = off\n")
    unsafe = run_command("up", "--data", str(home))
    assert unsafe.returncode == 1
    assert "fsync must be on, or an acknowledged trace could be lost. Got 'off'." in unsafe.stderr
    assert not cluster.processes()
    (cluster.data / "PG_VERSION").write_text("16\n")
    old = run_command("up", "--data", str(home))
    assert old.returncode == 1
    assert "was made by PostgreSQL 16; this TraceHub brings PostgreSQL 18" in old.stderr


def test_a_folder_that_cannot_be_made_or_written_is_refused_with_its_mend(
    folder, run_command, start_up, wait_for
):
    nowhere = run_command("up", "--data", "/proc/tracehub")  # not even by root
    assert nowhere.returncode == 1
    assert re.fullmatch(
        r"Error: The data folder /proc/tracehub cannot be made: .+\. "
        r"Choose another with --data or TRACEHUB_DATA_DIR\.\n",
        nowhere.stderr,
    )
    skip_where_nobody_can_run_python()
    up = start_up(folder, ready=False, user="nobody", HOME="/")
    assert wait_for(up.process.poll, seconds=60) == 1
    assert up.log == (
        f"Error: The data folder {folder} cannot be written by this user. "
        "Make it writable, or choose another with --data or TRACEHUB_DATA_DIR.\n"
    )
    assert list(folder.iterdir()) == []


def test_a_wrong_setting_stops_the_start_with_one_line(folder, run_command):
    refused = run_command("up", "--data", str(folder / "data"), TRACEHUB_MAX_BODY_MB="8MB")
    assert refused.returncode == 1
    assert refused.stderr == "Error: TRACEHUB_MAX_BODY_MB must be a whole number. Got '8MB'.\n"
    assert not (folder / "data" / "postgres").exists()


def test_it_runs_as_a_plain_user_too(start_up, folder):
    nobody = pwd.getpwnam("nobody")
    skip_where_nobody_can_run_python()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    up = start_up(folder / "data", user="nobody", HOME=str(folder))
    assert up.child("bin/postgres").uids().effective == nobody.pw_uid
    assert up.stop() == 0


def skip_where_nobody_can_run_python() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    reach = ["/bin/sh", "-c", f"test -x {os.path.realpath(psutil.Process().exe())}"]
    if subprocess.run(reach, check=False, user="nobody", cwd="/").returncode:
        pytest.skip("this Python lies in a folder that only root can enter")
